"""A session that breaks off must not say QUIT, or it proves nothing about sessions that break off."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from pytest_mailu.behaviours.mailbox_pop3 import _BrokenOff, _number
from pytest_mailu.core.endpoints import Tls
from pytest_mailu.probe.messages import compose_message
from pytest_mailu.wire.pop3.session import Pop3Session
from tests.wire.direct import DirectConnector
from tests.wire.peer import Step, expect, peer, say, silence

GREETING = (say("+OK ready"), expect("CAPA"), say("+OK", "UIDL", "TOP", "."))


def _talk(*script: Step, break_off: bool) -> tuple[bytes, int | None]:
    sought = compose_message(to="reader@post.example")

    async def run() -> tuple[bytes, int | None]:
        number = None
        head = sought.content.partition(b"\r\n\r\n")[0].split(b"\r\n")
        steps = [*GREETING, *script, expect("TOP 2 0"), say("+OK", *head, "", "."), silence]
        async with peer(*steps) as served:
            with suppress(_BrokenOff):
                async with Pop3Session.open(
                    DirectConnector(), "127.0.0.1", served.port, tls=Tls.NONE, timeout=5
                ) as pop3:
                    number = await _number(pop3, sought)
                    if break_off:
                        raise _BrokenOff
            await asyncio.wait_for(served.left.wait(), 5)
            assert not served.surprises
            return bytes(served.heard), number

    return asyncio.run(run())


def test_the_own_letter_is_found_among_others() -> None:
    others = (
        expect("LIST"),
        say("+OK", "1 100", "2 120", "3 90", "."),
        expect("TOP 3 0"),
        say("+OK", "Message-ID: <other@post.example>", "", "."),
    )
    heard, number = _talk(*others, break_off=True)
    assert number == 2
    assert b"QUIT" not in heard


def test_a_session_that_ends_well_says_quit() -> None:
    heard, _ = _talk(expect("LIST"), say("+OK", "2 120", "."), break_off=False)
    assert heard.endswith(b"QUIT\r\n")
