"""A whole run at once, for scripts: what the pytest face does, without pytest."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pytest_mailu.behaviours import Behaviour, Matrix
from pytest_mailu.core.model import Comparison, Recording, Report
from pytest_mailu.core.plan import Plan
from pytest_mailu.running.results import Book
from pytest_mailu.running.run import Run


def compare(
    plan: Plan,
    matrix: Matrix,
    behaviours: Iterable[Behaviour],
    entered: Callable[[Comparison], None] = lambda _: None,
) -> tuple[Report, tuple[Recording, Recording]]:
    """The report of a run, and the recordings of both sides.

    `behaviours` are members of `matrix`; `entered` is called with each comparison in their order, while the others are
    still being asked. Raises what `Run.open` raises.
    """
    run, book = Run(plan), Book(plan, matrix)
    chosen = list(behaviours)
    try:
        run.open()
        run.ask(chosen)
        for behaviour in chosen:
            comparison = run.result(behaviour.id)
            book.enter(comparison)
            entered(comparison)
    finally:
        run.close()
    old, new = run.old.info, run.new.info
    return book.report(old, new, seconds=run.seconds), book.recordings(old, new)
