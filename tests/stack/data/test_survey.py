"""What a look at the user's own data finds: run as in a container, on real databases and files, hostile ones too."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.releases import Release
from pytest_mailu.stack.data import survey_script
from pytest_mailu.stack.data.own import OwnData, survey
from pytest_mailu.stack.data.survey_words import sentences
from tests.stack.data.mailu_database import make

UP_TO_2024 = tuple(map(Release.parse, ("2.0.43", "2024.06.24")))
UP_TO_MASTER = tuple(map(Release.parse, ("2024.06.57", "master")))
PERSON = "insert into user (localpart, domain_name, email, password) values ('{0}', '{1}', '{0}@{1}', 'x')"


def looked(folder: Path, **places: str) -> dict[str, Any]:
    order = json.dumps({"database": str(folder / "data" / "main.db"), **places})
    ran = subprocess.run(
        [sys.executable, "-I", "-S", survey_script.__file__, order],
        capture_output=True,
        text=True,
        check=True,
        timeout=90,
    )
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return found


def told(folder: Path, releases: tuple[Release, ...] = UP_TO_2024, *, names: bool = False) -> str:
    return "\n".join(sentences(looked(folder), releases, names=names))


def test_a_database_in_order_is_counted_and_nothing_is_told(tmp_path: Path) -> None:
    make(tmp_path / "data" / "main.db", "update user set enabled = 0 where localpart = 'person1'", users=7)
    counts = looked(tmp_path)["database"]["counts"]
    assert (counts["users"], counts["disabled users"], counts["aliases"], counts["domains"]) == (7, 1, 1, 1)
    assert told(tmp_path) == told(tmp_path, UP_TO_2024, names=True) == ""


ROWS = {
    "case": (PERSON.format("Person1", "kontor.example"), "2 rows of the table user differ"),
    "domain": (PERSON.format("lost", "nowhere.example"), "1 row of the table user name a domain that is not there"),
    "token": ("insert into token (user_email) values ('gone@kontor.example')", "table token name a user that is not"),
    "both": (
        "insert into alias (email, domain_name) values ('person1@kontor.example', 'kontor.example')",
        "1 row of the table alias have the address of a user",
    ),
    "long": (PERSON.format("x" * 81, "kontor.example"), "1 row of the table user have a longer localpart"),
    "odd": (
        "insert into user (email, domain_name) values ('nobody', 'kontor.example')",
        "have an address that is none",
    ),
    "served": ("insert into relay (name) values ('Kontor.example')", "1 row of the table relay name a domain"),
    "left": ("create table _alembic_tmp_alias (email varchar(255))", "_alembic_tmp_alias"),
    "schema": ("insert into alembic_version values ('0ba45693748d')", "2 versions of its schema"),
}


@pytest.mark.parametrize("row", ROWS)
def test_each_row_that_stops_a_migration_is_told_without_a_name(row: str, tmp_path: Path) -> None:
    statement, words = ROWS[row]
    make(tmp_path / "data" / "main.db", statement)
    said = told(tmp_path)
    assert words in said
    assert "@kontor.example" not in said


def test_rows_are_told_by_their_numbers(tmp_path: Path) -> None:
    make(tmp_path / "data" / "main.db", PERSON.format("Person1", "kontor.example"))
    assert "(rowid 4, 2; --mailu-data-names names them.)" in told(tmp_path)
    many = (PERSON.format(f"{name}{number}", "kontor.example") for name in ("a", "A") for number in range(4))
    make(tmp_path / "more" / "data" / "main.db", *many)
    assert "(rowid 8, 9, 10, 11, 4 and 3 more; --mailu-data-names" in told(tmp_path / "more")


def test_rows_are_named_where_that_is_asked_for(tmp_path: Path) -> None:
    make(tmp_path / "data" / "main.db", PERSON.format("Person1", "kontor.example"))
    assert "(Person1@kontor.example, person1@kontor.example)" in told(tmp_path, names=True)
    assert "A later release will not migrate" in told(tmp_path)
    assert "The migration to the new release ends with an error" in told(tmp_path, UP_TO_MASTER)


@pytest.mark.parametrize(
    ("schema", "words"),
    [("3b7eee912b41", "2.0.43 has not run on this data yet"), ("0ba45693748d", "is newer than 2.0.43")],
)
def test_a_database_of_another_release_is_told(schema: str, words: str, tmp_path: Path) -> None:
    make(tmp_path / "data" / "main.db", schema=schema)
    assert words in told(tmp_path)


def test_a_look_changes_nothing_and_sees_what_is_in_the_journal(tmp_path: Path) -> None:
    path = make(tmp_path / "data" / "main.db")
    before = hashlib.sha256(path.read_bytes()).digest(), path.stat().st_mtime_ns
    looked(tmp_path)
    assert (hashlib.sha256(path.read_bytes()).digest(), path.stat().st_mtime_ns) == before
    assert [each.name for each in path.parent.iterdir()] == ["main.db"]


HOSTILE = {
    "no-database": b"",
    "noise": b"\x00\xff" * 5000,
    "cut": b"SQLite format 3\x00" + b"\x10\x00" * 60,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_file_that_is_no_database_of_mailu_is_told_as_such(kind: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "main.db").write_bytes(HOSTILE[kind])
    assert "cannot be looked at" in told(tmp_path)


def test_no_database_a_pipe_and_a_link_are_told_as_such(tmp_path: Path) -> None:
    assert "there is none" in told(tmp_path)
    (tmp_path / "data").mkdir()
    os.mkfifo(tmp_path / "data" / "main.db")
    assert "it is no file" in told(tmp_path)
    (tmp_path / "data" / "main.db").unlink()
    (tmp_path / "data" / "main.db").symlink_to("/etc/passwd")
    assert "it is no file" in told(tmp_path)


def test_tables_that_never_end_are_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = "with recursive n (email) as (select 1 union all select email + 1 from n) select email from n"
    make(tmp_path / "data" / "main.db", "drop table user", f"create view user as {numbers}")
    monkeypatch.setattr(survey_script, "SECONDS", 1.0)
    found = survey_script.main(json.dumps({"database": str(tmp_path / "data" / "main.db")}))
    assert found["database"]["error"] == "interrupted"


def test_a_thousand_bad_rows_make_a_short_answer(tmp_path: Path) -> None:
    numbers = "with recursive n (i) as (select 1 union all select i + 1 from n where i < 1000)"
    bad = f"insert into user (email) {numbers} select i || '@' || hex(zeroblob(9000)) from n"
    make(tmp_path / "data" / "main.db", bad)
    assert len(json.dumps(looked(tmp_path))) < 60_000


def test_mail_is_counted_with_old_indexes_and_the_queue(tmp_path: Path) -> None:
    make(tmp_path / "data" / "main.db")
    box = tmp_path / "mail" / "person1@kontor.example"
    for name in ("cur/1:2,S", "new/2", ".Work/cur/3:2,", "xapian-indexes/db_1", "tmp/4"):
        (box / name).parent.mkdir(parents=True, exist_ok=True)
        (box / name).write_bytes(b"x" * 1000)
    (box / ".dovecot.sieve").symlink_to("sieve/one")
    (tmp_path / "mailqueue" / "deferred" / "A").mkdir(parents=True)
    (tmp_path / "mailqueue" / "deferred" / "A" / "A1").touch()
    (tmp_path / "dav" / "p").mkdir(parents=True)
    (tmp_path / "dav" / "p" / "a.vcf").touch()
    places = {"mail": str(tmp_path / "mail"), "queue": str(tmp_path / "mailqueue"), "dav": str(tmp_path / "dav")}
    found = looked(tmp_path, **places)
    assert found["counts"] == {
        **{"mailboxes": 1, "mail folders": 2, "messages": 3, "filters": 1, "messages in the queue": 1},
        **{"contacts": 1, "calendar entries": 0},
    }
    said = "\n".join(sentences(found, UP_TO_2024, names=False))
    assert "1 search index of the old release (0.0 MB) stay behind" in said
    assert "1 message waits in the queue" in said
    assert "Contacts (1) were counted only: --mailu-with webdav starts what keeps them" in said
    assert "counted only" not in "\n".join(sentences(found, UP_TO_2024, names=False, started=("admin", "webdav")))


def roundcube(folder: Path, *statements: str) -> str:
    """What is told of a web mail with a database that these statements make."""
    make(folder / "data" / "main.db")
    (folder / "webmail").mkdir()
    with closing(sqlite3.connect(folder / "webmail" / "roundcube.db")) as connection, connection:
        for statement in statements:
            connection.execute(statement)
    found = looked(folder, webmail=str(folder / "webmail"))
    return "\n".join([*sentences(found, UP_TO_2024, names=False), json.dumps(found["counts"])])


USERS = "create table users (user_id integer primary key, username varchar(128))"
CONTACTS = "create table {} (contact_id integer primary key, name varchar(128), del tinyint default 0)"
IDENTITIES = "create table identities (identity_id integer primary key, del tinyint default 0)"


def test_contacts_and_identities_of_web_mail_are_counted(tmp_path: Path) -> None:
    rows = ("insert into contacts (name, del) values ('a', 0), ('b', 1)", "insert into identities (del) values (0)")
    said = roundcube(tmp_path, USERS, CONTACTS.format("contacts"), IDENTITIES, *rows)
    assert "does not start" not in said
    assert "Contacts of web mail (1), identities of web mail (1) were counted only: --mailu-with webmail" in said
    assert json.loads(said.splitlines()[-1])["users of web mail"] == 0


def test_a_database_of_web_mail_that_its_migration_cannot_take_is_told(tmp_path: Path) -> None:
    """Mailu #3419, #3726: `no such table: contacts`, and web mail exits."""
    said = roundcube(tmp_path, USERS, CONTACTS.format("old_contacts"), IDENTITIES)
    assert "has no table contacts: its migration fails, and web mail does not start." in said
    assert "left old_contacts behind" in said


def test_an_empty_database_of_web_mail_is_no_trouble_and_a_broken_one_is_told(tmp_path: Path) -> None:
    assert "Web mail's database" not in roundcube(tmp_path / "empty")
    (tmp_path / "data").mkdir()
    (tmp_path / "roundcube.db").write_bytes(HOSTILE["noise"])
    found = looked(tmp_path, webmail=str(tmp_path))
    assert "Web mail's database webmail/roundcube.db cannot be looked at" in "\n".join(
        sentences(found, UP_TO_2024, names=False)
    )


def test_a_folder_of_mailu_is_known_by_its_folders(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no folders `data` and `mail`"):
        OwnData(tmp_path).folders()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "mail").symlink_to("elsewhere")
    own = OwnData(tmp_path)
    assert own.folders()["mail"] == str((tmp_path / "elsewhere").resolve())
    sources = own.sources({("imap", "/mail"): "post-1", ("admin", "/data"): "data", ("front", "/certs"): "certs"})
    assert sources.volumes == {"post-1": str((tmp_path / "elsewhere").resolve()), "data": str(tmp_path / "data")}
    assert sources.layers["data"] == (str(tmp_path / "data"),)


def test_everything_is_mounted_for_reading_only(tmp_path: Path) -> None:
    for name in ("data", "mail", "mailqueue"):
        (tmp_path / name).mkdir()

    class FakeHelper:
        def run(self, script: bytes, order: Any, mounts: Any, seconds: float) -> dict[str, Any]:
            assert all(each.read_only for each in mounts)
            assert {str(each.target) for each in mounts} == {"/from/data", "/from/mail", "/from/mailqueue"}
            assert order["queue"] == "/from/mailqueue"
            return looked(tmp_path)

    helper: Any = FakeHelper()
    assert survey(helper, OwnData(tmp_path), UP_TO_2024, 9.0).checks[0].startswith("The database data/main.db cannot")


def test_accounts_in_a_database_server_are_said_to_be_looked_at_by_nobody(tmp_path: Path) -> None:
    """A main.db of before the move to PostgreSQL was told of as if the accounts were in it."""
    make(tmp_path / "data" / "main.db", PERSON.format("Person1", "kontor.example"), users=7)
    found = looked(tmp_path)
    assert "differ" in "\n".join(sentences(found, UP_TO_2024, names=False))
    (said,) = sentences(found, UP_TO_2024, names=False, server="PostgreSQL")
    assert said.startswith("--mailu-data: the accounts are in PostgreSQL, and are not carried over")
    assert not list(sentences(found, UP_TO_2024, names=False, server="PostgreSQL", carried=True))
    (tmp_path / "mail").mkdir()
    helper: Any = SimpleNamespace(run=lambda *_: found)
    seen = survey(helper, OwnData(tmp_path), UP_TO_2024, 9.0, server="PostgreSQL")
    assert "users" not in seen.people
    assert "users" in survey(helper, OwnData(tmp_path), UP_TO_2024, 9.0).people
