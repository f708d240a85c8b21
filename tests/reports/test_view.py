"""The one view of a report: what stops, what does not, what is waived."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_mailu.core.model import (
    Action,
    Advice,
    Cause,
    CauseKind,
    Decision,
    FailOn,
    Finding,
    Observation,
    Outcome,
    Question,
    Report,
    Severity,
    Stage,
    Verdict,
)
from pytest_mailu.judging.decision import fails
from pytest_mailu.judging.findings import findings
from pytest_mailu.judging.judge import judge
from pytest_mailu.reports import markdown, terminal
from pytest_mailu.reports.view import LAST_LINES, ReportView
from tests.events import events

USUAL = {Verdict.REGRESSED, Verdict.INCONCLUSIVE, Verdict.UNSTABLE}


def test_every_finding_is_in_one_place(report: Report) -> None:
    view = ReportView(report)
    parts = [*view.blockers, *view.todos, *view.quiet]
    told = [finding.behaviour for part in parts for finding in part.findings]
    told += [finding.behaviour for finding in view.waived]
    assert sorted(told) == sorted(finding.behaviour for finding in report.findings)


def test_blockers_are_the_causes_that_stop(report: Report) -> None:
    view = ReportView(report)
    assert {group.verdict for group in view.blockers} == USUAL
    assert not {finding.verdict for part in (*view.todos, *view.quiet) for finding in part.findings} & USUAL


@pytest.mark.parametrize("gate", [FailOn.REGRESSED, FailOn.CHANGED])
def test_what_fails_in_pytest_is_a_blocker_in_the_report(report: Report, gate: FailOn) -> None:
    """With a regression in the report, what had changed failed in pytest and stood under "Also different"."""
    view = ReportView(replace(report, fail_on=gate))
    failing = {finding.behaviour for finding in report.findings if fails(finding, gate) and finding.waiver is None}
    blocking = {found.behaviour for group in view.blockers for found in group.findings if view.stops(found)}
    assert blocking == failing
    rest = [finding for part in (*view.todos, *view.quiet) for finding in part.findings]
    assert not any(fails(finding, gate) for finding in rest)


def test_formats_tell_a_change_that_fails_among_the_blockers(report: Report) -> None:
    changed = replace(report, fail_on=FailOn.CHANGED)
    text = "\n".join("".join(span.text for span in line) for line in terminal.lines(changed, 120, "", 1))
    for told in (text, markdown.render(ReportView(changed))):
        rest = told.partition("Nothing to do")[2]
        assert "surface/465-tls/greeting" in told
        assert "surface/465-tls/greeting" not in rest


def test_a_waived_finding_stands_last_where_everything_is_listed(report: Report) -> None:
    view = ReportView(report)
    assert {found.behaviour for group in view.everything for found in group.findings} == {
        finding.behaviour for finding in report.findings
    }
    roots = [group.root for group in view.everything]
    assert roots[: len(view.blockers)] == [group.root for group in view.blockers]


@pytest.mark.parametrize(("status", "shown"), [("500", True), ("409", False)])
def test_an_error_of_the_web_site_is_shown_with_the_end_of_its_traceback(
    report: Report, status: str, shown: bool
) -> None:
    question = Question("admin/api/user/create", "Title", "Breaks.", "Source", Outcome.ACCEPTED, Severity.MAJOR)
    good = Observation(Outcome.ACCEPTED, Stage.COMMAND)
    bad = Observation(
        Outcome.UNANSWERED,
        Stage.COMMAND,
        transcript=events("C: POST https://front/api/v1/user", f"S: {status}  (37 bytes)"),
        logs=(*(f"admin | line {number}" for number in range(20)), "admin | ValueError: no such thing"),
    )
    found = findings([judge(question, [good], [bad])])
    view = ReportView(replace(report, findings=found))
    (group,) = view.blockers
    assert view.last_lines(group) == (bad.logs[-LAST_LINES:] if shown else ())
    text = "\n".join("".join(span.text for span in line) for line in terminal.lines(view.report, 120, "", 1))
    for told in (text, markdown.render(view)):
        assert ("ValueError: no such thing" in told) is shown


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("roundcube", "snappymail", "web mail, which is Roundcube on 2.0.43 and SnappyMail on 2024.06.24"),
        ("rainloop", "snappymail", "web mail, which is RainLoop on 2.0.43 and SnappyMail on 2024.06.24"),
        ("none", "roundcube", "web mail, which is none on 2.0.43 and Roundcube on 2024.06.24"),
        ("other", "other", "web mail, which is other on both"),
        ("rainloop", "rainloop", ""),
        ("roundcube", "roundcube", ""),
        ("snappymail", "snappymail", ""),
        ("none", "none", ""),
    ],
)
def test_different_web_mails_are_said_to_be_not_compared(report: Report, old: str, new: str, said: str) -> None:
    sides = [
        replace(side, images={**side.images, "webmail": "sha256:0"}, settings={**side.settings, "WEBMAIL": web_mail})
        for side, web_mail in ((report.old, old), (report.new, new))
    ]
    view = ReportView(replace(report, old=sides[0], new=sides[1]))
    assert [text for text in view.not_compared if text.startswith("web mail")] == ([said] if said else [])
    assert (said in view.not_compared_in_short) is bool(said)
    if said:
        assert said in markdown.render(view)
    assert ReportView(replace(report, old=sides[0])).other_web_mail == ""


def _finding(verdict: Verdict, severity: Severity, action: Action) -> Finding:
    wanted, old, new = {
        Verdict.REGRESSED: (Outcome.ACCEPTED, Outcome.ACCEPTED, Outcome.REFUSED),
        Verdict.BROKEN: (Outcome.ACCEPTED, Outcome.REFUSED, Outcome.REFUSED),
        Verdict.CHANGED: (None, Outcome.ACCEPTED, Outcome.REFUSED),
    }[verdict]
    name = f"settings/{verdict}-{severity}-{action}"
    question = Question(name, name, "Breaks.", "Source", wanted, severity)
    advice = Advice(name, "Cause.", "Remedy.", "Source", action, f"title of {name}")
    compared = judge(question, [Observation(old, Stage.SETTINGS)], [Observation(new, Stage.SETTINGS)])
    (found,) = findings([compared], lambda _: (advice,), explain=lambda _: Cause(CauseKind.KNOWN, words=name))
    return found


def test_of_what_stops_nothing_the_gravest_comes_first_and_nothing_has_to_be_fixed_before(report: Report) -> None:
    """A minor regression that asks for nothing stood first, and what only changed was to be fixed under a GO."""
    found = (
        _finding(Verdict.REGRESSED, Severity.MINOR, Action.FIX_BEFORE),
        _finding(Verdict.REGRESSED, Severity.MINOR, Action.NOTHING),
        _finding(Verdict.CHANGED, Severity.MAJOR, Action.FIX_BEFORE),
        _finding(Verdict.CHANGED, Severity.MINOR, Action.LOOK),
        _finding(Verdict.BROKEN, Severity.MINOR, Action.DO),
        _finding(Verdict.BROKEN, Severity.CRITICAL, Action.DO),
    )
    view = ReportView(replace(report, findings=found, decision=Decision.GO))
    assert [(todo.label, todo.weight, todo.title.removeprefix("title of settings/")) for todo in view.todos] == [
        ("do", "critical: ", "broken-critical-do"),
        ("do", "minor regression: ", "regressed-minor-fix-before"),
        ("do", "", "changed-major-fix-before"),
        ("do", "", "broken-minor-do"),
        ("look", "", "changed-minor-look"),
    ]
    assert found[2].action is Action.DO
    assert [group.lead for group in view.quiet] == [found[1]]
