"""From comparisons to findings: the root they share, what is advised, the fingerprint, who waived them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

from pytest_mailu.core.model import Advice, Comparison, Finding, Observation, Outcome, Severity, Stage, Verdict, Waiver
from pytest_mailu.judging.judge import QUIET, UNCERTAIN, severity

Advise: TypeAlias = Callable[[Comparison], tuple[Advice, ...]]
Cause: TypeAlias = Callable[[Comparison], str]
"""The words for the known cause of a comparison, or empty."""
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
    comparisons: Sequence[Comparison],
    advise: Advise = lambda _: (),
    waive: Waive = lambda _: None,
    reproduce: Reproduce = lambda _: "",
    cause: Cause = lambda _: "",
) -> tuple[Finding, ...]:
    """The comparisons that are worth telling, worst first, those of one root together.

    A known `cause` takes the place of the root that the observations alone suggest.
    """
    told = [
        _finding(comparison, advise, waive, reproduce, cause)
        for comparison in comparisons
        if comparison.verdict not in QUIET
    ]
    severities = list(Severity)
    worst: dict[str, tuple[int, int]] = {}
    for finding in told:
        rank = (ORDER[finding.verdict], severities.index(finding.severity))
        worst[finding.root] = min(rank, worst.get(finding.root, rank))
    told.sort(
        key=lambda finding: (
            worst[finding.root],
            finding.root,
            ORDER[finding.verdict],
            severities.index(finding.severity),
            finding.behaviour,
        )
    )
    return tuple(told)


def root(comparison: Comparison) -> str:
    """The cause a finding shares with others, in words: what the side that is worse off ended with, not on which port.

    Where nothing but details differ, the differences themselves are the cause.
    """
    old, new = _last(comparison.old), _last(comparison.new)
    match comparison.verdict:
        case Verdict.INCONCLUSIVE | Verdict.UNSTABLE:
            return f"{comparison.verdict}: {comparison.why}"
        case Verdict.REGRESSED | Verdict.BROKEN if new is not None:
            return _end(new)
        case Verdict.GAINED if old is not None:
            return f"no longer: {_end(old)}"
        case _:
            if new is not None and new.outcome in (Outcome.UNREACHABLE, Outcome.NOT_OFFERED):
                return _end(new)
            first = sorted({_cause(difference.path) for difference in comparison.differences})
            return f"{comparison.question.family}: {', '.join(first)}"


def _cause(path: str) -> str:
    return path.partition("[")[0]


def _end(observation: Observation) -> str:
    if observation.stage is Stage.CONNECT and observation.outcome is Outcome.UNREACHABLE:
        return "port closed"
    reply = observation.reply
    words = f" {reply.code} {reply.enhanced}".rstrip() if reply is not None else ""
    return f"{observation.outcome} at {observation.stage}{words}"


def fingerprint(comparison: Comparison) -> str:
    """Twelve hex digits over behaviour, verdict, outcomes, stages and difference paths; texts do not count."""
    parts = [comparison.question.id, str(comparison.verdict)]
    for attempts in (comparison.old, comparison.new):
        last = _last(attempts)
        parts.append("-" if last is None else f"{last.outcome} {last.stage}")
    parts.extend(difference.path for difference in comparison.differences)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def _last(attempts: Sequence[Observation]) -> Observation | None:
    return attempts[-1] if attempts else None


def _finding(comparison: Comparison, advise: Advise, waive: Waive, reproduce: Reproduce, cause: Cause) -> Finding:
    question = comparison.question
    uncertain = comparison.verdict in UNCERTAIN
    advice = () if uncertain else advise(comparison)
    bare = Finding(
        behaviour=question.id,
        family=question.family,
        title=question.title,
        breaks=question.breaks,
        source=question.source,
        verdict=comparison.verdict,
        severity=severity(comparison),
        root=("" if uncertain else cause(comparison)) or root(comparison),
        old=_last(comparison.old),
        new=_last(comparison.new),
        differences=comparison.differences,
        fingerprint=fingerprint(comparison),
        why=comparison.why,
        advice=advice,
        reproduce=reproduce(comparison),
    )
    return replace(bare, waiver=waive(bare))
