"""Sessions with hostile peers on real sockets: every conversation ends soon, with limited data or one of two errors."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mailu.core.endpoints import Protocol, Tls
from pytest_mailu.wire.http.client import HttpSession
from pytest_mailu.wire.imap.session import ImapSession
from pytest_mailu.wire.pop3.session import Pop3Session
from pytest_mailu.wire.sieve.session import SieveSession
from pytest_mailu.wire.smtp.session import SmtpSession
from pytest_mailu.wire.tls.handshake import handshake
from pytest_mailu.wire.tls.injection import answers_injected
from pytest_mailu.wire.transport.connector import SocksConnector
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed
from tests.wire.direct import DirectConnector

from .material import check, fuzzed, texts

Turns = list[bytes]
Operation = Callable[[Any], Awaitable[Any]]
SECONDS = 20.0
"""Of a whole conversation; each reply has REPLY_SECONDS."""
REPLY_SECONDS = 0.5
PATIENCE = 0.02
"""A peer goes on after so many seconds, whether it has heard something or not."""


def turns(*words: bytes) -> st.SearchStrategy[Turns]:
    return st.lists(texts(words, size=8), min_size=1, max_size=8)


def converse(said: Turns, client: Callable[[int], Awaitable[None]]) -> None:
    """A client and a server that says one turn after the other, and then hangs up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(SECONDS):
                for turn in said:
                    writer.write(turn)
                    await writer.drain()
                    with suppress(TimeoutError):
                        async with asyncio.timeout(PATIENCE):
                            await reader.read(65536)
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server, asyncio.timeout(SECONDS):
            with suppress(NotServed, CannotAsk):
                await client(server.sockets[0].getsockname()[1])

    asyncio.run(run())


async def asked(session: Any, operations: tuple[Operation, ...]) -> None:
    """Do one thing after the other, until the connection is of no more use."""
    for operation in operations:
        try:
            check(await operation(session))
        except NotServed as refused:
            check([str(refused), refused.reply])
        except CannotAsk as error:
            check(error.reason)
            break
    for event in session.transcript.events:
        assert str(event).isprintable()
        assert len(str(event)) < 600


SMTP: tuple[Operation, ...] = (
    lambda s: s.login("al", "secret-1", force=True),
    lambda s: s.send("a@b", ["c@d", "e@f"], b"Subject: x\r\n\r\nx\r\n"),
    lambda s: s.pipeline("NOOP", "RSET"),
    lambda s: s.bdat(b"x"),
    lambda s: s.rest(),
)
IMAP: tuple[Operation, ...] = (
    lambda s: s.login("al", "secret-1", force=True),
    lambda s: s.select(),
    lambda s: s.folders(),
    lambda s: s.fetch("1:*"),
    lambda s: s.status("INBOX"),
    lambda s: s.search("ALL"),
    lambda s: s.thread(),
    lambda s: s.quota(),
    lambda s: s.id(),
    lambda s: s.namespace(),
    lambda s: s.append("INBOX", b"x"),
    lambda s: s.expunge(),
)
POP3: tuple[Operation, ...] = (
    lambda s: s.login("al", "secret-1", force=True),
    lambda s: s.stat(),
    lambda s: s.list(),
    lambda s: s.uidl(),
    lambda s: s.retr(1),
)
SIEVE: tuple[Operation, ...] = (
    lambda s: s.authenticate("al", "secret-1", force=True),
    lambda s: s.listscripts(),
    lambda s: s.getscript("x"),
    lambda s: s.putscript("x", "keep;"),
    lambda s: s.capability(),
)


def session_of(kind: Any, operations: tuple[Operation, ...]) -> Callable[[int], Awaitable[None]]:
    async def client(port: int) -> None:
        options = {"tls": Tls.NONE, "timeout": REPLY_SECONDS}
        async with kind.open(DirectConnector(), "127.0.0.1", port, **options) as session:
            await asked(session, operations)

    return client


@fuzzed(60)
@given(
    turns(
        b"220 hi\r\n",
        b"250-x\r\n",
        b"250 AUTH PLAIN\r\n",
        b"235 ok\r\n",
        b"354 go\r\n",
        b"250 2.0.0 queued as 4ABCDEF\r\n",
        b"451 4.7.1 no\r\n",
        b"221 bye\r\n",
        b"334 \r\n",
    )
)
def test_smtp(said: Turns) -> None:
    converse([b"220 hi\r\n", b"250 hi\r\n", *said], session_of(SmtpSession, SMTP))
    converse(said, session_of(SmtpSession, SMTP))


@fuzzed(80)
@given(
    turns(
        b"* OK hi\r\n",
        b"* CAPABILITY IDLE\r\n",
        b"a1 OK x\r\n",
        b"a2 OK [READ-WRITE] x\r\n",
        b"a3 OK\r\n",
        b"a4 OK\r\n",
        b"* 1 FETCH (UID 3 ",
        b"FLAGS (\\Seen)",
        b"BODY[] {3}\r\nabc",
        b")\r\n",
        b"* LIST () ",
        b'"/" ',
        b"x\r\n",
        b"* STATUS x (MESSAGES 1)\r\n",
        b"* SEARCH 1 2\r\n",
        b"* THREAD (1 (2))\r\n",
        b"* QUOTA x (STORAGE 1 2)\r\n",
        b"+ go\r\n",
        b"* BYE\r\n",
    )
)
def test_imap(said: Turns) -> None:
    greeting = b"* OK [CAPABILITY IMAP4rev1] hi\r\n"
    ended = [turn + b"\r\na%d OK done\r\n" % number for number, turn in enumerate(said, 1)]
    converse([greeting, *ended], session_of(ImapSession, IMAP))
    for number in range(1, len(IMAP)):
        reply = b"".join(said) + b"\r\na1 OK x\r\n"
        converse([greeting, reply], session_of(ImapSession, (IMAP[number],)))


@fuzzed(60)
@given(
    turns(
        b"+OK hi\r\n",
        b"-ERR [SYS/TEMP] no\r\n",
        b"+ \r\n",
        b"1 120\r\n",
        b".\r\n",
        b"..x\r\n",
        b"USER\r\n",
        b"+OK 1 2\r\n",
    )
)
def test_pop3(said: Turns) -> None:
    converse([b"+OK hi\r\n", b"+OK\r\nUSER\r\n.\r\n", b"+OK\r\n", b"+OK\r\n", *said], session_of(Pop3Session, POP3))
    converse(said, session_of(Pop3Session, POP3))


@fuzzed(60)
@given(
    turns(
        b'"SASL" "PLAIN"\r\n',
        b"OK\r\n",
        b'OK "x"\r\n',
        b"NO (TRYLATER) ",
        b'"a" ACTIVE\r\n',
        b"{3}\r\nabc",
        b'"',
        b"\r\n",
    )
)
def test_managesieve(said: Turns) -> None:
    converse([b'"SASL" "PLAIN"\r\nOK\r\n', *said], session_of(SieveSession, SIEVE))
    converse(said, session_of(SieveSession, SIEVE))


@fuzzed(60)
@given(
    turns(
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 302 x\r\n",
        b"Location: /x\r\n",
        b"Location: http://",
        b"Set-Cookie: a=b; ",
        b"Content-Length: 3\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"\r\n",
        b"3\r\nabc\r\n",
        b"0\r\n\r\n",
        b"{}",
    )
)
def test_http(said: Turns) -> None:
    async def client(port: int) -> None:
        options = {"tls": Tls.NONE, "timeout": REPLY_SECONDS}
        async with HttpSession.open(DirectConnector(), "127.0.0.1", port, **options) as web:
            reply = await web.get("/")
            check([reply.status, reply.headers, reply.chain, reply.cookies])
            reply.json()

    converse(said, client)


@fuzzed(60)
@given(
    st.sampled_from([Protocol.SMTP, Protocol.IMAP, Protocol.POP3, Protocol.MANAGESIEVE]),
    turns(b"\x15\x03\x01", b"\x16\x03"),
)
def test_starttls(protocol: Protocol, said: Turns) -> None:
    """Rubbish where a TLS handshake is due."""
    before = {
        Protocol.SMTP: [b"220 hi\r\n", b"250 STARTTLS\r\n", b"220 go\r\n"],
        Protocol.IMAP: [b"* OK [CAPABILITY STARTTLS] hi\r\n", b"a1 OK go\r\n"],
        Protocol.POP3: [b"+OK hi\r\n", b"+OK\r\nSTLS\r\n.\r\n", b"+OK go\r\n"],
        Protocol.MANAGESIEVE: [b'"STARTTLS"\r\nOK\r\n', b"OK go\r\n"],
    }[protocol]

    async def shaken(port: int) -> None:
        how: dict[str, Any] = {"tls": Tls.STARTTLS, "protocol": protocol, "timeout": REPLY_SECONDS}
        check(await handshake(DirectConnector(), "127.0.0.1", port, maximum=ssl.TLSVersion.TLSv1_2, **how))

    async def injected(port: int) -> None:
        check(await answers_injected(DirectConnector(), "127.0.0.1", port, protocol, timeout=REPLY_SECONDS))

    converse([*before, *said], shaken)
    converse([*before, *said], injected)


@fuzzed(60)
@given(
    turns(
        b"\x05\x02", b"\x01\x00", b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00", b"\x05\x05\x00\x03", b"\x05\x00\x00\x04"
    )
)
def test_socks_proxies(said: Turns) -> None:
    async def client(port: int) -> None:
        proxy = SocksConnector(port, "any-token-at-all", timeout=REPLY_SECONDS)
        async with SmtpSession.open(proxy, "front", 25, tls=Tls.NONE, timeout=REPLY_SECONDS):
            pass

    converse(said, client)


FLOODS = {
    "smtp-lines": (SmtpSession, SMTP, b"220-x\r\n", b"", b"250-" + b"x" * 60 + b"\r\n"),
    "smtp-line": (SmtpSession, SMTP, b"", b"", b"x" * 65_536),
    "imap-responses": (ImapSession, IMAP[1:2], b"* OK [CAPABILITY X] hi\r\n", b"", b"* 1 EXISTS\r\n"),
    "imap-line": (ImapSession, IMAP[1:2], b"* OK [CAPABILITY X] hi\r\n", b"", b"* LIST (" + b"x" * 65_536),
    "imap-literals": (ImapSession, IMAP[3:4], b"* OK [CAPABILITY X] hi\r\n", b"* 1 FETCH (", b"X {1}\r\na "),
    "imap-literal": (
        ImapSession,
        IMAP[3:4],
        b"* OK [CAPABILITY X] hi\r\n",
        b"* 1 FETCH (X {67000000}\r\n",
        b"a" * 65_536,
    ),
    "pop3-list": (Pop3Session, POP3[2:3], b"+OK hi\r\n", b"+OK\r\n", b"1 120\r\n"),
    "pop3-message": (Pop3Session, POP3[4:5], b"+OK hi\r\n", b"+OK\r\n.\r\n", b"x" * 70 + b"\r\n"),
    "sieve-lines": (SieveSession, SIEVE[1:2], b"OK\r\n", b"", b'"a"\r\n'),
    "sieve-literals": (SieveSession, SIEVE[1:2], b"OK\r\n", b'"', b"{1}\r\na"),
}
"""Session, what is asked, the greeting, how the flood begins, and what it is made of."""


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_is_cut_off_and_the_loop_goes_on_meanwhile(name: str) -> None:
    kind, operations, greeting, begin, piece = FLOODS[name]
    longest = 0.0

    async def heartbeat() -> None:
        nonlocal longest
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.01)
            longest = max(longest, time.perf_counter() - before)

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        block = piece * (200_000 // len(piece) + 1)
        with suppress(OSError):
            writer.write(greeting)
            if greeting:
                await reader.read(65536)
            writer.write(begin)
            for _ in range(500):
                writer.write(block)
                await writer.drain()
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(flood, "127.0.0.1", 0)
        beating = asyncio.create_task(heartbeat())
        async with server, asyncio.timeout(60):
            with suppress(NotServed, CannotAsk):
                await session_of(kind, operations)(server.sockets[0].getsockname()[1])
        beating.cancel()

    asyncio.run(run())
    assert longest < 5.0
