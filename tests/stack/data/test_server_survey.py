"""The look at accounts in a database server: the same answers as of SQLite, on statements that SQLite takes as well."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pytest_mailu.core.databases import ADMIN, MARIADB, POSTGRESQL, Database
from pytest_mailu.core.releases import Release
from pytest_mailu.stack.data import server_survey, survey_script
from pytest_mailu.stack.data.own import OwnData, Survey, of_server
from tests.stack.data.mailu_database import make

THEIRS = Database(ADMIN, POSTGRESQL, "database", "database", brought=False, kept=("theirs", "mail"))
TWINS = (
    "insert into user (email, localpart, domain_name) values ('Person1@kontor.example', 'Person1', 'kontor.example')"
)
RELEASES = (Release.parse("2.0.43"), Release.parse("2024.06.24"))


def statements(database: Database) -> list[str]:
    return server_survey.command(database)[4].splitlines()


def said(path: Path) -> str:
    """What a server would print that has the tables of this file."""
    lines = []
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements(THEIRS):
            if statement.startswith("select"):
                lines += ["\t".join(map(str, row)) for row in connection.execute(statement)]
    return "\n".join(lines)


def test_the_answers_are_those_of_sqlite(tmp_path: Path) -> None:
    path = make(tmp_path / "main.db", TWINS, users=4)
    with closing(sqlite3.connect(path)) as connection:
        wanted = survey_script.accounts(survey_script.Look(connection))
    found = server_survey.answered(said(path))
    for key in ("schema", "mailu", "counts", "domains"):
        assert found[key] == wanted[key], key
    left = {"numbers": []}
    assert found["problems"] == [problem | left for problem in wanted["problems"]]
    assert {problem["what"] for problem in found["problems"]} == {"case", "upper"}


def test_words_that_are_reserved_are_quoted_as_each_server_has_it_and_nothing_is_written() -> None:
    text = "\n".join(statements(THEIRS))
    assert 'from "user"' in text
    assert 'from "fetch"' in text
    assert "from user" not in text
    assert "set default_transaction_read_only = on;" in text
    text = "\n".join(statements(Database(ADMIN, MARIADB, "db", "db", brought=False, kept=("x", "mailu"))))
    assert "from `fetch`" in text
    assert "set session transaction read only;" in text
    assert "cast(email as binary) <> cast(lower(email) as binary)" in text


def test_the_password_is_not_on_the_command_line() -> None:
    assert not [word for word in server_survey.command(THEIRS) if "made-up" in word]
    assert "made-up" in server_survey.environment("made-up").values()


@pytest.mark.parametrize(
    "line",
    [
        "",
        "count\tusers",
        "count\tusers\tmany",
        "count\tothers\t3",
        "rows\ta\tb\t-1",
        "x\ty",
        "rows\ta\tb\t" + "9" * 5_000,
    ],
)
def test_a_line_that_is_no_answer_is_left_out(line: str) -> None:
    found = server_survey.answered(line)
    assert (found["counts"], found["problems"], found["mailu"]) == ({}, [], False)


def test_what_was_read_on_the_copy_comes_first_and_names_people_only_where_that_is_asked_for(tmp_path: Path) -> None:
    found = server_survey.answered(said(make(tmp_path / "main.db", TWINS, users=4)))
    before = Survey({"messages": 9}, ("something else",), ("a.example",))
    seen = of_server(before, OwnData(tmp_path), RELEASES, "PostgreSQL", found)
    assert seen.checks[0].startswith("Your accounts are in PostgreSQL: its data was taken over")
    assert seen.checks[-1] == "something else"
    assert any("differ from another one in upper and lower case only" in each for each in seen.checks)
    assert (seen.people["users"], seen.people["messages"]) == (5, 9)
    assert seen.domains == ("a.example", "kontor.example")
    assert "erson1@" not in "".join(seen.checks)
    named = of_server(before, OwnData(tmp_path, names=True), RELEASES, "PostgreSQL", found)
    assert "person1@kontor.example" in "".join(named.checks)


def test_a_database_without_tables_of_mailu_is_told() -> None:
    seen = of_server(Survey(), OwnData(Path("x")), RELEASES, "PostgreSQL", server_survey.answered(""))
    assert seen.checks[1:] == ("That database has no tables of Mailu: is it the one that your settings name?",)


@pytest.mark.parametrize(
    ("source", "found"),
    [("/mailu/data/psql_db", "data/psql_db"), ("/mailu/none", ""), ("/srv/db", ""), ("/mailu/../etc", ""), ("", "")],
)
def test_a_folder_of_the_server_is_the_one_below_the_copy(source: str, found: str, tmp_path: Path) -> None:
    (tmp_path / "data" / "psql_db").mkdir(parents=True)
    below = OwnData(tmp_path).below(source, "/mailu/data")
    assert below == (str((tmp_path / found).resolve()) if found else "")
