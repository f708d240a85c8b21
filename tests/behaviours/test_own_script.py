"""Fingerprints of accounts and mailboxes: the same where nothing changed, and no name or content in them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_mailu.behaviours import own_script
from pytest_mailu.behaviours.upgrade_own import _changed

PERSON = {
    "email": "Anna.Muster@kontor.example",
    "password": "$6$hash",
    "forward_enabled": False,
    "forward_destination": ["b@x.example", "a@x.example"],
    "tokens": [{"comment": "phone", "password": "$5$token", "ip": "192.0.2.1", "id": 3}],
    "updated_at": "2020-01-01",
}
OURS = {"email": "alice@post.example", "password": "secret"}


def accounts(*users: dict[str, Any], domains: tuple[str, ...] = ("post.example",)) -> dict[str, Any]:
    text = "a warning of a library\n" + json.dumps({"user": users, "domain": [{"name": "kontor.example"}]})
    ran = subprocess.run(
        [sys.executable, "-I", "-S", own_script.__file__, "accounts", *domains],
        input=text,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def test_accounts_are_fingerprints_without_those_of_the_test() -> None:
    found = accounts(PERSON, OURS)
    assert [len(found[kind]["entries"].splitlines()) for kind in ("user", "domain", "alias")] == [1, 1, 0]
    assert not {"anna", "kontor", "hash", "phone"} & set(json.dumps(found).lower().split('"'))
    assert "muster" not in json.dumps(found).lower()


SAME = {
    "address-of-a-token-as-a-list": {"tokens": [{"comment": "phone", "password": "$5$token", "ip": ["192.0.2.1"]}]},
    "order": {"forward_destination": ["a@x.example", "b@x.example"]},
    "time": {"updated_at": "2026-01-01"},
    "case": {"email": "anna.muster@kontor.example"},
    "new-field": {"change_pw_next_login": False},
}


@pytest.mark.parametrize("kind", SAME)
def test_what_every_upgrade_does_is_no_change(kind: str) -> None:
    before, now = accounts(PERSON)["user"], accounts(PERSON | SAME[kind])["user"]
    changed = _changed(before, now)
    assert not changed or (kind == "case" and set(*changed.values()) == {"email"})


@pytest.mark.parametrize(
    ("field", "value"),
    [("password", "$6$other"), ("forward_enabled", True), ("forward_destination", ["a@x.example"]), ("tokens", [])],
)
def test_a_change_is_told_by_its_field(field: str, value: object) -> None:
    before, now = accounts(PERSON)["user"], accounts(PERSON | {field: value, "allow_spoofing": True})["user"]
    assert list(_changed(before, now).values()) == [[field]]


def test_names_are_there_for_those_who_ask() -> None:
    text = json.dumps({"user": [PERSON, OURS]})
    assert own_script.names(text, [own_script.short("anna.muster@kontor.example")]) == ["anna.muster@kontor.example"]


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OWN_MAIL", str(tmp_path))
    box = tmp_path / "anna@kontor.example"
    for name in ("cur/1,S=9:2,S", "new/2,S=9", ".Work/cur/3:2,Sa", "tmp/4", "xapian-indexes/5"):
        (box / name).parent.mkdir(parents=True, exist_ok=True)
        (box / name).write_text("Subject: secret\n")
    (tmp_path / "box-x@post.example").mkdir()
    return box


def mailbox() -> list[Any]:
    found = own_script.mail(0, 10, 1, ["post.example"])
    assert found["all"] == 1
    seen: list[Any] = next(iter(found["found"].values()))
    return seen[:3]


def test_mailboxes_are_counted_by_their_files(box: Path) -> None:
    assert mailbox()[:2] == [2, 3]


def test_a_message_that_was_looked_at_is_the_same(box: Path) -> None:
    before = mailbox()
    os.rename(box / "new" / "2,S=9", box / "cur" / "2,S=9:2,")
    (box / "tmp" / "4").unlink()
    assert mailbox() == before


@pytest.mark.parametrize("change", ["gone", "flag", "doubled", "folder", "size"])
def test_whatever_happens_to_a_message_shows(change: str, box: Path) -> None:
    before = mailbox()
    match change:
        case "gone":
            (box / "new" / "2,S=9").unlink()
        case "flag":
            (box / "cur" / "1,S=9:2,S").rename(box / "cur" / "1,S=9:2,")
        case "doubled":
            (box / "cur" / "7:2,").write_text("again")
        case "folder":
            (box / ".Work").rename(box / ".Play")
        case "size":
            (box / "cur" / "1,S=9:2,S").write_text("less")
    assert mailbox() != before


def test_dovecot_counts_but_for_what_a_look_changes(box: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "bin" / "doveadm"
    tool.parent.mkdir()
    monkeypatch.setenv("PATH", str(tool.parent), prepend=os.pathsep)

    def says(line: str) -> str:
        tool.write_text(f"#!/bin/sh\nprintf '%s\\n' '{line}'\n")
        tool.chmod(0o755)
        return own_script.served("anna@kontor.example")

    assert says("INBOX\t1\t\\Recent \\Seen\t9") == says("INBOX\t1\t\\Seen\t9") != says("INBOX\t2\t\\Seen\t9")
    assert says("INBOX\t1\t\\Recent\t9") == says("INBOX\t1\t\t9")
    tool.write_text("#!/bin/sh\nexit 75\n")
    assert not own_script.served("anna@kontor.example")
