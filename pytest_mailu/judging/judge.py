"""From what two sides did to what it means: one total function, and the decision over all of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from pytest_mailu.core.globs import matches
from pytest_mailu.core.model import (
    PROTECTIONS,
    Comparison,
    Decision,
    Difference,
    Direction,
    FailOn,
    Finding,
    Observation,
    Outcome,
    Problem,
    Question,
    Severity,
    SideName,
    Verdict,
    Why,
    met,
)
from pytest_mailu.judging.compare import differences, noise
from pytest_mailu.judging.wavering import Settled, count, failed, settled, usual_end, wavers

ABSENT = frozenset({Outcome.NOT_OFFERED, Outcome.UNREACHABLE})
"""There is nothing there to ask."""

SLOWDOWN_FACTOR = 5.0
"""How many times as long a delivery has to take to be told of."""
MIN_SLOWDOWN_SECONDS = 3.0
"""And how many seconds longer: below that a busy machine makes the difference."""

SERVED = frozenset({Outcome.DELIVERED, Outcome.ACCEPTED, Outcome.ALTERED})
"""What somebody who tried a function without a wanted outcome can live with."""

UNCERTAIN = frozenset({Verdict.INCONCLUSIVE, Verdict.UNSTABLE})
SEVERITIES = tuple(Severity)
"""Worst first."""
QUIET = frozenset({Verdict.SAME, Verdict.ABSENT})
"""Verdicts that are no finding."""


def verdict(wanted: Outcome | None, old: Outcome, new: Outcome, *, differ: bool) -> Verdict:
    """The verdict over two settled outcomes; `differ` tells whether anything else about them differs."""
    if old in ABSENT and new in ABSENT and wanted not in (Outcome.NOT_OFFERED, Outcome.UNREACHABLE):
        return Verdict.ABSENT
    if wanted is None and (old in ABSENT or new in ABSENT):
        return Verdict.GAINED if old in ABSENT else Verdict.REGRESSED
    match met(wanted, old), met(wanted, new):
        case True, True:
            return Verdict.CHANGED if differ else Verdict.SAME
        case True, False:
            return Verdict.REGRESSED
        case False, True:
            return Verdict.GAINED
        case _:
            return Verdict.BROKEN


def judge(
    question: Question, old: Sequence[Observation], new: Sequence[Observation], volatile: Sequence[str] = ()
) -> Comparison:
    """Compare all attempts of both sides.

    The last attempt of each side represents it. What a side does differently from itself is noise and no difference.
    Where a side ends differently from itself, the failures of both are counted (see `wavering`): with enough attempts
    that decides; otherwise the comparison is unstable.
    """

    def result(verdict: Verdict, found: tuple[Difference, ...] = (), why: Why | None = None) -> Comparison:
        return Comparison(question, verdict, tuple(old), tuple(new), found, why)

    for side, attempts in ((SideName.OLD, old), (SideName.NEW, new)):
        if not attempts:
            return result(Verdict.INCONCLUSIVE, why=Why(side, Problem.NOT_RECORDED, "not recorded"))
        if attempts[-1].outcome is None:
            detail = attempts[-1].trouble or "could not be asked"
            return result(Verdict.INCONCLUSIVE, why=Why(side, Problem.NOT_ASKED, detail))
    answered_old = [attempt for attempt in old if attempt.outcome is not None]
    answered_new = [attempt for attempt in new if attempt.outcome is not None]
    if wavers(answered_old) or wavers(answered_new):
        return _by_failures(question, old, new, volatile)
    unsteady = noise(answered_old) | noise(answered_new)
    found = tuple(
        difference
        for difference in differences(answered_old[-1], answered_new[-1], volatile)
        if difference.path not in unsteady
    )
    before, after = answered_old[-1].outcome, answered_new[-1].outcome
    assert before is not None  # noqa: S101 - only answered attempts got here
    assert after is not None  # noqa: S101
    told = verdict(question.wanted, before, after, differ=bool(found))
    if told is Verdict.CHANGED and lost_facts(question, found):
        return result(Verdict.REGRESSED, found)
    if told is Verdict.SAME and after is Outcome.DELIVERED and (late := _slower(answered_old, answered_new)):
        return result(Verdict.CHANGED, (late,))
    return result(told, found)


def _by_failures(
    question: Question, old: Sequence[Observation], new: Sequence[Observation], volatile: Sequence[str]
) -> Comparison:
    """The comparison of sides that waver. The attempt that shows the result is put last: it represents its side."""
    answered = [[attempt for attempt in side if attempt.outcome is not None] for side in (old, new)]
    failures = count(question, *answered)
    outcome = settled(failures)
    match outcome:
        case Settled.OPEN:
            unsteady = SideName.OLD if wavers(answered[0]) else SideName.NEW
            ends = dict.fromkeys(
                f"{attempt.outcome} at {attempt.stage}" for attempt in answered[unsteady is SideName.NEW]
            )
            counts = f" ({failures})" if failures.enough else ""
            why = Why(unsteady, Problem.UNSTEADY, ", then ".join(ends) + counts)
            noisy = noise(answered[0]) | noise(answered[1])
            found = tuple(
                each for each in differences(answered[0][-1], answered[1][-1], volatile) if each.path not in noisy
            )
            return Comparison(question, Verdict.UNSTABLE, tuple(old), tuple(new), found, why)
        case Settled.SAME:
            return _alike(question, old, new, volatile)
    worse = outcome is Settled.REGRESSED
    usual = usual_end((*answered[0], *answered[1]))
    shown_old, shown_new = (
        next(attempt for attempt in reversed(side) if failed(question, attempt, usual) is fails)
        for side, fails in zip(answered, (not worse, worse), strict=True)
    )
    rates = (f"{failures.old} of {failures.old_attempts}", f"{failures.new} of {failures.new_attempts}")
    found = (*differences(shown_old, shown_new, volatile), Difference("failures", "changed", *rates))
    verdict_ = Verdict.REGRESSED if worse else Verdict.GAINED
    return Comparison(question, verdict_, _with_last(old, shown_old), _with_last(new, shown_new), found)


def _alike(
    question: Question, old: Sequence[Observation], new: Sequence[Observation], volatile: Sequence[str]
) -> Comparison:
    """Both sides waver alike: compared by how they usually end."""
    steady = [
        [attempt for attempt in side if (attempt.outcome, attempt.stage) == (usual.outcome, usual.stage)]
        for side in (old, new)
        for usual in (usual_end([attempt for attempt in side if attempt.outcome is not None]),)
    ]
    alike = judge(question, steady[0], steady[1], volatile)
    return replace(alike, old=_with_last(old, steady[0][-1]), new=_with_last(new, steady[1][-1]))


def _with_last(attempts: Sequence[Observation], last: Observation) -> tuple[Observation, ...]:
    index = max(number for number, attempt in enumerate(attempts) if attempt is last)
    return (*attempts[:index], *attempts[index + 1 :], last)


def _slower(old: Sequence[Observation], new: Sequence[Observation]) -> Difference | None:
    """Delivery that takes many times as long, in every attempt: worth telling, and never a failure by itself."""
    before, after = max(attempt.seconds for attempt in old), min(attempt.seconds for attempt in new)
    if after < SLOWDOWN_FACTOR * before or after - before < MIN_SLOWDOWN_SECONDS:
        return None
    return Difference("seconds", "changed", round(before, 1), round(after, 1))


def needs_confirmation(comparison: Comparison) -> bool:
    """Whether both sides have to be asked again before this may be reported."""
    if comparison.verdict is Verdict.BROKEN:
        return bool(comparison.differences)
    return comparison.verdict not in QUIET


def severity(comparison: Comparison) -> Severity:
    """How much a finding hurts: as the behaviour says where it is lost, less where it merely looks different.

    The severity of a behaviour with a wanted outcome is that of losing the outcome: losing a fact of it is minor.
    """
    match comparison.verdict:
        case Verdict.REGRESSED if comparison.question.wanted is not None and _both_met(comparison):
            return max(comparison.question.severity, Severity.MINOR, key=SEVERITIES.index)
        case Verdict.REGRESSED | Verdict.INCONCLUSIVE | Verdict.UNSTABLE:
            return comparison.question.severity
        case Verdict.CHANGED if any(
            difference.path in {"outcome", "stage", "reply.code"} for difference in comparison.differences
        ):
            return Severity.MINOR
        case _:
            return Severity.INFO


def breaks(comparison: Comparison) -> str:
    """Who loses what, where something broke or may have, or is stricter; empty where nothing is lost."""
    match comparison.verdict:
        case Verdict.REGRESSED if comparison.question.wanted is not None and _both_met(comparison):
            return ""
        case Verdict.GAINED if comparison.question.wanted in PROTECTIONS:
            return "It was let through before and is refused now: clients that did this are hit."
        case Verdict.CHANGED | Verdict.GAINED:
            return ""
        case _:
            return comparison.question.breaks


def affected(comparison: Comparison) -> str:
    """Whom a difference concerns that broke nothing: changed facts, or a protection that is stricter than before."""
    match comparison.verdict:
        case Verdict.CHANGED if comparison.question.wanted is None:
            return comparison.question.affected
        case Verdict.GAINED if comparison.question.wanted in PROTECTIONS:
            return comparison.question.affected
        case _:
            return ""


def _both_met(comparison: Comparison) -> bool:
    """Whether both sides ended as wanted: then only facts are lost."""
    ends = [attempts[-1].outcome if attempts else None for attempts in (comparison.old, comparison.new)]
    return all(outcome is not None and met(comparison.question.wanted, outcome) for outcome in ends)


def lost_facts(question: Question, found: Iterable[Difference]) -> tuple[Difference, ...]:
    """The differences that go against the direction in which a fact serves people."""
    return tuple(
        difference
        for difference in found
        if any(
            _is_loss(difference, direction)
            for path, direction in question.directions.items()
            if matches(path, difference.path) or matches(path, difference.path.partition("[")[0])
        )
    )


def _is_loss(difference: Difference, direction: Direction) -> bool:
    match direction:
        case Direction.KEPT:
            return difference.kind == "removed"
        case Direction.TRUE:
            return difference.old is True and difference.new is not True
        case Direction.MORE:
            return difference.kind == "removed" or _less(difference.new, difference.old)
        case Direction.FEWER:
            return difference.kind == "added" or _less(difference.old, difference.new)
        case Direction.FIXED:
            return difference.kind != "added"
        case Direction.SERVED:
            return difference.old in SERVED and difference.new not in SERVED


def _less(one: Any, other: Any) -> bool:
    """Whether a number is less than another; servers write some of them as text (`SIZE 50000000`)."""
    numbers = [int(value) if isinstance(value, str) and value.isdecimal() else value for value in (one, other)]
    return all(isinstance(number, int | float) for number in numbers) and numbers[0] < numbers[1]


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
    that are down, or a recording of nothing, are alike in everything.
    """
    if not comparisons:
        return ("Nothing was compared.",)
    found = []
    for release, sides in ((old, [each.old for each in comparisons]), (new, [each.new for each in comparisons])):
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
    findings: Iterable[Finding], fail_on: FailOn = FailOn.MAJOR, *, gaps: Sequence[str] = (), complete: bool = True
) -> Decision:
    """The one answer of a run.

    NO-GO wins over CANNOT TELL. With `gaps` (see there), or where the run ended early (not `complete`), it is never GO.
    """
    stopping = [finding for finding in findings if stops(finding, fail_on)]
    open_ = [finding for finding in stopping if finding.waiver is None]
    if any(finding.verdict not in UNCERTAIN for finding in open_):
        return Decision.NO_GO
    if open_ or gaps or not complete:
        return Decision.CANNOT_TELL
    return Decision.GO_WITH_WAIVERS if stopping else Decision.GO
