"""The results of a run: comparisons with their findings, and the report and the recordings made from them."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TypeAlias

from pytest_mailu.behaviours import Matrix
from pytest_mailu.core import serialization as jsonio
from pytest_mailu.core.in_place import InPlace
from pytest_mailu.core.model import (
    Advice,
    Cause,
    CauseKind,
    Comparison,
    Finding,
    LeftOut,
    Observation,
    Recording,
    Report,
    RunInfo,
    SideInfo,
    Verdict,
    Waiver,
)
from pytest_mailu.core.plan import Plan
from pytest_mailu.core.setups import DEFAULT
from pytest_mailu.core.version import __version__
from pytest_mailu.deployment.note import Note
from pytest_mailu.judging.advice import Advisor
from pytest_mailu.judging.decision import decide, gaps, mostly_absent
from pytest_mailu.judging.findings import finding, ordered
from pytest_mailu.judging.reproduce import reproduce
from pytest_mailu.judging.waivers import Waivers

Known: TypeAlias = Collection[str] | None
"""The ids of the matrix that a side was recorded with; None stands for the matrix of this run."""


@dataclass(frozen=True, slots=True)
class Result:
    """One comparison, and its finding where there is one."""

    comparison: Comparison
    finding: Finding | None


class Results:
    """All results of one run; `elsewhere` are ids of other set-ups, which waivers may name as well.

    Raises UsageError for a broken waivers file.
    """

    def __init__(
        self,
        plan: Plan,
        matrix: Matrix,
        releases: tuple[str, str],
        notes: Mapping[str, Note] | None = None,
        elsewhere: Collection[str] = (),
    ) -> None:
        self._plan = plan
        self._releases = releases
        self._results: dict[str, Result] = {}
        self._notes = notes or {}
        self._ids = [behaviour.id for behaviour in matrix]
        self._waivers = Waivers.load(plan.waivers, sorted({*self._ids, *elsewhere})) if plan.waivers else Waivers()
        self._advisor = Advisor.load()
        self._today = datetime.datetime.now(datetime.UTC).date()

    def judged(self, comparison: Comparison) -> Result:
        """The comparison with its finding; nothing is kept."""

        def advise(comparison: Comparison) -> tuple[Advice, ...]:
            note = self._notes.get(comparison.question.id)
            return note.advice if note else self._advisor.advise(comparison, *self._releases)

        def explain(comparison: Comparison) -> Cause | None:
            note = self._notes.get(comparison.question.id)
            if note is not None:
                return Cause(CauseKind.KNOWN, advice=note.slug, words=note.root)
            return self._advisor.explain(comparison, *self._releases)

        def waive(finding: Finding) -> Waiver | None:
            return self._waivers.match(finding, *self._releases, self._today)

        return Result(comparison, finding(comparison, advise, waive, reproduce, explain))

    def add(self, result: Result) -> None:
        """Keep a result; a later one of the same behaviour replaces it."""
        self._results[result.comparison.question.id] = result

    def add_evidence(self, comparisons: Iterable[Comparison]) -> None:
        """Replace comparisons by the same ones with log lines. Log lines change no verdict, so findings stay."""
        for comparison in comparisons:
            found = self._results[comparison.question.id].finding
            if found is not None:
                old, new = _last(comparison.old), _last(comparison.new)
                self.add(Result(comparison, replace(found, old=old, new=new)))

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """All comparisons so far, in the order in which they were added."""
        return tuple(result.comparison for result in self._results.values())

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings so far, in the order of the report."""
        return ordered([result.finding for result in self._results.values() if result.finding is not None])

    @property
    def with_findings(self) -> tuple[Comparison, ...]:
        """The comparisons that have a finding."""
        return tuple(result.comparison for result in self._results.values() if result.finding is not None)

    @property
    def observed(self) -> bool:
        """Whether anything was observed, on either side."""
        return any(
            attempt.outcome is not None
            for comparison in self.comparisons
            for attempt in (*comparison.old, *comparison.new)
        )

    def report(
        self,
        old: SideInfo,
        new: SideInfo,
        *,
        selected: Collection[str] | None = None,
        left: Mapping[LeftOut, Collection[str]] | None = None,
        setup: str = DEFAULT.name,
        rehearsal: InPlace | None = None,
        notes: Sequence[str] = (),
        seconds: float = 0.0,
        run: RunInfo | None = None,
        complete: bool = True,
        caveats: Sequence[str] = (),
    ) -> Report:
        """The report over all results.

        `selected` are the ids that were to be compared; by default those that have a result. `left` has those that were
        left out, by reason; what `setup` cannot answer is in no matrix of the run, and the rest of it was deselected.
        Where the run is not `complete` (it ended early), the decision is not GO.
        """
        left = left or {}
        found = self.findings
        missing = gaps(self.comparisons, old.release, new.release)
        counted = Counter(comparison.verdict for comparison in self.comparisons)
        elsewhere = sum(len(left.get(reason, ())) for reason in (LeftOut.SETUP, LeftOut.SERVICE))
        return Report(
            schema=jsonio.SCHEMA,
            decision=decide(found, self.comparisons, self._plan.fail_on, complete=complete),
            old=old,
            new=new,
            counts={str(verdict): counted[verdict] for verdict in Verdict},
            findings=found,
            notes=(
                *mostly_absent(self.comparisons),
                *notes,
                *self._waivers.notes(found, list(self._results), self._today, *self._releases),
            ),
            seconds=round(seconds, 1),
            fail_on=self._plan.fail_on,
            selected=len(self._results if selected is None else selected),
            matrix=len(self._to_compare) + elsewhere,
            left_out=self._left_out(self._results if selected is None else selected, left),
            gaps=missing,
            caveats=tuple(caveats),
            run=run or RunInfo(plugin=__version__),
            in_place=rehearsal,
            setup=setup,
        )

    @property
    def _to_compare(self) -> Collection[str]:
        """The ids of the matrix; a check of the files is about nothing else, and leaves nothing of the rest out."""
        return self._notes if self._plan.check_only else self._ids

    def _left_out(
        self, selected: Collection[str], left: Mapping[LeftOut, Collection[str]]
    ) -> dict[LeftOut, tuple[str, ...]]:
        known = {*selected, *chain.from_iterable(left.values())}
        reasons = {
            LeftOut.DESELECTED: [id_ for id_ in self._to_compare if id_ not in known],
            **{reason: [id_ for id_ in ids if id_ not in selected] for reason, ids in left.items()},
            LeftOut.NOT_REACHED: [id_ for id_ in selected if id_ not in self._results],
        }
        return {reason: tuple(ids) for reason, ids in reasons.items() if ids}

    def recordings(
        self, old: SideInfo, new: SideInfo, behaviours: tuple[Known, Known] = (None, None)
    ) -> tuple[Recording, Recording]:
        """All attempts of each side, to be compared again later, with the same side or with others.

        `behaviours` are the ids that each side was recorded with; None stands for the whole matrix.
        """

        def recording(side: SideInfo, known: Known, attempts: dict[str, tuple[Observation, ...]]) -> Recording:
            ids = tuple(sorted(set(self._ids) - self._notes.keys() if known is None else known))
            # What files mean is read from them again; a recording holds what servers did.
            observations = {id_: made for id_, made in attempts.items() if made and id_ not in self._notes}
            return Recording(jsonio.SCHEMA, __version__, side, ids, observations)

        return (
            recording(old, behaviours[0], {each.question.id: each.old for each in self.comparisons}),
            recording(new, behaviours[1], {each.question.id: each.new for each in self.comparisons}),
        )


def _last(attempts: Sequence[Observation]) -> Observation | None:
    return attempts[-1] if attempts else None
