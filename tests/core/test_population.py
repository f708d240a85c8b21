"""Who lives on the server: every behaviour that needs a mailbox of its own has one."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

from pytest_mailu import behaviours
from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.population import PEOPLE, User, hide_own_mailboxes, own_mailbox, users


def own_mailboxes_in(value: object) -> set[str]:
    """The own mailboxes in a value of a module, however deep."""
    if isinstance(value, User):
        return {value.name} if value.name.startswith("box-") else set()
    if isinstance(value, dict):
        return set().union(*map(own_mailboxes_in, value.values()))
    if isinstance(value, tuple | list):
        return set().union(*map(own_mailboxes_in, value))
    return set()


def test_no_two_families_use_the_same_mailbox() -> None:
    owners: dict[str, str] = {}
    for module in pkgutil.iter_modules(behaviours.__path__):
        values = vars(importlib.import_module(f"{behaviours.__name__}.{module.name}"))
        for name, value in values.items():
            for mailbox in own_mailboxes_in(value):
                assert owners.setdefault(mailbox, module.name) == module.name, (module.name, name)
    assert len(owners) > 40


def test_a_name_is_handed_out_once() -> None:
    mailbox = own_mailbox("test-of-the-population")
    assert mailbox in users()
    assert mailbox.address == "box-test-of-the-population@post.example"
    with pytest.raises(UsageError, match="is taken"):
        own_mailbox("test-of-the-population")


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a b", "ä", "a@b"])
def test_a_name_has_letters_digits_and_hyphens(name: str) -> None:
    with pytest.raises(UsageError):
        own_mailbox(name)


def test_all_addresses_differ() -> None:
    addresses = [user.address for user in users()]
    assert len(addresses) == len(set(addresses))
    assert not any(user.name.startswith("box-") for user in PEOPLE)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("553 <box-senders-writer@post.example>: not owned", "553 <<mailbox>@post.example>: not owned"),
        ("box-names-user+detail@post.example", "<mailbox>+detail@post.example"),
        ("box-a@x box-b-2@x", "<mailbox>@x <mailbox>@x"),
        ("inbox-a@x", "inbox-a@x"),
    ],
)
def test_the_names_of_own_mailboxes_are_hidden(text: str, shown: str) -> None:
    assert hide_own_mailboxes(text) == shown
