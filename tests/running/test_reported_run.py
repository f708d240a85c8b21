"""A run from nothing to its report: what was selected, what was left out and why, whichever way it ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_mailu.behaviours import Matrix
from pytest_mailu.behaviours.declaration import Behaviour
from pytest_mailu.core.errors import StackError, UsageError
from pytest_mailu.core.model import (
    Decision,
    LeftOut,
    Observation,
    Outcome,
    Question,
    Recording,
    Severity,
    SideInfo,
    Stage,
)
from pytest_mailu.core.plan import Plan, RecordedSpec
from pytest_mailu.core.serialization import SCHEMA, dumps
from pytest_mailu.reports.view import ReportView
from pytest_mailu.running.reported_run import Phase, ReportedRun
from tests.waiting import eventually

GOOD = Observation(Outcome.DELIVERED, Stage.DELIVERY)


def a_behaviour(id_: str, *, deep: bool = False) -> Behaviour:
    async def ask(probe: Any) -> Observation:
        raise AssertionError("recordings answer by themselves")

    return Behaviour(Question(id_, "Title", "Breaks.", "Source", Outcome.DELIVERED, Severity.MAJOR), ask, deep=deep)


A, B, SLOW, NEWER = a_behaviour("a/1/x"), a_behaviour("a/1/y"), a_behaviour("s/1/x", deep=True), a_behaviour("n/1/x")
MATRIX = Matrix([A, B, SLOW, NEWER])


@pytest.fixture
def run(tmp_path: Path) -> ReportedRun:
    """Over a recording of `a/1/x` and `a/1/y`, made with a matrix that had the slow one too."""
    file = tmp_path / "some.json"
    held = {"a/1/x": (GOOD,), "a/1/y": (GOOD,)}
    file.write_text(dumps(Recording(SCHEMA, "0", SideInfo("2.0.43"), (*held, "s/1/x"), held)))
    return ReportedRun(Plan(RecordedSpec(str(file)), RecordedSpec(str(file))))


def test_a_whole_run_says_what_it_left_out_and_why(run: ReportedRun) -> None:
    chosen = [behaviour.id for behaviour in run.take_matrix(MATRIX)]
    assert chosen == ["a/1/x", "a/1/y"]
    assert run.begin()
    run.ask(chosen)
    for id_ in chosen:
        run.add(id_)
    report = run.conclude()
    run.close()
    assert (report.decision, report.selected, report.matrix) == (Decision.GO, 2, 4)
    assert report.left_out == {LeftOut.SLOW: ("s/1/x",), LeftOut.NEWER: ("n/1/x",)}
    assert run.phase is Phase.REPORTED


def test_what_only_a_recording_knows_is_said(tmp_path: Path) -> None:
    """A newer version may have recorded on new what this one cannot judge: a GO would keep quiet about it."""
    files = []
    for name, more in (("old", ()), ("new", ("z/1/later",))):
        held = {"a/1/x": (GOOD,)}
        files.append(tmp_path / f"{name}.json")
        files[-1].write_text(dumps(Recording(SCHEMA, "9", SideInfo("2.0.43"), (*held, *more), held)))
    run = ReportedRun(Plan(*(RecordedSpec(str(file)) for file in files)))
    chosen = [behaviour.id for behaviour in run.take_matrix(Matrix([A]))]
    run.begin()
    run.ask(chosen)
    for id_ in chosen:
        run.add(id_)
    report = run.conclude()
    run.close()
    assert report.left_out == {LeftOut.UNKNOWN: ("z/1/later",)}
    assert "1 recorded behaviour that this version does not know" in ReportView(report).not_compared_in_short


def test_what_was_not_selected_is_deselected(run: ReportedRun) -> None:
    run.take_matrix(MATRIX)
    run.begin(["a/1/y"])
    run.ask(["a/1/y"])
    run.add("a/1/y")
    report = run.conclude()
    run.close()
    assert (report.selected, report.left_out[LeftOut.DESELECTED]) == (1, ("a/1/x",))


def test_behaviours_that_are_named_are_the_selection_and_the_rest_is_deselected(run: ReportedRun) -> None:
    chosen = run.take_matrix(MATRIX, ["n/1/x"])
    run.begin()
    run.ask([behaviour.id for behaviour in chosen])
    run.add("n/1/x")
    report = run.conclude()
    run.close()
    assert (report.decision, report.selected) == (Decision.CANNOT_TELL, 1)
    assert report.left_out == {LeftOut.DESELECTED: ("a/1/x", "a/1/y", "s/1/x")}
    (found,) = report.findings
    assert found.why is not None
    assert found.why.detail == "the behaviour is newer than this recording"


def test_what_the_run_did_not_reach_is_named_and_the_run_is_no_go_at_all(run: ReportedRun) -> None:
    run.take_matrix(MATRIX)
    run.begin()
    run.ask(["a/1/x", "a/1/y"])
    run.add("a/1/x")
    report = run.conclude()
    run.close()
    assert report.decision is Decision.CANNOT_TELL
    assert report.left_out[LeftOut.NOT_REACHED] == ("a/1/y",)
    assert report.notes[0] == "The run ended early: 1 of 2 behaviours were compared."


def test_an_interrupted_run_reports_what_nobody_had_waited_for_yet(run: ReportedRun) -> None:
    """After 26 minutes, 824 of 1,163 compared, it said "Nothing was compared", since the first item still waited."""
    run.take_matrix(MATRIX)
    run.begin()
    run.ask(["a/1/x", "a/1/y", "n/1/x"])
    eventually(lambda: len(run.run.settled) == 3)
    run.add("a/1/y")
    report = run.conclude(interrupted=True)
    run.close()
    assert (report.counts["same"], report.counts["inconclusive"]) == (2, 1)
    assert LeftOut.NOT_REACHED not in report.left_out
    assert {comparison.question.id for comparison in run.results.comparisons} == {"a/1/x", "a/1/y", "n/1/x"}


def test_a_side_that_cannot_be_opened_is_the_reason_in_the_report(run: ReportedRun) -> None:
    def fails() -> None:
        raise StackError("no engine", "Start Docker.")

    run.run.open = fails  # type: ignore[method-assign]
    run.take_matrix(MATRIX)
    assert not run.begin()
    report = run.conclude()
    run.close()
    assert report.decision is Decision.CANNOT_TELL
    assert report.notes[:2] == ("no engine", "→ Start Docker.")
    assert report.left_out[LeftOut.NOT_REACHED] == ("a/1/x", "a/1/y")


def test_a_usage_error_of_a_side_leaves_nothing_to_report(run: ReportedRun) -> None:
    def fails() -> None:
        raise UsageError("mailu.env is broken", "Mend it.")

    run.run.open = fails  # type: ignore[method-assign]
    run.take_matrix(MATRIX)
    with pytest.raises(UsageError):
        run.begin()
    run.close()
    assert (run.phase, run.report) == (Phase.IDLE, None)


def test_sides_are_opened_once(run: ReportedRun) -> None:
    opened: list[str] = []
    run.run.open = lambda: opened.append("open")  # type: ignore[method-assign]
    run.take_matrix(MATRIX)
    assert run.open()
    assert run.begin()
    run.close()
    assert opened == ["open"]


def test_each_finding_is_made_once(run: ReportedRun) -> None:
    run.take_matrix(MATRIX)
    run.begin()
    run.ask(["a/1/x"])
    assert run.result("a/1/x") is run.result("a/1/x")
    run.close()
