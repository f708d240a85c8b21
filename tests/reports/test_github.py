from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

from pytest_mailu.core.model import Decision, Report, Verdict
from pytest_mailu.reports import github


def test_the_decision_is_the_first_annotation(report: Report) -> None:
    first, *_ = github.commands(report)
    assert first == ("::error title=NO-GO%3A Mailu 2.0.43 → 2024.06.24::9 regressions stop the upgrade (1 cause).")


def test_each_cause_is_one_annotation_with_what_to_do(report: Report) -> None:
    _, closed, unstable, inconclusive = github.commands(report)
    assert closed.startswith("::error title=Ports 110%2C 143 and 587 are closed on the new side::")
    assert "%0ASet PORTS=25,80,110" in closed
    assert "mailu::submission/587-plain/login and 9 more" in closed
    assert unstable.startswith("::warning title=No steady answer")
    assert inconclusive.startswith("::warning title=Could not be asked")


def test_what_stops_nobody_is_no_error(report: Report) -> None:
    for decision in (Decision.GO, Decision.GO_WITH_WAIVERS):
        (only,) = github.commands(replace(report, decision=decision, findings=()))
        assert only.startswith("::notice ")


def test_no_more_annotations_than_github_shows(report: Report) -> None:
    lost = next(finding for finding in report.findings if finding.verdict is Verdict.REGRESSED)
    many = tuple(replace(lost, root=f"cause {number}") for number in range(50))
    assert len(github.commands(replace(report, findings=many))) == 10


def test_no_text_ends_a_command_or_starts_another(hostile: Report) -> None:
    for line in github.commands(hostile):
        kind, title, _ = line.removeprefix("::").partition("::")[0].partition(" title=")
        assert kind in ("error", "warning", "notice")
        assert title == " title="
        assert line.isprintable()


def test_percent_signs_are_taken_literally() -> None:
    assert github.command("error", "50%0A", "100%0A") == "::error title=50%250A::100%250A"


def test_nothing_is_written_outside_of_github(report: Report, tmp_path: Path) -> None:
    out = io.StringIO()
    github.write(report, {"GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}, out)
    assert out.getvalue() == ""
    assert not (tmp_path / "summary.md").exists()


def test_annotations_and_summary_are_written_on_github(report: Report, tmp_path: Path) -> None:
    file, out = tmp_path / "summary.md", io.StringIO()
    file.write_text("before\n")
    github.write(report, {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(file)}, out)
    assert out.getvalue().split("\n")[:-1] == list(github.commands(report))
    assert file.read_text("utf-8") == "before\n" + github.summary(report)


def test_a_summary_that_cannot_be_written_is_told_and_harms_nothing(report: Report, tmp_path: Path) -> None:
    out = io.StringIO()
    github.write(report, {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(tmp_path)}, out)
    assert "::warning title=no step summary::" in out.getvalue()
