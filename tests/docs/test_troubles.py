"""Every line of docs/troubles.md names findings and behaviours that exist, and findings were seen where it says so."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import pytest

from pytest_mailu.behaviours import built_in
from pytest_mailu.core.releases import Release
from pytest_mailu.deployment.checks.registry import check
from pytest_mailu.deployment.host import Host
from pytest_mailu.deployment.reader import Sources, read_deployment
from pytest_mailu.judging.judge import QUIET, judge
from tests.deployment.test_deployments import expected

PAGE = Path(__file__).parents[2] / "docs" / "troubles.md"
DEPLOYMENTS = Path(__file__).parents[1] / "deployment" / "deployments"
OLD_HOST = Host("27.3.1", "amd64", "6.1.0", 8 * 10**9, frozenset({"fpu"}), "2.40.3", 10**11, ipv6=False)
"""A machine without anything that a release may need."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a table."""

    what: str
    found_by: str
    seen: str

    @property
    def ids(self) -> list[str]:
        return re.findall(r"`([^`]+)`", self.found_by) if not self.found_by.startswith("nothing: ") else []


def lines() -> list[Line]:
    rows = [
        row for row in PAGE.read_text("utf-8").splitlines() if row.startswith("| ") and not row.startswith("| what ")
    ]
    return [Line(*(cell.strip() for cell in row.strip("|").split("|"))) for row in rows]


@cache
def findings(folder: str, pair: tuple[str, ...]) -> frozenset[str]:
    """The ids that are told for a deployment, on an old machine; without `pair`, for its own upgrade."""
    wanted = expected(DEPLOYMENTS / folder)
    old, new = map(Release.parse, pair or (wanted["from"], wanted["to"]))
    deployment = read_deployment(Sources(DEPLOYMENTS / folder))
    notes = check(deployment, old, new, machine=OLD_HOST)
    return frozenset(note.id for note in notes if judge(note.question, [note.old], [note.new]).verdict not in QUIET)


@pytest.mark.parametrize("line", lines(), ids=lambda line: line.what[:60])
def test_a_line_of_the_page_is_true(line: Line) -> None:
    if not line.ids:
        assert line.found_by.startswith("nothing: ")
        assert not line.seen
        return
    settings = [id_ for id_ in line.ids if id_.startswith("settings/")]
    pair = tuple(re.findall(r"(\S+) → (\S+)", line.seen)[0]) if "→" in line.seen else ()
    for folder in re.findall(r"`([^`]+)`", line.seen) or ["20-plain"] if settings else ():
        told = findings(folder, pair)
        missing = [id_ for id_ in settings if not any(fnmatchcase(known, id_) for known in told)]
        assert not missing, (folder, pair)
    assert line.seen


def test_behaviours_that_the_page_names_exist() -> None:
    known = {behaviour.id for behaviour in built_in()}
    named = {id_ for line in lines() for id_ in line.ids if not id_.startswith("settings/")}
    assert not [id_ for id_ in named if not any(fnmatchcase(each, id_) for each in known)]
