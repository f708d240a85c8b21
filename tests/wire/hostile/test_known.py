"""Replies that once hung, flooded or crashed a behaviour, on real sockets: what each gives now."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pytest_mailu.core.endpoints import Tls
from pytest_mailu.core.text import TEXT_LIMIT
from pytest_mailu.wire.imap.session import ImapSession
from pytest_mailu.wire.pop3.session import Pop3Session
from pytest_mailu.wire.sieve.session import SieveSession
from pytest_mailu.wire.smtp.session import SmtpSession
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed
from tests.wire.direct import DirectConnector
from tests.wire.peer import Step, expect, hang_up, peer, say, send

DIGITS = "9" * 5000


def told(kind: Any, ask: Callable[[Any], Awaitable[Any]], *script: Step) -> Any:
    """What a question gives on a session with such a server."""

    async def run() -> Any:
        options = {"tls": Tls.NONE, "timeout": 10}
        async with (
            asyncio.timeout(30),
            peer(*script) as served,
            kind.open(DirectConnector(), "127.0.0.1", served.port, **options) as session,
        ):
            session.abandon()
            return await ask(session)

    return asyncio.run(run())


def imap(ask: Callable[[Any], Awaitable[Any]], *lines: str) -> Any:
    return told(
        ImapSession, ask, say("* OK [CAPABILITY IMAP4rev1] hi"), expect("a1 "), say(*lines, "a1 OK done"), hang_up
    )


def pop3(ask: Callable[[Any], Awaitable[Any]], *lines: str) -> Any:
    greeting = (say("+OK hi"), expect("CAPA"), say("+OK", "."))
    return told(Pop3Session, ask, *greeting, expect(), say(*lines), hang_up)


def sieve(ask: Callable[[Any], Awaitable[Any]], reply: bytes) -> Any:
    return told(SieveSession, ask, say('"SASL" ""', "OK"), expect(), send(reply), hang_up)


def test_numbers_of_5000_digits_are_no_numbers() -> None:
    lines = (f"* {DIGITS} EXISTS", f"* OK [UIDNEXT {DIGITS}] x", "* OK [UIDVALIDITY 7] x")
    assert imap(lambda s: s.select(), *lines) == {"access": "", "uidvalidity": 7}
    assert imap(lambda s: s.status("INBOX"), '* STATUS "INBOX" (MESSAGES 3 UIDNEXT abc)') == {"MESSAGES": 3}
    with pytest.raises(CannotAsk, match="cannot be parsed"):
        imap(lambda s: s.status("INBOX"), f'* STATUS "INBOX" (MESSAGES {DIGITS})')
    with pytest.raises(CannotAsk, match="STAT"):
        pop3(lambda s: s.stat(), f"+OK {DIGITS} 1")
    assert pop3(lambda s: s.list(), "+OK", f"{DIGITS} 1", f"1 {DIGITS}", "2 120", ".") == {2: 120}


def test_lists_nested_deep_are_not_followed() -> None:
    with pytest.raises(CannotAsk, match="nested 3000 deep"):
        imap(lambda s: s.thread(), "* THREAD " + "(" * 3000 + "1" + ")" * 3000)
    assert imap(lambda s: s.thread(), "* THREAD " + "(" * 20 + "1" + ")" * 20)


@pytest.mark.parametrize("size", [65_536, 200_000])
def test_a_line_of_64_kib_is_too_long(size: int) -> None:
    with pytest.raises(CannotAsk, match="a line of more than 65536 bytes"):
        imap(lambda s: s.folders(), "* LIST () NIL " + "x" * size)
    with pytest.raises(CannotAsk, match="a line of more than 65536 bytes"):
        sieve(lambda s: s.listscripts(), b'"' + b"x" * size + b'"\r\nOK\r\n')


def test_a_quote_that_is_never_closed_ends_what_can_be_read() -> None:
    with pytest.raises(CannotAsk):
        sieve(lambda s: s.listscripts(), b'"' + b'\\"' * 30_000 + b"\r\n")
    assert sieve(lambda s: s.listscripts(), b'"a" ACTIVE\r\n"b" "' + b'\\"' * 30_000 + b"\r\nOK\r\n") == {
        "a": True,
        "b": False,
    }


def test_what_was_cut_is_marked() -> None:
    with pytest.raises(NotServed) as refused:
        imap(lambda s: s.create("x"), "a1 NO [" + "C" * 9000 + "] " + "t" * 9000)
    assert refused.value.reply is not None
    assert refused.value.reply.enhanced == "C" * TEXT_LIMIT + "…"
    assert refused.value.reply.text == "t" * TEXT_LIMIT + "…"
    reply = told(
        SmtpSession,
        lambda s: s.command("NOOP"),
        say("220 hi"),
        expect(),
        say("250 hi"),
        expect(),
        say("250 " + "x" * 9000),
    )
    assert reply.text == "x" * TEXT_LIMIT + "…"
    assert pop3(lambda s: s.uidl(), "+OK", "1 " + "u" * 9000, ".")[1].endswith("u…")


def test_a_list_without_end_is_cut_off() -> None:
    with pytest.raises(CannotAsk, match="more than 1000 lines"):
        sieve(lambda s: s.listscripts(), b'"a"\r\n' * 2000)
    with pytest.raises(CannotAsk, match="a list of more than 10000 lines"):
        pop3(lambda s: s.list(), "+OK", *["1 120"] * 11_000)
    with pytest.raises(CannotAsk, match="more than 20000 lines"):
        imap(lambda s: s.noop(), *["* 1 EXISTS"] * 21_000)


def test_news_while_idling_are_limited() -> None:
    async def idle(session: Any) -> Any:
        async with session.idle() as idling:
            return await idling.wait_for("NEVER", seconds=20)

    script = (say("* OK [CAPABILITY IDLE] hi"), expect("IDLE"), say("+ go"), say(*["* 1 RECENT"] * 2000), hang_up)
    with pytest.raises(CannotAsk, match="more than 1000 responses to IDLE"):
        told(ImapSession, idle, *script)
