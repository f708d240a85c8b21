"""docs/change-log.md names behaviours that exist and verdicts that there are, and holds what it says of itself."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path

from pytest_mailu.behaviours import built_in
from pytest_mailu.core.model import Verdict

PAGE = Path(__file__).parents[2] / "docs" / "change-log.md"


def rows() -> list[list[str]]:
    lines = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ") and "`" in line]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_behaviour_that_is_named_exists() -> None:
    known = [behaviour.id for behaviour in built_in()]
    named = {id_ for row in rows() for id_ in re.findall(r"`([^`]+)`", row[1])}
    assert not [id_ for id_ in named if not any(fnmatchcase(each, id_) for each in known)]


def test_every_verdict_is_one() -> None:
    assert {row[2] for row in rows()} <= {str(verdict) for verdict in Verdict}


def test_at_least_half_of_the_entries_were_not_looked_for() -> None:
    looked_for = [row[3] for row in rows()]
    assert set(looked_for) == {"yes", "no"}
    assert len(looked_for) >= 60
    assert looked_for.count("no") * 2 >= len(looked_for)
