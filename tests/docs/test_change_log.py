"""docs/change-log.md names behaviours, set-ups and verdicts that there are, and holds what it says of itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from pytest_mailu.behaviours import built_in
from pytest_mailu.behaviours.declaration import Behaviour
from pytest_mailu.behaviours.in_setup import in_setup
from pytest_mailu.core.model import Verdict
from pytest_mailu.core.setups import setup_named

PAGE = Path(__file__).parents[2] / "docs" / "change-log.md"
COLUMNS = ["entry", "behaviour", "verdict", "looked for"]
IN_SETUPS = ["entry", "set-up", "behaviour", "verdict", "looked for"]


def rows(columns: list[str] | None = None) -> list[dict[str, str]]:
    """The rows of all tables, or of those with these columns, by the names of the columns."""
    return [row for row in _rows(PAGE.read_text("utf-8")) if columns is None or list(row) == columns]


def _rows(page: str) -> Iterator[dict[str, str]]:
    header: list[str] = []
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|"):
            header = []
        elif not header:
            header = cells
        elif set(line) - set("|-"):
            yield dict(zip(header, cells, strict=True))


def quoted(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def test_every_table_has_the_columns_that_are_looked_at() -> None:
    assert {tuple(row) for row in rows()} == {tuple(COLUMNS), tuple(IN_SETUPS)}


def unknown(row: dict[str, str], known: Iterable[Behaviour]) -> list[str]:
    """What a row names as behaviours and is none."""
    ids = [behaviour.id for behaviour in known]
    return [id_ for id_ in quoted(row["behaviour"]) if not any(fnmatchcase(each, id_) for each in ids)]


def test_every_behaviour_that_is_named_exists() -> None:
    assert all(quoted(row["behaviour"]) for row in rows())
    assert not [id_ for row in rows(COLUMNS) for id_ in unknown(row, built_in())]


def test_every_behaviour_is_asked_in_its_setup() -> None:
    """Its services may be started beside the set-up (`--mailu-with`)."""
    for row in rows(IN_SETUPS):
        (name,) = quoted(row["set-up"])
        asked = in_setup(built_in(), setup_named(name))
        assert not unknown(row, (*asked.answered, *asked.unserved))


def test_every_verdict_is_one() -> None:
    assert {row["verdict"] for row in rows()} <= {str(verdict) for verdict in Verdict}


def test_at_least_half_of_the_entries_were_not_looked_for() -> None:
    looked_for = [row["looked for"] for row in rows()]
    assert set(looked_for) == {"yes", "no"}
    assert len(looked_for) >= 60
    assert looked_for.count("no") * 2 >= len(looked_for)
