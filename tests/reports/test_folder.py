"""The folder of reports: what holds for every format, and what a new one needs."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.model import Decision, Recording, Report, SideInfo
from pytest_mailu.core.serialization import SCHEMA
from pytest_mailu.reports import markdown, terminal
from pytest_mailu.reports.folder import FORMATS, MARK, write
from pytest_mailu.reports.view import Render, ReportView

EMPTY = Recording(SCHEMA, "0", SideInfo("2.0.43"), (), {})


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("decision", [Decision.NO_GO, Decision.CANNOT_TELL])
def test_every_format_says_the_decision_and_whose_it_is(report: Report, name: str, decision: Decision) -> None:
    view = ReportView(replace(report, decision=decision))
    text = FORMATS[name](view)
    assert view.decision in text
    assert MARK in text, "a later run would not overwrite it"


def test_a_report_that_is_cut_off_is_still_one_of_ours(report: Report) -> None:
    """What stands in the last line of the whole report was the only mark: the next run took it for somebody else's."""
    text = markdown.render(ReportView(report), 400)
    assert len(text) <= 400
    assert MARK in text


@pytest.fixture
def extended(monkeypatch: pytest.MonkeyPatch) -> MutableMapping[str, Render]:
    """The formats, to which a test may add."""
    formats = cast(MutableMapping[str, Render], FORMATS)
    monkeypatch.setitem(formats, "report.txt", lambda view: f"{MARK}: {view.title}")
    return formats


def test_a_new_format_is_a_line_in_the_table(
    report: Report, extended: MutableMapping[str, Render], tmp_path: Path
) -> None:
    for _ in range(2):
        write(tmp_path, report, [], (EMPTY, EMPTY))
    assert (tmp_path / "report.txt").read_text("utf-8") == f"pytest-mailu: {ReportView(report).title}"
    *_, last = terminal.lines(report, directory="out")
    assert "".join(span.text for span in last).endswith(", report.txt, report.json")


def test_a_file_without_the_mark_is_somebody_elses(
    report: Report, extended: MutableMapping[str, Render], tmp_path: Path
) -> None:
    (tmp_path / "report.txt").write_text("notes of my own", "utf-8")
    with pytest.raises(UsageError, match=r"report\.txt is no report of pytest-mailu"):
        write(tmp_path, report, [], (EMPTY, EMPTY))
    assert (tmp_path / "report.txt").read_text("utf-8") == "notes of my own"
