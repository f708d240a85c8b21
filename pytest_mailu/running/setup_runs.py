"""One run for each set-up of a plan, one after the other: the stacks of one are gone before those of the next start."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from pytest_mailu.behaviours import Behaviour, Matrix
from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.model import Report, RunInfo
from pytest_mailu.core.plan import Plan
from pytest_mailu.running.progress import Tell
from pytest_mailu.running.reported_run import Phase, ReportedRun
from pytest_mailu.running.results import Result
from pytest_mailu.running.settings_check import SettingsCheck
from pytest_mailu.sides.factory import Notify

IN = "@"
"""Between a behaviour's id and the set-up, where a run has several: `submission/587-plain/external@notls`."""


class SetUpRuns:
    """The runs of a plan by the name of their set-up. With one of them, ids are the behaviours' own.

    Raises UsageError where a side cannot be read.
    """

    def __init__(
        self,
        plan: Plan,
        notify: Notify = lambda _: None,
        info: RunInfo | None = None,
        *,
        tell: Tell = lambda _: None,
    ) -> None:
        self._several = len(plan.setups) > 1
        self.runs: dict[str, ReportedRun] = {}
        for each in plan.one_by_one:
            # What the files mean is told once.
            checked = SettingsCheck() if self.runs else None
            run = ReportedRun(each, notify, info, checked, tell=tell)
            self.runs[run.run.setup.name] = run
        self._chosen: dict[str, list[str]] = {name: [] for name in self.runs}

    @property
    def several(self) -> bool:
        """Whether there is more than one set-up."""
        return self._several

    @property
    def first(self) -> ReportedRun:
        """The run that begins."""
        return next(iter(self.runs.values()))

    @property
    def current(self) -> ReportedRun:
        """The run that has begun last; the first before any has."""
        return ([run for run in self.runs.values() if run.phase is not Phase.IDLE] or [self.first])[-1]

    @property
    def begun(self) -> tuple[ReportedRun, ...]:
        """The runs of which there is, or will be, a report."""
        return tuple(run for run in self.runs.values() if run.phase is not Phase.IDLE)

    @property
    def reports(self) -> tuple[Report, ...]:
        """The reports so far."""
        return tuple(run.report for run in self.begun if run.report is not None)

    def take_matrix(self, matrix: Matrix, names: Sequence[str] | None = None) -> tuple[Behaviour, ...]:
        """The behaviours to ask, those of each set-up together; see `ReportedRun.take_matrix`.

        A name without a set-up means all set-ups that can answer it. Raises UsageError for a name that means nothing.
        """
        if not self._several:
            return self.first.take_matrix(matrix, names)
        wanted = None if names is None else self._by_setup(names)
        chosen, refusals = list[Behaviour](), list[UsageError]()
        for name, run in self.runs.items():
            answered = None if wanted is None else list[str]()
            for asked in () if wanted is None else wanted[name]:
                try:
                    run.take_matrix(matrix, (asked,))
                except UsageError as error:
                    refusals.append(error)
                else:
                    answered = [*(answered or ()), asked]
            found = run.take_matrix(matrix, answered)
            chosen += [_named(behaviour, f"{behaviour.id}{IN}{name}") for behaviour in found]
        if wanted is not None and refusals and not chosen:
            raise refusals[0]
        return tuple(chosen)

    def _by_setup(self, names: Sequence[str]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {name: [] for name in self.runs}
        for name in names:
            id_, _, setup = name.partition(IN)
            if setup and setup not in found:
                raise UsageError(f"{name}: this run has no set-up {setup}", f"Add --mailu-setup {setup}.")
            for each in [setup] if setup else found:
                found[each].append(id_)
        return found

    @property
    def unanswered(self) -> tuple[str, ...]:
        """The behaviours that no set-up of the plan can answer."""
        missing = [{behaviour.id for behaviour in run.default.unanswered} for run in self.runs.values()]
        return tuple(sorted(set.intersection(*missing)))

    def begin(self, selected: Sequence[str] | None = None) -> bool:
        """Open the first set-up that is asked anything; False where that failed. Raises UsageError."""
        self._choose(selected)
        run = next((run for name, run in self.runs.items() if self._chosen[name]), self.first)
        return run.begin(None if selected is None else self._chosen[run.run.setup.name])

    def ask(self, selected: Sequence[str]) -> None:
        """Start asking: of the first set-up now, of each other one when its first result is waited for."""
        self._choose(selected)
        self.current.ask(self._chosen[self.current.run.setup.name])

    def _choose(self, selected: Sequence[str] | None) -> None:
        for name in self._chosen:
            self._chosen[name] = [id_ for key in selected or () for of, id_ in (self._split(key),) if of == name]

    def result(self, key: str) -> Result:
        """Wait for a result. The first one of a set-up ends the set-up before it. Raises MailuError."""
        name, id_ = self._split(key)
        run = self.runs[name]
        if run.phase is Phase.IDLE and id_ not in run.settings.notes:
            self._finish(self.current)
            if run.begin(self._chosen[name]):
                run.ask(self._chosen[name])
        if run.failure is not None and run.phase < Phase.ASKING:
            raise run.failure
        return run.result(id_)

    @staticmethod
    def _finish(run: ReportedRun) -> None:
        if run.phase in (Phase.BEGUN, Phase.ASKING):
            run.conclude()
        run.close()

    def add(self, key: str) -> None:
        """Take the result of a behaviour into the report of its set-up."""
        name, id_ = self._split(key)
        self.runs[name].add(id_)

    def conclude(self, *, interrupted: bool = False) -> Iterator[ReportedRun]:
        """End all runs that have begun; each with its report (see `ReportedRun.conclude`)."""
        for run in self.begun:
            if run.phase is not Phase.REPORTED:
                run.conclude(interrupted=interrupted)
            yield run

    def close(self) -> None:
        """Stop asking and remove the stacks. Calling it again does nothing."""
        for run in self.runs.values():
            run.close()

    def _split(self, key: str) -> tuple[str, str]:
        if not self._several:
            return self.first.run.setup.name, key
        id_, _, name = key.rpartition(IN)
        return name, id_


def _named(behaviour: Behaviour, id: str) -> Behaviour:
    return replace(behaviour, question=replace(behaviour.question, id=id))
