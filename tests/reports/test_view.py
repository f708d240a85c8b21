"""The one view of a report: what stops, what does not, what is waived."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_mailu.core.model import FailOn, Report, Verdict
from pytest_mailu.judging.judge import fails
from pytest_mailu.reports import markdown, terminal
from pytest_mailu.reports.view import ReportView

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
