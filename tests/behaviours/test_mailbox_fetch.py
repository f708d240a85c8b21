from __future__ import annotations

import email
import email.policy
import json

from pytest_mailu.behaviours import mailbox_fetch
from pytest_mailu.wire.imap.reply import Untagged, fetched


def test_the_parts_of_the_known_message_are_in_it() -> None:
    for name, content in mailbox_fetch.PARTS.items():
        assert content.rstrip(b"\r\n") in mailbox_fetch.KNOWN, name
    assert not email.message_from_bytes(mailbox_fetch.KNOWN, policy=email.policy.default).defects


def test_the_types_of_imapclient_become_plain() -> None:
    line = (
        b'1 (ENVELOPE ("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)" "x" ((NIL NIL "gray" "elsewhere.example")) NIL NIL NIL '
        b'NIL NIL NIL "<known-1@elsewhere.example>"))'
    )
    (found,) = fetched([Untagged((line.replace(b"1 (", b"1 FETCH (", 1),))]).values()
    seen = mailbox_fetch.plain(found["ENVELOPE"])
    assert seen["date"] == mailbox_fetch.ENVELOPE["date"]
    assert seen["from"] == [{"name": None, "route": None, "mailbox": "gray", "host": "elsewhere.example"}]
    assert json.dumps(seen)


def test_structures_become_lists_of_text() -> None:
    assert mailbox_fetch.plain((b"text", (b"plain", None), 7)) == ["text", ["plain", None], 7]
