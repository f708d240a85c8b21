"""A run that ends in a report, whatever happens in between; its phase is explicit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import IntEnum

from pytest_mailu.behaviours import Behaviour, Matrix
from pytest_mailu.behaviours.in_setup import in_setup
from pytest_mailu.core.errors import MailuError, UsageError
from pytest_mailu.core.model import LeftOut, Recording, Report, RunInfo
from pytest_mailu.core.plan import Plan, caveats
from pytest_mailu.core.setups import DEFAULT, SETUPS, SetUp
from pytest_mailu.deployment.fix import DIFF
from pytest_mailu.judging.judge import QUIET
from pytest_mailu.running.progress import Tell
from pytest_mailu.running.results import Result, Results
from pytest_mailu.running.run import Run
from pytest_mailu.running.scheduler import phases
from pytest_mailu.running.selection import Selection, named, select
from pytest_mailu.running.settings_check import SettingsCheck, settings_check
from pytest_mailu.sides.factory import Notify

NAMED = 12
"""How many behaviours a note names; report.json has all of them."""


class Phase(IntEnum):
    """How far a run has come. From BEGUN on there will be a report."""

    IDLE = 0
    BEGUN = 1
    ASKING = 2
    REPORTED = 3


class ReportedRun:
    """Both sides of a plan, the results, and at the end the report. `settings` are the plan's, where they are known.

    Raises UsageError where a side cannot be read.
    """

    def __init__(
        self,
        plan: Plan,
        notify: Notify = lambda _: None,
        info: RunInfo | None = None,
        settings: SettingsCheck | None = None,
        *,
        tell: Tell = lambda _: None,
    ) -> None:
        self.plan = plan
        self.run = Run(plan, notify, tell)
        self._info = info
        self.settings = settings or settings_check(plan, self.run.old.info.release, self.run.new.info.release)
        self.phase = Phase.IDLE
        self.failure: MailuError | None = None
        """Why the sides could not be opened."""
        self.report: Report | None = None
        self._opened = False
        self._matrix = Matrix()
        self._results: Results | None = None
        self._judged: dict[str, Result] = {}
        self.default = Selection()
        """What is compared by default, and what is left out of it."""
        self._selected: tuple[str, ...] = ()
        self._elsewhere: dict[LeftOut, tuple[str, ...]] = {}

    @property
    def results(self) -> Results:
        """The results so far; there are none before `take_matrix`."""
        assert self._results is not None  # noqa: S101 - a mistake of ours, not of a user
        return self._results

    def take_matrix(self, matrix: Matrix, names: Sequence[str] | None = None) -> tuple[Behaviour, ...]:
        """Use this matrix, and choose the behaviours to ask: those that `names` mean (ids, families), or the default.

        Of the matrix, only what the set-up of the run can answer is there to be chosen. Raises UsageError for a name
        that means none, and for a broken waivers file.
        """
        whole = matrix
        found = in_setup(whole, self.run.setup)
        self._matrix = matrix = Matrix(found.answered)
        notes = self.settings.notes
        checked = tuple(behaviour for behaviour in matrix if behaviour.id in notes)
        default = Selection()
        if not self.plan.check_only:
            asked = [behaviour for behaviour in matrix if behaviour.id not in notes]
            default = select(asked, self.plan, self.run.old, self.run.new)
            default = replace(default, unanswered=found.unanswered, unserved=found.unserved)
            self._elsewhere = {
                LeftOut.SETUP: tuple(one.id for one in found.unanswered if _is_missed(one, self.run.setup)),
                LeftOut.SERVICE: tuple(behaviour.id for behaviour in found.unserved),
                LeftOut.UNKNOWN: self._unknown(whole, matrix),
            }
        if names is not None:
            chosen = named(matrix, names, replace(default, chosen=checked + default.chosen), self.run.setup)
        else:
            self.default = default
            # In the order of asking, so that no item waits longer than it must.
            chosen = checked + tuple(behaviour for phase in phases(default.chosen) for behaviour in phase)
        self._selected = tuple(behaviour.id for behaviour in chosen)
        releases = self.run.old.info.release, self.run.new.info.release
        self._results = Results(self.plan, matrix, releases, notes, self._waivable(whole))
        return chosen

    def _waivable(self, matrix: Matrix) -> frozenset[str]:
        """The ids of every set-up: one waivers file is for all of them."""
        return frozenset() if self.plan.waivers is None else _of_every_setup(matrix)

    def _unknown(self, whole: Matrix, matrix: Matrix) -> tuple[str, ...]:
        """The ids that a side was recorded with, and that are in no set-up of this version."""
        recorded = frozenset[str]().union(*(side.behaviours or () for side in (self.run.old, self.run.new)))
        left = [id_ for id_ in recorded if id_ not in matrix and id_ not in whole]
        known = _of_every_setup(whole) if left else frozenset[str]()
        return tuple(sorted(id_ for id_ in left if id_ not in known))

    def open(self) -> bool:
        """Open both sides, once; False where that failed, and `failure` says why. Raises UsageError."""
        if not self._opened:
            self._opened = True
            try:
                self.run.open()
            except UsageError as error:
                self.failure = error
                raise
            except MailuError as error:
                self.failure = error
        return self.failure is None

    def begin(self, selected: Sequence[str] | None = None) -> bool:
        """Open both sides for the matrix: from here on there will be a report. Raises UsageError.

        `selected` are the ids that are left of the chosen ones, where that is known already.
        """
        self.phase = Phase.BEGUN
        if selected is not None:
            self._selected = tuple(selected)
        try:
            return self.open()
        except UsageError:
            self.phase = Phase.IDLE
            raise

    def ask(self, selected: Sequence[str]) -> None:
        """Start asking these behaviours of the matrix; only the first call counts."""
        if self.phase is Phase.BEGUN:
            self.phase = Phase.ASKING
            self._selected = tuple(selected)
            self.run.ask(self._matrix[id_] for id_ in selected if id_ not in self.settings.notes)

    def result(self, id: str) -> Result:
        """Wait for the result of a behaviour. Each finding is made once."""
        if id not in self._judged:
            known = id in self.settings.notes
            self._judged[id] = self.results.judged(self.settings.comparison(id) if known else self.run.result(id))
        return self._judged[id]

    def add(self, id: str) -> None:
        """Take the result of a behaviour into the report."""
        self.results.add(self.result(id))

    def conclude(self, *, interrupted: bool = False) -> Report:
        """Stop asking, and make the report of what was added to `results`.

        Of a run that was `interrupted`, so is everything that was compared by then: what nobody has waited for yet was
        seen all the same.
        """
        asked = self.phase is Phase.ASKING
        self.phase = Phase.REPORTED
        self.run.stop_asking()
        if interrupted:
            for comparison in self.run.settled:
                self.add(comparison.question.id)
        if self.failure is None:
            live = [each for each in self.results.with_findings if each.question.id not in self.settings.notes]
            self.results.add_evidence(self.run.evidence(live))
        answered = len(self.results.comparisons)
        complete = asked and answered >= len(self._selected)
        self.report = self.results.report(
            self.run.old.info,
            self.run.new.info,
            selected=self._selected,
            left={**self.default.left, **self._elsewhere},
            setup=self.run.setup.name,
            rehearsal=self.run.rehearsed,
            notes=self._notes(answered, complete),
            seconds=self.run.seconds,
            run=self._info,
            complete=complete,
            caveats=caveats(self.plan),
        )
        return self.report

    def _notes(self, answered: int, complete: bool) -> list[str]:
        notes = [self.settings.problem] if self.settings.problem else []
        notes += self.settings.unseen
        notes += self.settings.logs
        if (proposal := self.settings.proposal) is not None:
            lines = "1 line" if proposal.changed == 1 else f"{proposal.changed} lines"
            notes.append(f"{lines} changed, see {self.plan.fix}/{DIFF}. Your own files are as they were.")
        if self.failure is not None:
            notes += [self.failure.cause, f"→ {self.failure.remedy}", *self.failure.details]
        elif not complete:
            notes.append(f"The run ended early: {answered} of {len(self._selected)} behaviours were compared.")
            if (problem := self.run.problem) is not None:
                notes += [problem.cause, f"→ {problem.remedy}"]
        if newer := self.default.newer:
            ids = ", ".join(behaviour.id for behaviour in newer[:NAMED])
            if len(newer) > NAMED:
                ids += f" and {len(newer) - NAMED} more (left_out in report.json)"
            are = "1 behaviour is" if len(newer) == 1 else f"{len(newer)} behaviours are"
            notes.append(f"{are} newer than these recordings, and left out: {ids}.")
        for comparison in self.results.comparisons:
            if comparison.why is not None and comparison.verdict in QUIET:
                notes.append(f"{comparison.question.id} on {comparison.why}; both sides alike.")
        return notes

    def recordings(self) -> tuple[Recording, Recording]:
        """All attempts of each side."""
        old, new = self.run.old, self.run.new
        return self.results.recordings(old.info, new.info, (old.behaviours, new.behaviours))

    def close(self) -> None:
        """Stop asking and remove the stacks. Calling it again does nothing."""
        self.run.close()


def _is_missed(behaviour: Behaviour, setup: SetUp) -> bool:
    """Whether a set-up lacks what the default one has, so that less is compared; what others add is not missed."""
    return not behaviour.of_setup.isdisjoint(DEFAULT.features - setup.features)


def _of_every_setup(matrix: Matrix) -> frozenset[str]:
    return frozenset(one.id for setup in SETUPS for one in (*matrix, *in_setup(matrix, setup).answered))
