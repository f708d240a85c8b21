"""From what two sides did to what it means: one total function over both outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pytest_mailu.core.globs import any_of
from pytest_mailu.core.model import (
    PROTECTIONS,
    Comparison,
    Difference,
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
from pytest_mailu.judging.losses import losing, lost_facts
from pytest_mailu.judging.wavering import AGREEING, Settled, count, failing, settled, usual_end, wavers

ABSENT = frozenset({Outcome.NOT_OFFERED, Outcome.UNREACHABLE})
"""There is nothing there to ask."""
SILENT = ABSENT | {Outcome.UNANSWERED}
"""Whoever asked has nothing, and was not even refused."""

FAILURES = "failures"
"""The path of the difference in how often a side that wavers fails."""
SECONDS = "seconds"
"""The path of a difference in how long a delivery takes."""
SLOWDOWN_FACTOR = 5.0
"""How many times as long a delivery has to take to be told of."""
MIN_SLOWDOWN_SECONDS = 3.0
"""And how many seconds longer: below that a busy machine makes the difference."""
ONE_RUN_SECONDS = 2400.0
"""How far apart attempts of one run lie at most. Beyond that they are of another machine, or of another load."""

SETTINGS = "settings"
"""The family of what files mean (`pytest_mailu.deployment.note`): it is there without any server."""
UNCERTAIN = frozenset({Verdict.INCONCLUSIVE, Verdict.UNSTABLE})
SEVERITIES = tuple(Severity)
"""Worst first."""
QUIET = frozenset({Verdict.SAME, Verdict.ABSENT})
"""Verdicts that are no finding."""


def verdict(wanted: Outcome | None, old: Outcome, new: Outcome, *, differ: bool) -> Verdict:
    """The verdict over two settled outcomes; `differ` tells whether anything else about them differs."""
    if old in ABSENT and new in ABSENT and wanted not in (Outcome.NOT_OFFERED, Outcome.UNREACHABLE):
        return Verdict.ABSENT
    if wanted is None and (old in SILENT) is not (new in SILENT):
        return Verdict.GAINED if old in SILENT else Verdict.REGRESSED
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
    Where a side ends differently from itself, or new lacks now and then what old always shows, the failures of both are
    counted (see `wavering`): with enough attempts that decides; otherwise the comparison is unstable.
    """

    def result(verdict: Verdict, found: tuple[Difference, ...] = (), why: Why | None = None) -> Comparison:
        return Comparison(question, verdict, tuple(old), tuple(new), found, why)

    for side, attempts in ((SideName.OLD, old), (SideName.NEW, new)):
        if not attempts:
            return result(Verdict.INCONCLUSIVE, why=Why(side, Problem.NOT_RECORDED, "not recorded"))
        if attempts[-1].outcome is None:
            detail = attempts[-1].trouble or "could not be asked"
            return result(Verdict.INCONCLUSIVE, why=Why(side, Problem.NOT_ASKED, detail))
    answered_old, answered_new = _answered(old), _answered(new)
    if wavers(answered_old) or wavers(answered_new) or _loses_at_times(question, answered_old, answered_new, volatile):
        return _by_failures(question, old, new, volatile)
    found = _steady_differences(answered_old, answered_new, volatile)
    before, after = answered_old[-1].outcome, answered_new[-1].outcome
    assert before is not None  # noqa: S101 - only answered attempts got here
    assert after is not None  # noqa: S101
    settled_verdict = verdict(question.wanted, before, after, differ=bool(found))
    if question.wanted is None and _says_nothing(answered_old[-1]) and _says_nothing(answered_new[-1]):
        settled_verdict = Verdict.BROKEN
    if settled_verdict is Verdict.CHANGED and lost_facts(question, found):
        return result(Verdict.REGRESSED, found)
    timed = settled_verdict is Verdict.SAME and after is Outcome.DELIVERED and not any_of(volatile, SECONDS)
    if timed and (late := _slower(answered_old, answered_new)):
        return result(Verdict.CHANGED, (late,))
    return result(settled_verdict, found)


def _loses_at_times(
    question: Question, old: Sequence[Observation], new: Sequence[Observation], volatile: Sequence[str]
) -> bool:
    """Whether sides that end steadily, both as wanted, differ in that new at times lacks what old always shows."""
    ends = [side[-1].outcome for side in (old, new)]
    if len(new) == 1 or not question.directions or not all(end and met(question.wanted, end) for end in ends):
        return False
    if not any(map(losing(question, old, volatile), new)):
        return False
    return not lost_facts(question, _steady_differences(old, new, volatile))


def _says_nothing(attempt: Observation) -> bool:
    """Whether a server hung up or kept silent: there is neither a reply nor a fact to be compared."""
    code = attempt.reply.code if attempt.reply is not None else ""
    return attempt.outcome is Outcome.UNANSWERED and not code and not attempt.facts


def _answered(attempts: Sequence[Observation]) -> list[Observation]:
    return [attempt for attempt in attempts if attempt.outcome is not None]


def _steady_differences(
    old: Sequence[Observation], new: Sequence[Observation], volatile: Sequence[str]
) -> tuple[Difference, ...]:
    """What differs between the last attempts, without what a side does differently from itself."""
    unsteady = noise(old) | noise(new)
    return tuple(each for each in differences(old[-1], new[-1], volatile) if each.path not in unsteady)


def _by_failures(
    question: Question, old: Sequence[Observation], new: Sequence[Observation], volatile: Sequence[str]
) -> Comparison:
    """The comparison of sides that waver. The attempt that shows the result is put last: it represents its side."""
    answered = (_answered(old), _answered(new))
    fails = failing(question, *answered, volatile)
    failures = count(fails, *answered)
    outcome = settled(failures)
    match outcome:
        case Settled.OPEN:
            unsteady = SideName.OLD if wavers(answered[0]) else SideName.NEW
            by_ends = any(map(wavers, answered))
            ends = dict.fromkeys(
                f"{attempt.outcome} at {attempt.stage}" + " with less than on old" * (not by_ends and fails(attempt))
                for attempt in answered[unsteady is SideName.NEW]
            )
            counts = f" ({failures})" if failures.enough else ""
            why = Why(unsteady, Problem.UNSTEADY, ", then ".join(ends) + counts)
            found = _steady_differences(*answered, volatile)
            return Comparison(question, Verdict.UNSTABLE, tuple(old), tuple(new), found, why)
        case Settled.SAME:
            return _alike(question, old, new, volatile)
    worse = outcome is Settled.REGRESSED
    shown_old, shown_new = (
        next(attempt for attempt in reversed(side) if fails(attempt) is bad)
        for side, bad in zip(answered, (not worse, worse), strict=True)
    )
    rates = (f"{failures.old} of {failures.old_attempts}", f"{failures.new} of {failures.new_attempts}")
    found = (*differences(shown_old, shown_new, volatile), Difference(FAILURES, "changed", *rates))
    verdict_ = Verdict.REGRESSED if worse else Verdict.GAINED
    return Comparison(question, verdict_, _with_last(old, shown_old), _with_last(new, shown_new), found)


def _alike(
    question: Question, old: Sequence[Observation], new: Sequence[Observation], volatile: Sequence[str]
) -> Comparison:
    """Both sides waver alike: compared by how they usually end."""
    usual_old, usual_new = _usual(old), _usual(new)
    loses = losing(question, _answered(usual_old), volatile)
    usual_new = [attempt for attempt in usual_new if not loses(attempt)] or usual_new
    alike = judge(question, usual_old, usual_new, volatile)
    return replace(alike, old=_with_last(old, usual_old[-1]), new=_with_last(new, usual_new[-1]))


def _usual(attempts: Sequence[Observation]) -> list[Observation]:
    """The attempts that end as most of them do."""
    usual = usual_end(_answered(attempts))
    return [attempt for attempt in attempts if (attempt.outcome, attempt.stage) == (usual.outcome, usual.stage)]


def _with_last(attempts: Sequence[Observation], last: Observation) -> tuple[Observation, ...]:
    index = max(number for number, attempt in enumerate(attempts) if attempt is last)
    return (*attempts[:index], *attempts[index + 1 :], last)


def _slower(old: Sequence[Observation], new: Sequence[Observation]) -> Difference | None:
    """Delivery that takes many times as long, in every attempt: worth telling, and never a failure by itself."""
    if abs(old[-1].started - new[-1].started) > ONE_RUN_SECONDS:
        return None
    before, after = max(attempt.seconds for attempt in old), min(attempt.seconds for attempt in new)
    if after < SLOWDOWN_FACTOR * before or after - before < MIN_SLOWDOWN_SECONDS:
        return None
    return Difference(SECONDS, "changed", round(before, 1), round(after, 1))


def needs_confirmation(comparison: Comparison) -> bool:
    """Whether both sides have to be asked again before this may be reported."""
    if comparison.verdict is Verdict.BROKEN:
        return bool(comparison.differences)
    return comparison.verdict not in QUIET


def looks_needed(comparison: Comparison, *, shared: bool) -> int:
    """How many answers of each side that agree are enough for a verdict.

    Where looks are `shared`, other behaviours fail with this one: what looks like a regression of all of them needs as
    much evidence as an answer that wavers.
    """
    if not needs_confirmation(comparison):
        return 1
    return AGREEING if shared and comparison.verdict is Verdict.REGRESSED else 2


def severity(comparison: Comparison) -> Severity:
    """How much a finding hurts: as the behaviour says where it is lost, less where it merely looks different.

    The severity of a behaviour with a wanted outcome is that of losing the outcome: losing a fact of it is minor.
    What the files of a deployment get wrong on both sides can be put right there, so it hurts as much as it says.
    """
    match comparison.verdict:
        case Verdict.REGRESSED if comparison.question.wanted is not None and _both_met(comparison):
            return max(comparison.question.severity, Severity.MINOR, key=SEVERITIES.index)
        case Verdict.REGRESSED | Verdict.INCONCLUSIVE | Verdict.UNSTABLE:
            return comparison.question.severity
        case Verdict.BROKEN if comparison.question.family == SETTINGS:
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
