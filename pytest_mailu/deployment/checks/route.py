"""The way to the new release: series where an upgrade has to stop, with what to do before, during and after."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_mailu.core.model import Outcome, Severity
from pytest_mailu.deployment.note import About, Note
from pytest_mailu.deployment.subject import Subject


def check(subject: Subject) -> Iterator[Note]:
    """A note for each series that lies between the two releases, and one for what to do when the last is entered."""
    for entered in subject.catalogue.entered(subject.old, subject.new):
        if entered.series == subject.new.series:
            made = About(
                id=f"route/{entered.series}",
                title=f"To do before, during and after the step to {entered.series}",
                breaks=entered.reason,
                source=str(entered.source),
                severity=Severity.INFO,
                cause=entered.reason,
                remedy=" ".join((*entered.before, *entered.during, *entered.after, f"Way back: {entered.way_back}")),
            )
            yield made.changed({"series": subject.old.series}, {"series": subject.new.series})
    for stop in subject.catalogue.stops_between(subject.old, subject.new):
        steps = " ".join((*stop.before, *stop.during, *stop.after))
        made = About(
            id=f"route/{stop.series}",
            title=f"The way from {subject.old} to {subject.new} leads over {stop.series}",
            breaks=stop.reason,
            source=str(stop.source),
            severity=Severity.MAJOR,
            cause=stop.reason,
            remedy=f"Upgrade to {stop.series} first, start it once, and go on from there. {steps}".strip(),
        )
        if stop.required:
            yield made.lost(Outcome.REFUSED)
        else:
            yield made.changed({"direct": False}, {"direct": True})
