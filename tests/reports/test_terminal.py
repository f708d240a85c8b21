from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_mailu.core.model import Comparison, Decision, FailOn, Finding, Problem, Report, SideName, Verdict, Why
from pytest_mailu.judging.judge import gaps
from pytest_mailu.reports import terminal, textwidth
from pytest_mailu.reports.terminal import Line


def plain_text(lines: list[Line]) -> str:
    return "\n".join("".join(span.text for span in line) for line in lines)


def folded(lines: list[Line]) -> str:
    """The text without the line breaks that the width asks for."""
    return " ".join(plain_text(lines).split())


@pytest.mark.parametrize("width", [40, 50, 71, 72, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal(report: Report, width: int) -> None:
    for line in terminal.lines(report, width, "somewhere/with/a/long/name/of/a/folder/in/which/reports/are"):
        assert textwidth.columns("".join(span.text for span in line)) <= width


def test_no_line_is_wider_than_the_terminal_whatever_a_server_says(hostile: Report) -> None:
    finding = replace(hostile.findings[0], title="郵便" * 60, breaks="x" * 300)
    for line in terminal.lines(replace(hostile, findings=(finding, *hostile.findings)), 80):
        assert textwidth.columns("".join(span.text for span in line)) <= 80


def test_nothing_a_server_says_moves_the_cursor_or_turns_the_text(most_hostile: Report) -> None:
    for line in terminal.lines(most_hostile, 80):
        assert all(span.text.isprintable() for span in line)


def test_the_decision_comes_first_and_stands_without_colour(report: Report) -> None:
    first, second, *_ = terminal.lines(report)
    assert plain_text([first]).startswith("NO-GO")
    assert "2.0.43 → 2024.06.24" in plain_text([first])
    assert "9 behaviours work on 2.0.43 and fail on 2024.06.24" in plain_text([second])


@pytest.mark.parametrize("decision", list(Decision))
def test_every_decision_has_words(report: Report, decision: Decision) -> None:
    told = folded(terminal.lines(replace(report, decision=decision, findings=()), 120))
    assert told.startswith(str(decision).replace("-", " ").upper().replace("NO GO", "NO-GO"))


def test_styles_are_words_that_pytest_knows(report: Report) -> None:
    from _pytest._io import TerminalWriter

    known = set(TerminalWriter._esctable)
    assert {word for line in terminal.lines(report) for span in line for word in span.style} <= known


def test_one_cause_is_told_once_with_what_to_do(report: Report) -> None:
    told = folded(terminal.lines(report))
    assert told.count("Ports 110, 143 and 587 are closed on the new side") == 1
    assert told.count("do Set PORTS=25,80,110,143,443,465,587,993,995,4190 in mailu.env") == 1
    assert "see https://mailu.io/2024.06/configuration.html" in told


def test_worst_causes_come_first(report: Report) -> None:
    told = folded(terminal.lines(report))
    places = [told.index(words) for words in ("are closed", "No steady answer", "Could not be asked", "Also different")]
    assert places == sorted(places)


def test_each_behaviour_that_stops_shows_who_is_hit_both_sides_and_how_to_ask_again(report: Report) -> None:
    text = plain_text(terminal.lines(report, 80))
    told = " ".join(text.split())
    assert "mailu::submission/587-starttls/external" in text.split()
    assert "Mail programs set to port 587 (STARTTLS) cannot write to anybody outside." in told
    assert "2.0.43: delivered │ 2024.06.24: port closed" in told.replace("  ", " ")
    assert "250 2.0.0 Ok: queued as" in told
    assert "try swaks --server mail.example.org" in told


def test_old_and_new_stand_below_each_other_where_there_is_no_room(report: Report) -> None:
    text = plain_text(terminal.lines(report, 60))
    assert "│" not in text
    assert text.index("2.0.43: delivered") < text.index("2024.06.24: port closed", text.index("2.0.43: delivered"))


def test_everybody_who_is_hit_is_named_before_the_others_are_counted(report: Report) -> None:
    told = folded(terminal.lines(report))
    for port in (110, 143, 587):
        assert f"Mail programs set to port {port} cannot log in." in told


def test_many_alike_collapse(report: Report) -> None:
    lost = next(finding for finding in report.findings if finding.verdict is Verdict.REGRESSED)
    many = tuple(replace(lost, behaviour=f"access/143-starttls/user{number}") for number in range(200))
    lines = terminal.lines(replace(report, findings=many), 80, "out")
    assert len(lines) < 40
    assert "… and 191 more, see report.html" in folded(lines)


def test_many_causes_collapse(report: Report) -> None:
    lost = next(finding for finding in report.findings if finding.verdict is Verdict.REGRESSED)
    many = tuple(replace(lost, root=f"cause {number}", behaviour=f"web/{number}") for number in range(100))
    assert len(terminal.lines(replace(report, findings=many), 80, "out")) < 200


def test_what_is_the_same_is_only_counted(report: Report) -> None:
    told = folded(terminal.lines(report))
    assert "1 same · 1 absent" in told
    assert "inbound/25-plain/mailbox" not in told


def test_what_is_waived_is_named_with_its_reason_and_stops_nobody(report: Report) -> None:
    told = folded(terminal.lines(report, 120))
    assert "mailu::inbound/25-plain/alias regressed: sales@ moves away in May, Ada, until 2027-01-31" in told
    assert "10 regressed (1 waived)" in told


def test_what_stops_nobody_takes_one_line(report: Report) -> None:
    text = plain_text(terminal.lines(report, 120))
    (line,) = [line for line in text.split("\n") if "surface/465-tls/greeting" in line]
    assert line.lstrip().startswith("CHANGED")


def test_changes_are_told_in_full_where_they_are_what_stops(report: Report) -> None:
    changed = tuple(finding for finding in report.findings if finding.verdict is Verdict.CHANGED)
    told = folded(terminal.lines(replace(report, findings=changed, fail_on=FailOn.CHANGED)))
    assert "3 behaviours differ on 2024.06.24." in told
    assert "ehlo: −" in told.replace("+", "−")
    assert "Also different" not in told


def test_notes_are_told(report: Report) -> None:
    assert "note: the waiver in line 3 has expired" in folded(terminal.lines(report))


def test_a_run_that_asked_nothing_says_so(report: Report) -> None:
    empty = replace(
        report, decision=Decision.CANNOT_TELL, findings=(), counts={}, notes=(), seconds=0.0, gaps=gaps((), "a", "b")
    )
    told = folded(terminal.lines(empty))
    assert "Nothing was compared." in told
    assert "0 behaviours compared" in told


def test_a_run_that_ended_early_does_not_claim_that_nothing_was_observed(report: Report) -> None:
    cut = replace(report, decision=Decision.CANNOT_TELL, findings=(), counts={"same": 3})
    assert "ended before everything was compared" in folded(terminal.lines(cut))


def test_a_finding_without_observations_is_told(report: Report, comparisons: list[Comparison]) -> None:
    bare: Finding = replace(report.findings[0], old=None, new=None, differences=(), verdict=Verdict.INCONCLUSIVE)
    why = Why(SideName.OLD, Problem.NOT_RECORDED, "not recorded")
    told = folded(terminal.lines(replace(report, findings=(replace(bare, why=why),))))
    assert "Could not be asked on the old side: not recorded" in told
