"""The results of a run: decision, counts, notes and recordings from the comparisons that were entered."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_mailu.behaviours import Matrix
from pytest_mailu.behaviours.declaration import Behaviour
from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.model import (
    Comparison,
    Decision,
    FailOn,
    Observation,
    Outcome,
    Question,
    Reply,
    Report,
    Severity,
    SideInfo,
    Stage,
    Verdict,
)
from pytest_mailu.core.plan import Plan, RecordedSpec
from pytest_mailu.core.serialization import read_recording, structured
from pytest_mailu.judging.judge import judge
from pytest_mailu.reports.folder import write
from pytest_mailu.running.results import Results

OLD, NEW = SideInfo("2.0.43"), SideInfo("2024.06.24")
GOOD = Observation(Outcome.DELIVERED, Stage.DELIVERY, Reply("250", "2.0.0", "Ok"))
CLOSED = Observation(Outcome.UNREACHABLE, Stage.CONNECT)
OTHER = Observation(Outcome.DELIVERED, Stage.DELIVERY, Reply("250", "2.0.0", "Fine"))


async def ask(probe: Any) -> Observation:
    raise AssertionError("nobody is asked here")


def asked(id_: str) -> Question:
    return Question(id_, "Title", "Breaks.", "Source", Outcome.DELIVERED, Severity.CRITICAL)


def compare(id_: str, old: Observation | None, new: Observation | None) -> Comparison:
    return judge(asked(id_), [old] if old else [], [new] if new else [])


MATRIX = Matrix(Behaviour(asked(id_), ask) for id_ in ("a/587/x", "a/465/x", "b/25/x"))


def results(
    *entries: Comparison,
    waivers: Path | None = None,
    fail_on: FailOn = FailOn.REGRESSED,
    releases: tuple[str, str] = ("2.0.43", "2024.06.24"),
) -> Results:
    plan = Plan(RecordedSpec("a.json"), RecordedSpec("b.json"), waivers=waivers, fail_on=fail_on)
    made = Results(plan, MATRIX, releases)
    for entry in entries:
        made.add(made.judged(entry))
    return made


def test_a_report_counts_every_verdict_over_all_that_was_asked() -> None:
    report = results(
        compare("a/587/x", GOOD, CLOSED), compare("a/465/x", GOOD, GOOD), compare("b/25/x", GOOD, OTHER)
    ).report(OLD, NEW, seconds=1.26)
    assert report.decision is Decision.NO_GO
    assert {verdict: count for verdict, count in report.counts.items() if count} == {
        "regressed": 1,
        "same": 1,
        "changed": 1,
    }
    assert set(report.counts) == set(Verdict)
    assert [found.behaviour for found in report.findings] == ["a/587/x", "b/25/x"]
    assert (report.old, report.new, report.seconds, report.notes) == (OLD, NEW, 1.3, ())


def test_the_package_s_own_advice_is_given_where_it_fits() -> None:
    (found,) = results(compare("a/587/x", GOOD, CLOSED)).report(OLD, NEW).findings
    assert [advice.id for advice in found.advice] == ["ports-default"]
    (found,) = results(compare("a/587/x", GOOD, CLOSED), releases=("2024.06.24",) * 2).report(NEW, NEW).findings
    assert not found.advice


def test_a_run_that_ended_early_tells_nothing_good() -> None:
    assert results(compare("a/465/x", GOOD, GOOD)).report(OLD, NEW, complete=False).decision is Decision.CANNOT_TELL
    assert results().report(OLD, NEW).decision is Decision.CANNOT_TELL


def test_a_run_that_ended_early_may_have_seen_enough_to_say_no() -> None:
    assert results(compare("a/587/x", GOOD, CLOSED)).report(OLD, NEW, complete=False).decision is Decision.NO_GO


def test_a_waived_loss_of_a_run_that_ended_early_is_no_go_with_waivers(tmp_path: Path) -> None:
    file = tmp_path / "waivers.toml"
    file.write_text('[[waiver]]\nbehaviour = "a/587/x"\nreason = "we know"\n')
    made = results(compare("a/587/x", GOOD, CLOSED), compare("a/465/x", GOOD, GOOD), waivers=file)
    assert made.report(OLD, NEW, complete=True).decision is Decision.GO_WITH_WAIVERS
    assert made.report(OLD, NEW, complete=False).decision is Decision.CANNOT_TELL


def test_the_finding_of_one_comparison_is_the_one_of_the_report(tmp_path: Path) -> None:
    file = tmp_path / "waivers.toml"
    file.write_text('[[waiver]]\nbehaviour = "a/*"\nreason = "we know"\n')
    comparison = compare("a/587/x", GOOD, CLOSED)
    made = results(comparison, waivers=file)
    (found,) = made.report(OLD, NEW).findings
    assert made.judged(comparison).finding == found
    assert found.waiver is not None
    assert made.judged(compare("a/465/x", GOOD, GOOD)).finding is None


def test_a_waiver_of_no_use_is_noted_and_one_for_what_was_not_asked_is_not(tmp_path: Path) -> None:
    file = tmp_path / "waivers.toml"
    file.write_text('[[waiver]]\nbehaviour = "a/465/x"\nreason = "r"\n[[waiver]]\nbehaviour = "b/25/x"\nreason = "r"\n')
    report = results(compare("a/465/x", GOOD, GOOD), waivers=file).report(OLD, NEW, notes=["first"])
    assert report.notes == ("first", "waivers.toml:1: the waiver for a/465/x is unused: nothing it names was found")


def test_a_waiver_for_a_behaviour_that_does_not_exist_is_a_usage_error(tmp_path: Path) -> None:
    file = tmp_path / "waivers.toml"
    file.write_text('[[waiver]]\nbehaviour = "a/588/x"\nreason = "r"\n')
    with pytest.raises(UsageError, match="did you mean 'a/587/x'"):
        results(waivers=file)


def test_fail_on_changed_makes_a_change_stop() -> None:
    change = compare("b/25/x", GOOD, OTHER)
    assert results(change).report(OLD, NEW).decision is Decision.GO
    assert results(change, fail_on=FailOn.CHANGED).report(OLD, NEW).decision is Decision.NO_GO


def test_a_behaviour_that_is_entered_again_counts_once() -> None:
    made = results(compare("a/587/x", GOOD, CLOSED), compare("a/587/x", GOOD, GOOD))
    assert made.report(OLD, NEW).counts["same"] == 1
    assert len(made.comparisons) == 1


def test_log_lines_are_added_to_a_finding_and_change_nothing_else() -> None:
    comparison = compare("a/587/x", GOOD, CLOSED)
    made = results(comparison, compare("a/465/x", GOOD, GOOD))
    (before,) = made.findings
    told = replace(CLOSED, logs=("a line",))
    made.add_evidence([replace(comparison, new=(told,))])
    (after,) = made.findings
    assert after == replace(before, new=told)
    assert made.comparisons[0].new == (told,)


def test_what_has_a_finding() -> None:
    made = results(compare("a/587/x", GOOD, CLOSED), compare("a/465/x", GOOD, GOOD), compare("b/25/x", CLOSED, CLOSED))
    assert [comparison.question.id for comparison in made.with_findings] == ["a/587/x"]


def test_recordings_hold_every_attempt_and_only_what_was_recorded() -> None:
    old, new = results(
        judge(asked("a/587/x"), [GOOD, GOOD], [CLOSED, CLOSED]), compare("a/465/x", GOOD, None)
    ).recordings(OLD, NEW)
    assert (old.side, old.observations) == (OLD, {"a/587/x": (GOOD, GOOD), "a/465/x": (GOOD,)})
    assert (new.side, new.observations) == (NEW, {"a/587/x": (CLOSED, CLOSED)})


def test_a_recording_names_every_behaviour_of_the_matrix_it_was_made_with() -> None:
    made = results(compare("a/465/x", GOOD, GOOD))
    asked_anything, recorded = made.recordings(OLD, NEW, (None, {"a/587/x", "a/465/x"}))
    assert asked_anything.behaviours == ("a/465/x", "a/587/x", "b/25/x")
    assert recorded.behaviours == ("a/465/x", "a/587/x")


@pytest.mark.parametrize(
    ("comparison", "observed"),
    [
        (compare("a/587/x", GOOD, None), True),
        (compare("a/587/x", None, None), False),
        (compare("a/587/x", Observation(None, Stage.CONNECT), Observation(None, Stage.CONNECT)), False),
    ],
)
def test_whether_anything_was_observed(comparison: Comparison, observed: bool) -> None:
    assert results(comparison).observed is observed
    assert not results().observed


def test_what_is_written_can_be_read_whatever_a_server_said(tmp_path: Path) -> None:
    odd = Observation(Outcome.REFUSED, Stage.RCPT, Reply("554", "", "half a pair \ud800, a NUL \x00, \u202e"))
    made = results(compare("a/587/x", GOOD, odd))
    report, recordings = made.report(OLD, NEW), made.recordings(OLD, NEW)
    folder = tmp_path / "deep" / "down"
    write(folder, report, made.comparisons, recordings)
    again = structured(json.loads((folder / "report.json").read_text("utf-8")), Report)
    assert again.decision is report.decision
    assert read_recording(folder / "old.json") == recordings[0]
    (attempt,) = read_recording(folder / "new.json").observations["a/587/x"]
    assert attempt == replace(odd, reply=Reply("554", "", "half a pair \\ud800, a NUL \x00, \u202e"))
