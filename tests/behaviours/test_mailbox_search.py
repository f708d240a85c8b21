from __future__ import annotations

import email
import email.policy
import json
import re
from typing import cast

import pytest

from pytest_mailu.behaviours import mailbox_search
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.running_stack import RunningStack
from pytest_mailu.wire.imap.reply import Untagged, fetched

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


def test_the_parts_of_the_known_message_are_in_it() -> None:
    for name, content in mailbox_search.PARTS.items():
        assert content.rstrip(b"\r\n") in mailbox_search.KNOWN, name
    assert not email.message_from_bytes(mailbox_search.KNOWN, policy=email.policy.default).defects


def test_each_place_of_the_needle_has_a_word_of_its_own() -> None:
    text = mailbox_search.needle(WORD).decode()
    for criteria in (*mailbox_search.WORDS.values(), *mailbox_search.EXACTLY.values()):
        word = re.search(rf"\w?{WORD}", criteria(WORD)[-1])
        assert word is None or text.count(word[0].removeprefix("größe")) >= 1
        assert word is None or word[0] == WORD or text.count(word[0]) == 1


def test_the_types_of_imapclient_become_plain() -> None:
    line = (
        b'1 (ENVELOPE ("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)" "x" ((NIL NIL "gray" "elsewhere.example")) NIL NIL NIL '
        b'NIL NIL NIL "<known-1@elsewhere.example>"))'
    )
    (found,) = fetched([Untagged((line.replace(b"1 (", b"1 FETCH (", 1),))]).values()
    seen = mailbox_search.plain(found["ENVELOPE"])
    assert seen["date"] == mailbox_search.ENVELOPE["date"]
    assert seen["from"] == [{"name": None, "route": None, "mailbox": "gray", "host": "elsewhere.example"}]
    assert json.dumps(seen)


def test_structures_become_lists_of_text() -> None:
    assert mailbox_search.plain((b"text", (b"plain", None), 7)) == ["text", ["plain", None], 7]
