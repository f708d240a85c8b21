"""A whole run in one call, for scripts and benchmarks that need no pytest."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pytest_mailu.behaviours import Behaviour, Matrix
from pytest_mailu.core.model import Comparison, Recording, Report
from pytest_mailu.core.plan import Plan
from pytest_mailu.running.reported_run import ReportedRun
from pytest_mailu.sides.factory import Notify


def compare_sides(
    plan: Plan,
    matrix: Matrix,
    behaviours: Iterable[Behaviour] | None = None,
    added: Callable[[Comparison], None] = lambda _: None,
    notify: Notify = lambda _: None,
) -> tuple[Report, tuple[Recording, Recording]]:
    """The report of a run, and the recordings of both sides.

    `behaviours` are members of `matrix`, or None for the default of the plan. `added` is called with each comparison in
    their order, while later ones are still being asked, `notify` with lines of progress. Raises MailuError where a side
    cannot be opened.
    """
    run = ReportedRun(plan, notify)
    named = None if behaviours is None else [behaviour.id for behaviour in behaviours]
    try:
        ids = [behaviour.id for behaviour in run.take_matrix(matrix, named)]
        if not run.begin() and run.failure is not None:
            raise run.failure
        run.ask(ids)
        for id_ in ids:
            run.add(id_)
            added(run.result(id_).comparison)
        report = run.conclude()
    finally:
        run.close()
    return report, run.recordings()
