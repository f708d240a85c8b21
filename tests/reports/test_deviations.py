"""What rests on a deviation from the official images is marked, in every format and in the docs."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_mailu.behaviours import built_in
from pytest_mailu.core.globs import matches
from pytest_mailu.core.model import Action, Advice, Finding, Report, Verdict
from pytest_mailu.reports import html, markdown, terminal
from pytest_mailu.reports.deviations import DEVIATIONS, deviation
from pytest_mailu.reports.view import ReportView

BUILT = "images that exist on this machine only; built from Mailu's source at tag 2.0.43; not the official image"
IDS = [behaviour.id for behaviour in built_in()]


@pytest.fixture
def built(report: Report) -> Report:
    """A report of a build, with one finding that rests on a deviation and one that does not."""
    changed = next(finding for finding in report.findings if finding.verdict is Verdict.CHANGED)
    advice = Advice("a", "Cause.", "Remedy.", "docs", Action.DO, "Replace old devices")
    ciphers: Finding = replace(
        *(changed,), behaviour="tls/465-tls/ciphers", root="one", advice=(advice,), action=Action.DO
    )
    other = replace(
        ciphers, behaviour="web/page/admin", root="two", advice=(replace(advice, id="b", title="Look at the page"),)
    )
    return replace(report, findings=(ciphers, other), old=replace(report.old, provenance=BUILT))


def lines(report: Report, verbosity: int = 0) -> str:
    return "\n".join("".join(span.text for span in line) for line in terminal.lines(report, 80, "", verbosity))


def test_what_rests_on_a_deviation_is_marked_in_every_format(built: Report) -> None:
    assert "do   Replace old devices *" in lines(built).split("\n")
    assert "do   Look at the page" in lines(built).split("\n")
    assert "2.0.43 is a build of Mailu's sources, not the official images (*)." in lines(built)
    assert "* OpenSSL: OpenSSL is Debian's" in lines(built, verbosity=1)
    page = markdown.render(ReportView(built))
    assert "Replace old devices &#42;" in page
    assert "Look at the page (" in page
    assert "OpenSSL is Debian's" in page
    assert "Replace old devices *</span>" in html.render(ReportView(built))


def test_official_images_have_no_marks(built: Report, report: Report) -> None:
    official = replace(built, old=report.old)
    assert not ReportView(official).provenance
    assert "*" not in lines(official)
    assert "OpenSSL is Debian's" not in html.render(ReportView(official))


def test_images_that_never_saw_a_registry_are_not_taken_for_the_official_ones(built: Report) -> None:
    local = replace(built, old=replace(built.old, provenance="images that exist on this machine only"))
    assert "2.0.43 uses images of this machine only; whether they are the official ones is not known." in " ".join(
        lines(local).split()
    )


@pytest.mark.parametrize("glob", [glob for each in DEVIATIONS for glob in each.behaviours])
def test_every_glob_names_behaviours_and_not_a_whole_family(glob: str) -> None:
    found = [id_ for id_ in IDS if matches(glob, id_)]
    assert found
    assert len(found) < len([id_ for id_ in IDS if id_.startswith(found[0].partition("/")[0] + "/")])


def test_the_table_in_the_docs_has_every_deviation() -> None:
    page = (Path(__file__).parents[2] / "docs" / "recordings.md").read_text("utf-8")
    for each in DEVIATIONS:
        row = f"| {each.text} | {', '.join(f'`{glob}`' for glob in each.behaviours)} |"
        assert row in page, row
    named = {
        glob for row in re.findall(r"(?m)^\| [A-Z].*\|(.*)\|$", page) for glob in re.findall(r"`([^`]+/[^`]+)`", row)
    }
    assert named <= {glob for each in DEVIATIONS for glob in each.behaviours}


def test_a_side_that_is_no_build_rests_on_nothing(report: Report) -> None:
    assert deviation("tls/465-tls/ciphers", (report.old, report.new)) is None
