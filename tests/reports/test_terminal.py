from __future__ import annotations

import re
from dataclasses import replace

import pytest

from pytest_mailu.core.model import (
    Action,
    Advice,
    CauseKind,
    Comparison,
    Decision,
    FailOn,
    Finding,
    LeftOut,
    Observation,
    Outcome,
    Problem,
    Report,
    Severity,
    SideName,
    Stage,
    Verdict,
    Why,
)
from pytest_mailu.judging.decision import gaps
from pytest_mailu.reports import terminal, textwidth
from pytest_mailu.reports.folder import FORMATS
from pytest_mailu.reports.terminal import Line
from pytest_mailu.reports.view import ReportView


def plain_text(lines: list[Line]) -> str:
    return "\n".join("".join(span.text for span in line) for line in lines)


def folded(lines: list[Line]) -> str:
    """The text without the line breaks that the width asks for."""
    return " ".join(plain_text(lines).split())


def details(report: Report, width: int = 80, directory: str = "") -> list[Line]:
    """What -v prints."""
    return terminal.lines(report, width, directory, verbosity=1)


@pytest.mark.parametrize("width", [40, 50, 71, 72, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal(report: Report, width: int) -> None:
    for line in details(report, width, "somewhere/with/a/long/name/of/a/folder/in/which/reports/are"):
        assert textwidth.columns("".join(span.text for span in line)) <= width


def test_no_line_is_wider_than_the_terminal_whatever_a_server_says(hostile: Report) -> None:
    finding = replace(hostile.findings[0], title="郵便" * 60, breaks="x" * 300)
    for line in details(replace(hostile, findings=(finding, *hostile.findings)), 80):
        assert textwidth.columns("".join(span.text for span in line)) <= 80


def test_nothing_a_server_says_moves_the_cursor_or_turns_the_text(most_hostile: Report) -> None:
    for line in details(most_hostile, 80):
        assert all(span.text.isprintable() for span in line)


def test_the_decision_comes_first_and_stands_without_colour(report: Report) -> None:
    first, second, *_ = terminal.lines(report)
    assert plain_text([first]).startswith("NO-GO")
    assert "2.0.43 → 2024.06.24" in plain_text([first])
    assert "9 regressions stop the upgrade" in plain_text([second])


@pytest.mark.parametrize("decision", list(Decision))
def test_every_decision_has_words(report: Report, decision: Decision) -> None:
    told = folded(terminal.lines(replace(report, decision=decision, findings=()), 120))
    assert told.startswith(str(decision).replace("-", " ").upper().replace("NO GO", "NO-GO"))


def test_styles_are_words_that_pytest_knows(report: Report) -> None:
    from _pytest._io import TerminalWriter

    known = set(TerminalWriter._esctable)
    assert {word for line in terminal.lines(report) for span in line for word in span.style} <= known


def test_where_a_service_ended_its_last_log_lines_are_shown(report: Report) -> None:
    assert "log  nginx: [emerg] no space left on device" in plain_text(details(report))


def test_one_cause_is_told_once_with_what_to_do(report: Report) -> None:
    told = folded(details(report))
    assert told.count("Ports 110, 143 and 587 are closed on the new side") == 2, "in the details and in the summary"
    assert told.count("do Set PORTS=25,80,110,143,443,465,587,993,995,4190 in mailu.env") == 1
    assert "see https://mailu.io/2024.06/configuration.html" in told


def test_worst_causes_come_first(report: Report) -> None:
    told = folded(details(report))
    places = [told.index(words) for words in ("are closed", "No steady answer", "Could not be asked", "To do")]
    assert places == sorted(places)


def test_each_behaviour_that_stops_shows_who_is_hit_both_sides_and_how_to_ask_again(report: Report) -> None:
    text = plain_text(details(report, 80))
    told = " ".join(text.split())
    assert "mailu::submission/587-starttls/external" in text.split()
    assert "Mail programs set to port 587 (STARTTLS) cannot write to anybody outside." in told
    assert "2.0.43: delivered │ 2024.06.24: port closed" in told.replace("  ", " ")
    assert "250 2.0.0 Ok: queued as" in told
    assert "try swaks --server mail.example.org" in told


def test_old_and_new_stand_below_each_other_where_there_is_no_room(report: Report) -> None:
    text = plain_text(details(report, 60))
    assert "│" not in text
    assert text.index("2.0.43: delivered") < text.index("2024.06.24: port closed", text.index("2.0.43: delivered"))


def test_everybody_who_is_hit_is_named_before_the_others_are_counted(report: Report) -> None:
    told = folded(details(report))
    for port in (110, 143, 587):
        assert f"Mail programs set to port {port} cannot log in." in told


def test_many_alike_collapse(report: Report) -> None:
    lost = next(finding for finding in report.findings if finding.verdict is Verdict.REGRESSED)
    many = tuple(replace(lost, behaviour=f"access/143-starttls/user{number}") for number in range(200))
    lines = details(replace(report, findings=many), 80, "out")
    assert len(lines) < 60
    assert "… and 191 more, see report.html" in folded(lines)


def test_many_causes_collapse(report: Report) -> None:
    lost = next(finding for finding in report.findings if finding.verdict is Verdict.REGRESSED)
    many = tuple(replace(lost, root=f"cause {number}", behaviour=f"web/{number}") for number in range(100))
    assert len(details(replace(report, findings=many), 80, "out")) < 200


def test_what_is_the_same_is_only_counted(report: Report) -> None:
    told = folded(terminal.lines(report))
    assert "2 same" in told
    assert "inbound/25-plain/mailbox" not in told


def test_what_is_waived_is_named_with_its_reason_and_stops_nobody(report: Report) -> None:
    told = folded(details(report, 120))
    assert "mailu::inbound/25-plain/alias regressed: sales@ moves away in May, Ada, until 2027-01-31" in told
    assert "10 regressed (1 waived)" in told


def test_what_needs_nothing_takes_one_line_for_each_cause(report: Report) -> None:
    calm = tuple(replace(finding, action=Action.NOTHING) for finding in report.findings)
    text = plain_text(details(replace(report, findings=calm), 120))
    (line,) = [line for line in text.split("\n") if "surface/465-tls/greeting" in line]
    assert line.lstrip().startswith("CHANGED")


def test_changes_are_told_in_full_where_they_are_what_stops(report: Report) -> None:
    changed = tuple(finding for finding in report.findings if finding.verdict is Verdict.CHANGED)
    told = folded(details(replace(report, findings=changed, fail_on=FailOn.CHANGED)))
    assert "3 behaviours differ on 2024.06.24." in told
    assert "ehlo: −" in told.replace("+", "−")
    assert "To do" not in told


def test_notes_are_told(report: Report) -> None:
    assert "the waiver in line 3 has expired" in folded(terminal.lines(report))


def test_a_run_that_asked_nothing_says_so(report: Report) -> None:
    empty = replace(
        report, decision=Decision.CANNOT_TELL, findings=(), counts={}, notes=(), seconds=0.0, gaps=gaps((), "a", "b")
    )
    told = folded(terminal.lines(empty))
    assert "Nothing was compared." in told
    assert "0 compared" not in told


def test_a_run_that_ended_early_does_not_claim_that_nothing_was_observed(report: Report) -> None:
    cut = replace(report, decision=Decision.CANNOT_TELL, findings=(), counts={"same": 3})
    assert "ended before everything was compared" in folded(terminal.lines(cut))


def test_a_finding_without_observations_is_told(report: Report, comparisons: list[Comparison]) -> None:
    bare: Finding = replace(report.findings[0], old=None, new=None, differences=(), verdict=Verdict.INCONCLUSIVE)
    why = Why(SideName.OLD, Problem.NOT_RECORDED, "not recorded")
    told = folded(terminal.lines(replace(report, findings=(replace(bare, why=why),))))
    assert "Could not be asked on the old side: not recorded" in told


# The summary


def text_of(report: Report, width: int = 80, directory: str = "", verbosity: int = 0) -> str:
    return plain_text(terminal.lines(report, width, directory, verbosity))


def advised(report: Report, number: int) -> Report:
    """The report with so many changes, each with advice of its own."""
    changed = next(finding for finding in report.findings if finding.verdict is Verdict.CHANGED)
    findings = [
        replace(
            changed,
            behaviour=f"web/{index}",
            root=f"cause {index}",
            advice=(
                Advice(f"a-{index}", "Cause.", "Remedy.", "docs", Action.DO, f"Do the thing {index}", f"X={index}"),
            ),
            action=Action.DO,
        )
        for index in range(number)
    ]
    return replace(report, findings=(*report.findings, *findings))


@pytest.mark.parametrize("number", [0, 1, 12, 13, 300])
@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_summary_has_at_most_20_lines_whatever_there_is_to_say(report: Report, number: int, width: int) -> None:
    assert len(terminal.lines(advised(report, number), width, "report")) <= terminal.SUMMARY


def test_many_blockers_still_leave_room_for_the_decision_and_the_reports(report: Report) -> None:
    lost = next(finding for finding in report.findings if finding.verdict is Verdict.REGRESSED)
    many = tuple(replace(lost, root=f"cause {number}", behaviour=f"web/{number}") for number in range(100))
    text = text_of(replace(report, findings=many), directory="out")
    assert len(text.split("\n")) <= terminal.SUMMARY
    assert text.startswith("NO-GO")
    assert "more blockers, see report.html" in text
    assert text.endswith(f"Reports: out/{', '.join((*FORMATS, 'report.json'))}")


def test_the_summary_has_blockers_then_things_to_do_then_where_the_reports_are(report: Report) -> None:
    text = text_of(advised(report, 2), directory="out")
    parts = ["NO-GO", "fix  Ports 110, 143", "look No steady", "do   Do the thing 0", "do   Do the thing 1", "Reports:"]
    places = [text.index(part) for part in parts]
    assert places == sorted(places)


def test_the_line_to_paste_stands_below_a_blocker(report: Report) -> None:
    (lead, *_) = report.findings
    advice = replace(lead.advice[0], paste="PORTS=25,587")
    pasted = replace(report, findings=(replace(lead, advice=(advice,)),))
    assert re.search(r"^fix  .*587.*\n     PORTS=25,587$", text_of(pasted), re.MULTILINE)


def test_a_side_that_did_not_start_is_told_whole_with_what_its_service_said_last(report: Report) -> None:
    (lead, *_) = (
        each for each in report.findings if each.old and each.new and None in (each.old.outcome, each.new.outcome)
    )
    why = Why(
        SideName.NEW, Problem.NOT_ASKED, f"the service front of Mailu 2024.06.24 {'took too long, ' * 9}and ended"
    )
    told = replace(report, findings=(replace(lead, why=why, verdict=Verdict.INCONCLUSIVE),))
    text = text_of(told)
    assert "took too long, and ended" in " ".join(text.split())
    assert re.search(r"^     nginx: \[emerg\] no space left on device$", text, re.MULTILINE)


def test_of_many_blockers_the_severity_is_never_cut_off(report: Report) -> None:
    lost = next(finding for finding in report.findings if finding.verdict is Verdict.REGRESSED)
    many = tuple(replace(lost, behaviour=f"web/{n}", root=f"c{n}") for n in range(12))
    text = text_of(replace(report, findings=many), 50)
    assert len(re.findall(r"^fix  Port 587 is.*… \(1 regressed, critical\)$", text, re.MULTILINE)) > 3


def test_quiet_is_the_decision_and_blockers_and_verbose_has_everything(report: Report) -> None:
    full = advised(report, 5)
    quiet, usual, verbose = (text_of(full, verbosity=verbosity) for verbosity in (-1, 0, 1))
    view = ReportView(full)
    assert quiet.startswith(f"{view.decision}  {view.sides}\n")
    for blocker in view.blockers:
        assert blocker.headline[:40] in quiet
    assert "Do the thing" not in quiet
    assert f"{len(view.todos)} things to do" in quiet
    assert "Do the thing" in usual
    assert verbose.endswith(usual), "the summary stands last"
    told = " ".join(verbose.split())
    for finding in full.findings:
        assert finding.behaviour in told, "everything is named"
    for todo in view.todos:
        assert todo.title[:60] in told
    for group in view.blockers:
        assert group.lead.reproduce in told
        for advice in view.advice(group):
            assert " ".join(advice.remedy.split()) in told


def test_a_regression_below_the_gate_is_named_with_the_decision_and_listed_first(report: Report) -> None:
    lost = next(finding for finding in report.findings if finding.verdict is Verdict.REGRESSED)
    minor = tuple(replace(lost, behaviour=f"web/{n}", root=f"c{n}", severity=Severity.MINOR, advice=()) for n in (1, 2))
    good = replace(advised(report, 1), decision=Decision.GO)
    changed = tuple(finding for finding in good.findings if finding.verdict is Verdict.CHANGED)
    text = text_of(replace(good, findings=(*changed, *minor)))
    assert text.startswith("GO, with 2 minor regressions")
    assert text.index("minor regression: ") < text.index("Do the thing")


def test_a_long_decision_is_not_cut_off_but_takes_a_line_of_its_own(report: Report) -> None:
    left_out = {LeftOut.DESELECTED: tuple(f"a/{n}" for n in range(484))}
    lost = next(finding for finding in report.findings if finding.verdict is Verdict.REGRESSED)
    findings = (replace(lost, severity=Severity.MINOR), replace(lost, behaviour="web/1", severity=Severity.INFO))
    part = replace(report, decision=Decision.GO, findings=findings, counts={"same": 85}, left_out=left_out)
    first, second, *_ = text_of(part, 60).splitlines()
    assert first == "GO for 85 of 569, with 2 minor and info regressions"
    assert second == "2.0.43 → 2024.06.24"


def test_where_changes_stop_too_they_are_counted_beside_what_regressed(report: Report) -> None:
    lost = next(finding for finding in report.findings if finding.verdict is Verdict.REGRESSED)
    changed = replace(lost, behaviour="web/1", verdict=Verdict.CHANGED)
    text = text_of(replace(report, fail_on=FailOn.CHANGED, findings=(lost, changed)))
    assert "1 regression stops the upgrade (1 cause). 1 more differs." in " ".join(text.split())
    assert "(1 regressed, 1 changed, " in text


def test_a_block_of_many_lines_is_not_pasted_by_half(report: Report) -> None:
    lost = next(finding for finding in report.findings if finding.verdict is Verdict.REGRESSED)
    block = replace(lost.advice[0], title="Index it again", paste="plugin {\n  one = 1\n}")
    text = text_of(replace(report, findings=(replace(lost, advice=(block,)),)))
    assert "plugin {" not in text
    assert "Index it again" in text


def test_a_search_without_a_result_found_nothing(report: Report) -> None:
    lost = next(finding for finding in report.findings if finding.verdict is Verdict.REGRESSED)
    searched = replace(
        lost, cause=replace(lost.cause, kind=CauseKind.END), new=Observation(Outcome.LOST, Stage.COMMAND), advice=()
    )
    text = text_of(replace(report, findings=(searched,)))
    assert "Nothing found" in text
    assert "lost at command" not in text


def test_a_decision_over_a_part_says_so(report: Report) -> None:
    part = replace(
        report,
        decision=Decision.GO,
        findings=(),
        counts={"same": 85},
        selected=85,
        matrix=616,
        left_out={
            LeftOut.DESELECTED: tuple(f"a/{n}" for n in range(484)),
            LeftOut.SLOW: tuple(f"b/{n}" for n in range(47)),
        },
    )
    text = " ".join(text_of(part).split())
    assert text.startswith("GO for 85 of 569 2.0.43")
    assert "47 slow behaviours" in text
    assert "484 behaviours deselected" in text


def test_what_was_not_looked_at_stands_beside_a_go(report: Report) -> None:
    good = replace(report, decision=Decision.GO, findings=())
    text = " ".join(text_of(good).split())
    assert "Not compared: web mail, antivirus and 4 more services; 2 settings replaced for the test." in text


def test_what_only_the_other_formats_tell_is_no_empty_list_here(report: Report) -> None:
    old, new = (replace(side, images={}, replaced={}) for side in (report.old, report.new))
    one = replace(report, old=old, new=new, left_out={LeftOut.SERVICE: ("a/1", "a/2")})
    assert "2 behaviours that need such a service" in ReportView(one).not_compared[0]
    assert "Not compared" not in text_of(one)


def test_sides_that_are_not_the_official_images_are_named(report: Report) -> None:
    built = replace(report.old, provenance="built from Mailu's source at tag 2.0.43; not the official image")
    text = " ".join(text_of(replace(report, old=built)).split())
    assert "2.0.43 is a build of Mailu's sources, not the official images." in text


def small_ones(report: Report, number: int) -> tuple[Finding, ...]:
    lost = next(finding for finding in report.findings if finding.verdict is Verdict.REGRESSED)
    return tuple(replace(lost, behaviour=f"web/{n}", severity=Severity.MINOR, advice=()) for n in range(number))


def test_regressions_that_stop_and_smaller_ones_add_up_to_the_count_of_regressions(report: Report) -> None:
    """The example said "39 regressed" below "19 behaviours work …", and nothing of the other 20."""
    lost = next(finding for finding in report.findings if finding.verdict is Verdict.REGRESSED)
    text = text_of(replace(report, findings=(lost, *small_ones(report, 20)), counts={"regressed": 21, "same": 5}))
    assert "1 regression stops the upgrade (1 cause); 20 minor regressions." in " ".join(text.split())
    assert "21 regressed" in text
    (group,) = ReportView(replace(report, findings=(lost, *small_ones(report, 20)))).blockers
    assert ReportView(report).counts_of(group) == "1 regressed, 20 minor regressions"


@pytest.mark.parametrize("decision", [Decision.GO, Decision.GO_WITH_WAIVERS, Decision.CANNOT_TELL])
def test_beside_smaller_regressions_nothing_says_that_there_are_none(report: Report, decision: Decision) -> None:
    unclear = [finding for finding in report.findings if finding.verdict is Verdict.UNSTABLE]
    findings = (*small_ones(report, 2), *(unclear if decision is Decision.CANNOT_TELL else ()))
    text = " ".join(text_of(replace(report, decision=decision, findings=findings)).split())
    assert "larger regression" in text
    assert "no regression" not in text
    assert "All regressions" not in text


def test_what_only_works_less_well_does_not_fail(report: Report) -> None:
    """With --mailu-fail-on=minor, five TLS ports without old ciphers counted as "fail"."""
    lost = next(finding for finding in report.findings if finding.verdict is Verdict.REGRESSED)
    fewer = replace(lost, behaviour="tls/465-tls/ciphers", old=lost.old, new=lost.old)
    both = " ".join(text_of(replace(report, findings=(lost, fewer))).split())
    assert "2 regressions stop the upgrade (1 cause)." in both
    alone = " ".join(text_of(replace(report, findings=(fewer,))).split())
    assert "1 regression stops the upgrade (1 cause)." in alone
    assert "fail" not in both + alone
