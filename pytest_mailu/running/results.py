"""Keeps the comparisons of a run and turns them into findings, a decision, a report and recordings."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Sequence

from pytest_mailu import __version__
from pytest_mailu.behaviours import Matrix
from pytest_mailu.core import serialization as jsonio
from pytest_mailu.core.model import (
    Advice,
    Cause,
    Comparison,
    Decision,
    Finding,
    Observation,
    Recording,
    Report,
    SideInfo,
    Verdict,
    Waiver,
)
from pytest_mailu.core.plan import Plan
from pytest_mailu.judging.advice import Advisor
from pytest_mailu.judging.findings import findings
from pytest_mailu.judging.judge import QUIET, decide
from pytest_mailu.judging.reproduce import reproduce
from pytest_mailu.judging.waivers import Waivers


class Book:
    """Everything a plan and a matrix need to make sense of comparisons. Raises UsageError for a broken waivers file."""

    def __init__(self, plan: Plan, matrix: Matrix) -> None:
        self._plan = plan
        self._comparisons: dict[str, Comparison] = {}
        self._waivers = (
            Waivers.load(plan.waivers, [behaviour.id for behaviour in matrix]) if plan.waivers else Waivers()
        )
        self._advisor = Advisor.load()
        self._today = datetime.datetime.now(datetime.UTC).date()

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """Everything entered so far, in the order of entry."""
        return tuple(self._comparisons.values())

    @property
    def observed(self) -> bool:
        """Whether anything was seen at all, on either side."""
        return any(
            attempt.outcome is not None
            for comparison in self._comparisons.values()
            for attempt in (*comparison.old, *comparison.new)
        )

    @property
    def loud(self) -> tuple[Comparison, ...]:
        """Those that are findings."""
        return tuple(comparison for comparison in self.comparisons if comparison.verdict not in QUIET)

    def enter(self, comparison: Comparison) -> None:
        """Keep a comparison; a later one of the same behaviour takes its place."""
        self._comparisons[comparison.question.id] = comparison

    def finding(self, comparison: Comparison, old: SideInfo, new: SideInfo) -> Finding | None:
        """The finding of one comparison, or None where it is none."""
        return next(iter(self._findings([comparison], old, new)), None)

    def _findings(self, comparisons: Sequence[Comparison], old: SideInfo, new: SideInfo) -> tuple[Finding, ...]:
        def advise(comparison: Comparison) -> tuple[Advice, ...]:
            return self._advisor.advise(comparison, old.release, new.release)

        def explain(comparison: Comparison) -> Cause | None:
            return self._advisor.explain(comparison, old.release, new.release)

        def waive(finding: Finding) -> Waiver | None:
            return self._waivers.match(finding, old.release, new.release, self._today)

        return findings(comparisons, advise, waive, reproduce, explain)

    def report(
        self, old: SideInfo, new: SideInfo, *, notes: Sequence[str] = (), seconds: float = 0.0, whole: bool = True
    ) -> Report:
        """The report over all that was entered; one that is not `whole` (the run ended early) tells nothing good."""
        told = self._findings(self.comparisons, old, new)
        decision = decide(len(self._comparisons), told, self._plan.fail_on)
        if not whole and decision is not Decision.NO_GO:
            decision = Decision.CANNOT_TELL
        counted = Counter(comparison.verdict for comparison in self.comparisons)
        asked = [comparison.question.id for comparison in self.comparisons]
        return Report(
            schema=jsonio.SCHEMA,
            decision=decision,
            old=old,
            new=new,
            counts={str(verdict): counted[verdict] for verdict in Verdict},
            findings=told,
            notes=(*notes, *self._waivers.notes(told, asked, self._today, old.release, new.release)),
            seconds=round(seconds, 1),
            fail_on=self._plan.fail_on,
        )

    def recordings(self, old: SideInfo, new: SideInfo) -> tuple[Recording, Recording]:
        """What each side did, to be compared again later or with others."""

        def recording(side: SideInfo, attempts: dict[str, tuple[Observation, ...]]) -> Recording:
            return Recording(jsonio.SCHEMA, __version__, side, {id_: made for id_, made in attempts.items() if made})

        return (
            recording(old, {comparison.question.id: comparison.old for comparison in self.comparisons}),
            recording(new, {comparison.question.id: comparison.new for comparison in self.comparisons}),
        )
