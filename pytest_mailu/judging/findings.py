"""From comparisons to findings: root cause, advice, fingerprint, waiver, and their order."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeAlias

from pytest_mailu.core.model import (
    Action,
    Advice,
    Cause,
    CauseKind,
    Comparison,
    Finding,
    Observation,
    Outcome,
    SideName,
    Stage,
    Verdict,
    Waiver,
)
from pytest_mailu.judging.judge import QUIET, SEVERITIES, UNCERTAIN, affected, breaks, severity

Advise: TypeAlias = Callable[[Comparison], tuple[Advice, ...]]
Explain: TypeAlias = Callable[[Comparison], Cause | None]
"""The known cause of a comparison, or None."""
Waive: TypeAlias = Callable[[Finding], Waiver | None]
Reproduce: TypeAlias = Callable[[Comparison], str]

ORDER = {
    Verdict.REGRESSED: 0,
    Verdict.UNSTABLE: 1,
    Verdict.INCONCLUSIVE: 2,
    Verdict.CHANGED: 3,
    Verdict.GAINED: 4,
    Verdict.BROKEN: 5,
}


def findings(
    comparisons: Iterable[Comparison],
    advise: Advise = lambda _: (),
    waive: Waive = lambda _: None,
    reproduce: Reproduce = lambda _: "",
    explain: Explain = lambda _: None,
) -> tuple[Finding, ...]:
    """The findings of some comparisons, in the order of the reports."""
    made = (finding(comparison, advise, waive, reproduce, explain) for comparison in comparisons)
    return ordered(found for found in made if found is not None)


def finding(
    comparison: Comparison,
    advise: Advise = lambda _: (),
    waive: Waive = lambda _: None,
    reproduce: Reproduce = lambda _: "",
    explain: Explain = lambda _: None,
) -> Finding | None:
    """The finding of one comparison, or None where its verdict is no finding.

    It depends on nothing but its arguments, so a run makes each finding once. Where the verdict is uncertain, advice
    and a known cause are not asked for.
    """
    if comparison.verdict in QUIET:
        return None
    question = comparison.question
    uncertain = comparison.verdict in UNCERTAIN
    cause = (None if uncertain else explain(comparison)) or observed_cause(comparison)
    advice = () if uncertain else advise(comparison)
    bare = Finding(
        behaviour=question.id,
        family=question.family,
        title=question.title,
        breaks=breaks(comparison),
        affected=affected(comparison),
        source=question.source,
        verdict=comparison.verdict,
        severity=severity(comparison),
        root=str(cause),
        cause=cause,
        old=_last(comparison.old),
        new=_last(comparison.new),
        differences=comparison.differences,
        fingerprint=fingerprint(comparison),
        why=comparison.why,
        advice=advice,
        reproduce=reproduce(comparison),
        endpoint=question.endpoint,
        operation=question.operation,
        action=_action(comparison.verdict, advice),
        origin=comparison.origin,
        hop=comparison.hop,
    )
    return replace(bare, waiver=waive(bare))


def _action(verdict: Verdict, advice: Sequence[Advice]) -> Action:
    """What a finding asks for: the most urgent of what is advised. Only what is lost has to be fixed before."""
    if verdict is Verdict.REGRESSED:
        return Action.FIX_BEFORE
    usual = Action.NOTHING if verdict is Verdict.BROKEN else Action.LOOK
    most = min((entry.action for entry in advice), key=list(Action).index, default=usual)
    return Action.DO if most is Action.FIX_BEFORE else most


def ordered(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """Worst first; findings of one cause together, where the worst of them stands."""
    members = list(found)
    worst: dict[str, tuple[int, int]] = {}
    for each in members:
        worst[each.root] = min(rank(each), worst.get(each.root, rank(each)))
    return tuple(sorted(members, key=lambda each: (worst[each.root], each.root, rank(each), each.behaviour)))


def rank(found: Finding) -> tuple[int, int]:
    """By verdict, then by severity; the lowest is the worst."""
    return ORDER[found.verdict], SEVERITIES.index(found.severity)


def observed_cause(comparison: Comparison) -> Cause:
    """The cause as the observations show it: how the side that is worse off ended, whatever the port.

    Where only details differ, these are the cause.
    """
    old, new = _last(comparison.old), _last(comparison.new)
    match comparison.verdict:
        case Verdict.INCONCLUSIVE | Verdict.UNSTABLE:
            return Cause(CauseKind.UNCERTAIN, why=comparison.why)
        case Verdict.REGRESSED if _only_facts_lost(old, new):
            pass
        case Verdict.REGRESSED | Verdict.BROKEN if new is not None:
            return _end(SideName.NEW, new)
        case Verdict.GAINED if old is not None:
            return _end(SideName.OLD, old)
        case _ if new is not None and new.outcome in (Outcome.UNREACHABLE, Outcome.NOT_OFFERED):
            return _end(SideName.NEW, new)
    paths = sorted({difference.path.partition("[")[0] for difference in comparison.differences})
    return Cause(CauseKind.DETAILS, family=comparison.question.family, paths=tuple(paths))


def _only_facts_lost(old: Observation | None, new: Observation | None) -> bool:
    """Whether both sides ended alike: how new ended is no cause then."""
    return old is not None and new is not None and (old.outcome, old.stage) == (new.outcome, new.stage)


def _end(side: SideName, observation: Observation) -> Cause:
    if observation.stage is Stage.CONNECT and observation.outcome is Outcome.UNREACHABLE:
        return Cause(CauseKind.PORT_CLOSED, side, observation.outcome, observation.stage)
    reply = observation.reply
    code, enhanced = (reply.code, reply.enhanced) if reply is not None else ("", "")
    return Cause(CauseKind.END, side, observation.outcome, observation.stage, code, enhanced)


def fingerprint(comparison: Comparison) -> str:
    """Twelve hex digits over behaviour, verdict, outcomes, stages and difference paths; texts do not count."""
    parts = [comparison.question.id, str(comparison.verdict)]
    for attempts in (comparison.old, comparison.new):
        last = _last(attempts)
        parts.append("-" if last is None else f"{last.outcome} {last.stage}")
    parts.extend(difference.path for difference in comparison.differences)
    return hashlib.sha256("\n".join(parts).encode(errors="backslashreplace")).hexdigest()[:12]


def _last(attempts: Sequence[Observation]) -> Observation | None:
    return attempts[-1] if attempts else None
