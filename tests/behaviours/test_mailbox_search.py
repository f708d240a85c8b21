from __future__ import annotations

import email
import email.policy
import re
from typing import cast

import pytest

from pytest_mailu.behaviours import mailbox_search
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.running_stack import RunningStack

WORD = "qabcdefghijz"


def test_a_word_to_be_searched_for_has_letters_only() -> None:
    for _ in range(50):
        assert mailbox_search.nonsense(Probe(cast(RunningStack, None), 0.0)).isalpha()


@pytest.mark.parametrize("criteria", mailbox_search.EXACTLY.values())
def test_what_is_searched_for_is_in_the_needle(criteria: mailbox_search.Criteria) -> None:
    wanted = criteria(WORD)[0].split()[-1].strip('"')
    assert wanted.encode() in mailbox_search.needle(WORD)


def test_the_needle_is_a_message() -> None:
    parsed = email.message_from_bytes(mailbox_search.needle(WORD), policy=email.policy.default)
    assert parsed["Subject"] == f"größe{WORD} and s{WORD}"
    assert parsed["References"]
    assert not parsed.defects


def test_each_place_of_the_needle_has_a_word_of_its_own() -> None:
    text = mailbox_search.needle(WORD).decode()
    for criteria in (*mailbox_search.WORDS.values(), *mailbox_search.EXACTLY.values()):
        word = re.search(rf"\w?{WORD}", criteria(WORD)[-1])
        assert word is None or text.count(word[0].removeprefix("größe")) >= 1
        assert word is None or word[0] == WORD or text.count(word[0]) == 1
