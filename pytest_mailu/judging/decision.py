"""From the findings of a run to its one answer: what fails, what stops the upgrade, what leaves it undecided."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pytest_mailu.core.model import PROTECTIONS, Comparison, Decision, FailOn, Finding, Outcome, Severity, Verdict, met
from pytest_mailu.judging.judge import SETTINGS, SEVERITIES, UNCERTAIN


def fails(finding: Finding, fail_on: FailOn) -> bool:
    """Whether a finding that is not waived fails its item."""
    return fail_on is not FailOn.NEVER and stops(finding, fail_on)


def stops(finding: Finding, fail_on: FailOn) -> bool:
    """Whether a finding that is not waived stops the upgrade.

    `FailOn.NEVER` changes what fails, not what is true: the same stops as for `FailOn.MAJOR`.
    """
    match finding.verdict:
        case Verdict.REGRESSED if fail_on in (FailOn.REGRESSED, FailOn.CHANGED):
            return True
        case Verdict.REGRESSED:
            least = FailOn.MAJOR if fail_on is FailOn.NEVER else fail_on
            return SEVERITIES.index(finding.severity) <= SEVERITIES.index(Severity(least))
        case Verdict.CHANGED:
            return fail_on is FailOn.CHANGED
        case verdict:
            return verdict in UNCERTAIN


def gaps(comparisons: Sequence[Comparison], old: str, new: str) -> tuple[str, ...]:
    """What keeps a run from a good decision beside its findings, in sentences; `old` and `new` are the releases.

    Each side has to have answered something, and old has to have done something as wanted in every family: two sides
    that are down, or a recording of nothing, are alike in everything. What files mean is no answer of a server: where
    servers were asked, one has to have answered.
    """
    if not comparisons:
        return ("Nothing was compared.",)
    found = []
    asked = [each for each in comparisons if each.question.family != SETTINGS] or comparisons
    for release, sides in ((old, [each.old for each in asked]), (new, [each.new for each in asked])):
        if not any(_answered(attempt.outcome) for attempts in sides for attempt in attempts):
            found.append(f"{release} did not answer anything.")
    if not found:
        families: dict[str, list[Comparison]] = {}
        for each in comparisons:
            families.setdefault(each.question.family, []).append(each)
        found += [
            f"Nothing in {family} works on {old}, so nothing there can be compared."
            for family, members in families.items()
            if not _works(members)
        ]
    return tuple(dict.fromkeys(found))


def mostly_absent(comparisons: Sequence[Comparison]) -> tuple[str, ...]:
    """A sentence for a run in which most behaviours found nothing to ask on either side; none for any other run."""
    absent = sum(each.verdict is Verdict.ABSENT for each in comparisons)
    if 2 * absent <= len(comparisons):
        return ()
    return (
        f"Most of it is absent: for {absent} of {len(comparisons)} behaviours, neither side offers what they ask for. "
        "Check that the set-up (--mailu-setup, or your files) is the one that people use.",
    )


def _answered(outcome: Outcome | None) -> bool:
    return outcome is not None and outcome not in (Outcome.UNREACHABLE, Outcome.UNANSWERED)


def _works(members: Sequence[Comparison]) -> bool:
    """Whether old does something as wanted; refusing does not count where there is more to do than that."""
    functions = [each for each in members if each.question.wanted not in PROTECTIONS]
    return any(_met_on_old(each) for each in functions or members)


def _met_on_old(comparison: Comparison) -> bool:
    wanted, outcome = comparison.question.wanted, comparison.old[-1].outcome if comparison.old else None
    if outcome is None or not _answered(outcome):
        return False
    return outcome in (Outcome.ACCEPTED, Outcome.DELIVERED) if wanted is None else met(wanted, outcome)


def decide(
    findings: Iterable[Finding],
    comparisons: Sequence[Comparison],
    fail_on: FailOn = FailOn.MAJOR,
    *,
    complete: bool = True,
) -> Decision:
    """The one answer of a run over all its comparisons and their findings.

    NO-GO wins over CANNOT TELL. With `gaps` (see there), or where the run ended early (not `complete`), it is never GO.
    """
    stopping = [finding for finding in findings if stops(finding, fail_on)]
    open_ = [finding for finding in stopping if finding.waiver is None]
    if any(finding.verdict not in UNCERTAIN for finding in open_):
        return Decision.NO_GO
    if open_ or not complete or gaps(comparisons, "old", "new"):
        return Decision.CANNOT_TELL
    return Decision.GO_WITH_WAIVERS if stopping else Decision.GO
