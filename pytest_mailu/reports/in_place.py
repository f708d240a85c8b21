"""What the rehearsal of an upgrade in place has to say: what survives, how long it takes, and the way back."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_mailu.core.in_place import CopyKind, Hop, InPlace, Origin, WayBack
from pytest_mailu.core.model import Finding, Report, Verdict
from pytest_mailu.reports import words

FAMILY = "upgrade"
_MEGABYTE = 1_000_000


def sentences(report: Report) -> tuple[str, ...]:
    """The section in sentences, without the findings themselves; empty for a run that rehearsed nothing."""
    if report.in_place is None:
        return ()
    return tuple(_sentences(report))


def _sentences(report: Report) -> Iterator[str]:
    rehearsed = report.in_place
    assert rehearsed is not None  # noqa: S101 - asked above
    survival = [finding for finding in report.findings if finding.family == FAMILY]
    lost = [finding for finding in survival if finding.verdict is Verdict.REGRESSED]
    if any(hop.failure for hop in rehearsed.hops):
        yield "The upgrade does not come to its end on this data."
    elif lost:
        yield f"Lost in the upgrade: {words.listing([_named(finding) for finding in lost])}."
    elif rehearsed.hops:
        yield "Everything that was looked at survives the upgrade."
    for hop in rehearsed.hops:
        yield _hop(hop, report.old.release)
    yield from _origins(report)
    yield from _own_data(rehearsed)
    if rehearsed.way_back is not None:
        yield from _way_back(rehearsed.way_back, report.old.release)


def _own_data(rehearsed: InPlace) -> Iterator[str]:
    if rehearsed.people:
        told = [f"{name} {number}" for name, number in rehearsed.people.items() if number]
        yield f"Your data: {words.listing(told)}." if told else "Your data: nothing was found in it."
    yield from rehearsed.checks
    if rehearsed.own_untouched is not None:
        yield (
            "The folder that you named is byte for byte as it was."
            if rehearsed.own_untouched
            else "The folder that you named changed meanwhile. The rehearsal only reads it: was Mailu running there? "
            "Then what is told here is not certain. Rehearse on a copy, or on a snapshot."
        )


def _named(finding: Finding) -> str:
    return f"{finding.title} (lost by {finding.hop})" if finding.hop else finding.title


def _hop(hop: Hop, old: str) -> str:
    if hop.failure:
        return f"{hop.release} does not start on the data of {old}: {hop.failure.splitlines()[0]}"
    how = {
        CopyKind.OVERLAY: "nothing was copied",
        CopyKind.COPIED: f"{words.count(hop.data.files, 'file')}, {hop.data.bytes / _MEGABYTE:.1f} MB copied",
    }[hop.data.kind]
    return (
        f"{hop.release}: about {words.duration(hop.downtime)} without service "
        f"(stop {words.duration(hop.stop_seconds)}, migration and start {words.duration(hop.ready_seconds)}); {how}."
    )


def _origins(report: Report) -> Iterator[str]:
    found = [finding.origin for finding in report.findings if finding.verdict is Verdict.REGRESSED]
    if data := found.count(Origin.DATA):
        fail = words.count(data, "behaviour fails", "behaviours fail")
        yield f"{fail} on upgraded data only, not on a fresh install."
    if both := found.count(Origin.BOTH):
        yield f"{words.count(both, 'behaviour fails', 'behaviours fail')} on upgraded data and on a fresh install."
    if report.in_place and (fresh := report.in_place.fresh_only):
        yield (
            f"{words.count(len(fresh), 'behaviour fails', 'behaviours fail')} on a fresh install only, "
            f"so not after this upgrade: {words.listing(fresh[:5])}."
        )


def _way_back(found: WayBack, old: str) -> Iterator[str]:
    kept = "is byte for byte as it was" if found.untouched else "IS NOT as it was"
    yield f"Way back: the data of {old} {kept}; {old} {'runs' if found.works else 'does not run'} on it again."
    if found.detail:
        yield f"Why not: {found.detail}"
    if found.downgrade:
        yield f"{old} on the data of the new release: {found.downgrade}"
    yield (
        "A way back needs a copy of Mailu's folder from before the upgrade. "
        "Mail that arrives after the upgrade is not in that copy: save it first, for example with IMAP."
    )
