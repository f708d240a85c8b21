"""The accounts of the test as one document."""

from __future__ import annotations

import io
import tarfile
from typing import Any

import pytest
import yaml

from pytest_mailu.core import population
from pytest_mailu.core.commands import CommandResult
from pytest_mailu.core.errors import StackError
from pytest_mailu.core.releases import Release
from pytest_mailu.stack import accounts
from pytest_mailu.stack.accounts import document


@pytest.mark.parametrize("name", ["1.9.50", "2.0.43", "2024.06.24"])
def test_the_whole_population_is_one_document_that_each_release_knows(name: str) -> None:
    release = Release.parse(name)
    read = yaml.safe_load(document(release, "PEM", "mx.relayed.example:2526"))
    users = {user["email"]: user for user in read["user"]}
    assert set(users) == {user.address for user in population.users()}
    assert users[population.UMLAUT.address]["password"] == population.UMLAUT.password
    assert {user.password for user in population.users()} == {user["password"] for user in read["user"]}
    assert users[population.ADMIN.address]["global_admin"]
    assert not users[population.DISABLED.address]["enabled"]
    assert not users[population.NO_POP3.address]["enable_pop"]
    assert users[population.PASSES.address]["forward_keep"] is False
    assert ("allow_spoofing" in users[population.SPOOFER.address]) == release.lets_users_spoof
    assert [alias["email"] for alias in read["alias"] if alias["wildcard"]] == [population.WILDCARD.address]
    assert read["domain"][0]["alternatives"] == [population.ALTERNATIVE]
    assert [domain["name"] for domain in read["domain"]] == [population.DOMAIN, population.INTERNATIONAL]
    assert {user.rpartition("@")[2] for user in users} <= {population.DOMAIN, population.INTERNATIONAL}
    assert read["relay"] == [{"name": population.RELAYED, "smtp": "mx.relayed.example:2526"}]


def test_characters_beyond_the_basic_plane_are_read_as_one() -> None:
    """Each was read as two halves, which Mailu could not write: `config-import` refused all accounts."""
    text = accounts._as_yaml_reads_it(["😀 é \\ud83d\\ude00 \x7f \u2028", "\U0001f468\u200d\U0001f4bb"])
    assert yaml.safe_load(text) == ["😀 é \\ud83d\\ude00 \x7f \u2028", "\U0001f468\u200d\U0001f4bb"]


class Admin:
    """`admin` whose database takes no characters of four bytes, or fails otherwise."""

    def __init__(self, said: str) -> None:
        self.said = said
        self.given: list[str] = []

    def put_archive(self, _: str, content: bytes) -> None:
        with tarfile.open(fileobj=io.BytesIO(content)) as found:
            (member,) = [each for each in found.getmembers() if each.isfile()]
            read = found.extractfile(member)
            assert read is not None
            self.given.append(read.read().decode())

    def run(self, *_: object, **__: object) -> CommandResult:
        texts = [str(user.get(name, "")) for user in yaml.safe_load(self.given[-1])["user"] for name in TEXTS]
        fails = any(character > "\uffff" for character in "".join(texts)) or "Incorrect" not in self.said
        return CommandResult(1, "", self.said) if fails else CommandResult(0, "", "")


TEXTS = ("reply_subject", "reply_body", "displayed_name")


def imported(monkeypatch: pytest.MonkeyPatch, said: str) -> tuple[Admin, bool]:
    admin: Any = Admin(said)
    away = population.User("emoji", "secret-\U0001f600", reply="Away \U0001f600", displayed_name="\U0001f4eb Post")
    monkeypatch.setattr(population, "users", lambda _: (population.ALICE, away))
    monkeypatch.setattr(accounts, "execute", admin.run)
    return admin, accounts.import_accounts(Release.parse("2.0.43"), admin, seed=1)


def test_a_database_that_takes_no_emoji_gets_texts_without_and_passwords_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen with 2.0.43 and MariaDB 10.11: the whole run could not be asked because of one automatic reply."""
    admin, whole = imported(monkeypatch, "(1366) Incorrect string value: '\\xF0\\x9F' for column `reply_body`")
    assert not whole
    before, after = (yaml.safe_load(text)["user"] for text in admin.given)
    assert [user["password"] for user in after] == [user["password"] for user in before]
    changed = [
        (user, name) for user, was in zip(after, before, strict=True) for name in user if user[name] != was[name]
    ]
    assert changed
    assert all(name in TEXTS and "?" in user[name] for user, name in changed)


def test_any_other_refusal_of_the_accounts_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StackError, match="refused the accounts of the test"):
        imported(monkeypatch, "Error: no such option")


@pytest.mark.parametrize(("release", "unread"), [("1.9.50", None), ("2.0.0", False), ("master", False)])
def test_own_settings_of_spam_are_imported_where_the_release_knows_them(release: str, unread: bool | None) -> None:
    """1.9 has no `spam_mark_as_read`, and refuses fields that it does not know."""
    user = population.User("own", "secret", spam_filter=False, spam_read=False, spam_threshold=50)
    entry = accounts._user(Release.parse(release), user)
    assert entry.get("spam_mark_as_read") is unread
    assert (entry["spam_enabled"], entry["spam_threshold"]) == (False, 50)
    usual = accounts._user(Release.parse(release), population.ALICE)
    assert not {"spam_enabled", "spam_mark_as_read", "spam_threshold"} & usual.keys()
