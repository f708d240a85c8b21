from __future__ import annotations

import email
import email.policy
from typing import cast

import pytest

from pytest_mailu.behaviours import mailbox_search
from pytest_mailu.probe import Ground, Probe

WORD = "qabcdefghijz"


def test_a_word_to_be_searched_for_has_letters_only() -> None:
    for _ in range(50):
        assert mailbox_search.nonsense(Probe(cast(Ground, None), 0.0)).isalpha()


@pytest.mark.parametrize("criteria", mailbox_search.EXACTLY.values())
def test_what_is_searched_for_is_in_the_needle(criteria: mailbox_search.Criteria) -> None:
    wanted = criteria(WORD)[0].split()[-1].strip('"')
    assert wanted.encode() in mailbox_search.needle(WORD)


def test_the_needle_is_a_message() -> None:
    parsed = email.message_from_bytes(mailbox_search.needle(WORD), policy=email.policy.default)
    assert parsed["Subject"] == f"größe{WORD} and {WORD}"
    assert parsed["References"]
    assert not parsed.defects


def test_the_parts_of_the_known_message_are_in_it() -> None:
    for name, content in mailbox_search.PARTS.items():
        assert content.rstrip(b"\r\n") in mailbox_search.KNOWN, name
    assert not email.message_from_bytes(mailbox_search.KNOWN, policy=email.policy.default).defects


def test_structures_become_lists_of_text() -> None:
    assert mailbox_search.plain((b"text", (b"plain", None), 7)) == ["text", ["plain", None], 7]
