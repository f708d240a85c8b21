"""A config-export of a server in use: what is taken of it, and that nothing in it can do harm."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pytest_mailu.core import export_file
from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.export_file import read_export

YAML = """\
# Mailu configuration

domain:
  - name: kontor.example
    dkim_key: <hidden>
    alternatives: [kontor-alt.example]
  - name: münchen.de
user:
  - email: anna@kontor.example
    password: $6$rounds=1000$geheim
    tokens:
      - {comment: phone, password: $5$geheim}
    fetches:
      - {host: imap.elsewhere.example, password: geheim}
    forward_enabled: true
    forward_destination: [anna@elsewhere.example]
  - email: jörg@münchen.de
  - email: alice@post.example
alias:
  - {email: "%@münchen.de", wildcard: true, destination: [anna@kontor.example]}
relay:
  - {name: branch.example, smtp: mx.branch.example}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "export.yml"
    path.write_text(text, "utf-8")
    return path


def test_accounts_are_taken_and_no_credential(tmp_path: Path) -> None:
    export = read_export(written(tmp_path, YAML), ["post.example"])
    assert "geheim" not in str(export)
    assert [user["email"] for user in export.document["user"]] == ["anna@kontor.example", "jörg@münchen.de"]
    assert export.document["user"][0]["forward_destination"] == ["anna@elsewhere.example"]
    assert export.domains == ("branch.example", "kontor-alt.example", "kontor.example", "xn--mnchen-3ya.de")
    assert export.left_out == 1
    assert export.addresses == (
        ("user 1", "anna@kontor.example"),
        ("alias 1", "anybody@xn--mnchen-3ya.de"),
        ("alternative of domain 1", "anna@kontor-alt.example"),
    )


def test_json_is_read_as_well(tmp_path: Path) -> None:
    text = json.dumps({"domain": [{"name": "kontor.example"}], "user": [{"email": "a@kontor.example"}]})
    assert read_export(written(tmp_path, text)).addresses == (("user 1", "a@kontor.example"),)


HOSTILE = {
    "line-break": '{"email": "a@kontor.example>\\r\\nRSET"}',
    "quoted": '{"email": "\\"a b\\"@kontor.example"}',
    "no-text": '{"email": ["a@kontor.example"]}',
    "no-mapping": "[[[[]]]]",
    "long": json.dumps({"email": "a" * 65 + "@kontor.example"}),
    "nothing": "null",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_an_entry_that_is_no_account_is_left_out_and_counted(kind: str, tmp_path: Path) -> None:
    text = f'{{"domain": [{{"name": "kontor.example"}}], "user": [{HOSTILE[kind]}]}}'
    export = read_export(written(tmp_path, text))
    assert not export.addresses
    assert export.left_out == 1


def test_flags_and_numbers_are_read_and_texts_stay_texts(tmp_path: Path) -> None:
    text = """
domain: [{name: kontor.example, max_users: -1, max_aliases: null, max_quota_bytes: 5000000000}]
user: [{email: a@kontor.example, enabled: true, enable_pop: "no", quota_bytes: 0, displayed_name: 12:30}]
"""
    document = read_export(written(tmp_path, text)).document
    assert document["domain"] == [{"name": "kontor.example", "max_users": -1, "max_quota_bytes": 5_000_000_000}]
    assert document["user"] == [
        {
            "email": "a@kontor.example",
            "enabled": True,
            "enable_pop": False,
            "quota_bytes": 0,
            "displayed_name": "12:30",
        }
    ]
    as_json = written(tmp_path, json.dumps({name: list(entries) for name, entries in document.items()}))
    assert read_export(as_json).document == document


WRONG = {
    "max_users: 1" + ":11" * 150_000: "max_users is no whole number of at most 18 digits (in domain 1)",
    "max_users: " + "9" * 5_000: "max_users is no whole number of at most 18 digits (in domain 1)",
    "max_users: 1.5": "max_users is no whole number of at most 18 digits (in domain 1)",
    "max_users: [1]": "max_users is no whole number of at most 18 digits (in domain 1)",
    "x: 1\nuser:\n- email: a@kontor.example\n  enabled: 7": "enabled is neither true nor false (in user 1)",
}


@pytest.mark.parametrize("text", WRONG, ids=lambda text: text[:20])
def test_a_value_of_the_wrong_kind_is_named(text: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read_export(written(tmp_path, f"domain:\n- name: kontor.example\n  {text}\n"))
    assert caught.value.cause == f"--mailu-export: export.yml: {WRONG[text]}"
    assert caught.value.remedy


@pytest.mark.parametrize("tag", ["!!timestamp x", "!!bool x", "!!int ''", "!!float x", "!!binary x", "!!set x"])
def test_a_tag_that_its_value_does_not_fit_is_passed_over(tag: str, tmp_path: Path) -> None:
    text = f"domain:\n- name: kontor.example\n- name: {tag}\nuser:\n- email: {tag}\n"
    export = read_export(written(tmp_path, text))
    assert not export.addresses
    assert export.domains[0] == "kontor.example"


def test_half_a_surrogate_pair_is_replaced(tmp_path: Path) -> None:
    text = json.dumps(
        {"domain": [{"name": "a.example"}], "user": [{"email": "u@a.example", "displayed_name": "\ud800"}]}
    )
    assert read_export(written(tmp_path, text)).document["user"][0]["displayed_name"] == "?"


BOMB = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 30))
BROKEN = {
    "tag": "domain: !!python/object/apply:os.system [id]",
    "no-yaml": "domain: [",
    "deep": "{" + '"a":{' * 20_000,
    "deep-yaml": "[" * 20_000,
    "text": "just words",
    "empty": "",
    "no-domain": "user: [{email: a@kontor.example}]",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_file_that_is_no_export_is_told_in_words(kind: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--mailu-export: export\.yml"):
        read_export(written(tmp_path, BROKEN[kind]))


def test_aliases_of_aliases_take_no_time(tmp_path: Path) -> None:
    text = f"a0: &a0 [lol]\n{BOMB}domain: *a29\n"
    with pytest.raises(UsageError, match="no domain"):
        read_export(written(tmp_path, text))


def test_a_file_without_end_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_file, "LARGEST", 10)
    with pytest.raises(UsageError, match="has more than"):
        read_export(written(tmp_path, YAML))
    with pytest.raises(UsageError, match="cannot be read"):
        read_export(tmp_path / "none")
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(UsageError, match="not a regular file"):
            read_export(path)
