"""What is known about the releases themselves: DNS, firewall, clients, data, and patch releases with faults."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_mailu.core.model import Outcome, Severity
from pytest_mailu.deployment.catalogue import Notice
from pytest_mailu.deployment.checks.outside import shows_tlsa
from pytest_mailu.deployment.note import About, Note
from pytest_mailu.deployment.subject import Subject


def check(subject: Subject) -> Iterator[Note]:
    """A note for each notice that needs no look into the files beyond the value of a setting."""
    for notice in subject.catalogue.notices_for(subject.old, subject.new):
        if notice.id == "dns/tlsa-x2" and shows_tlsa(subject):
            continue  # the check of the zone tells it, with the line
        if notice.title and (not notice.when or subject.holds(notice.when)):
            yield _note(subject, notice)


def _note(subject: Subject, notice: Notice) -> Note:
    advice = notice.advice
    made = About(
        id=f"known/{notice.id}",
        title=notice.title,
        breaks=advice.cause,
        source=str(advice.source),
        severity=Severity.INFO if notice.crossing else Severity.MAJOR,
        cause=advice.cause,
        remedy=advice.remedy,
        write=advice.write,
    )
    if notice.crossing:
        return made.changed({"concerned": False}, {"concerned": True})
    return made.broken(Outcome.ALTERED) if subject.old in notice else made.lost(Outcome.ALTERED)
