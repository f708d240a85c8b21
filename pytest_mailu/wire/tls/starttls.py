"""From plain text to TLS in IMAP, POP3 and ManageSieve, and in SMTP where no more than TLS is asked about."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_mailu.core.endpoints import Protocol
from pytest_mailu.core.model import Outcome, Reply, Stage
from pytest_mailu.core.text import show_line
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed
from pytest_mailu.wire.transport.stream import LineStream

SMTP = (Protocol.SMTP, Protocol.SUBMISSION)


@dataclass(frozen=True, slots=True)
class Opening:
    """The plain-text preamble of one protocol.

    `ask` brings the list of what is offered (nothing where the greeting is that list), whose last line starts with one
    of `ends`; `offer` stands in it, `start` begins TLS, and the answer to that is good when it starts with `good`.
    `probe` may be sent under TLS before login, and `leave` makes the server answer and hang up.
    """

    greeted: tuple[bytes, ...]
    ask: bytes
    ends: tuple[bytes, ...]
    offer: bytes
    start: bytes
    good: tuple[bytes, ...]
    probe: bytes
    leave: bytes


# RFC 3207
_SMTP = Opening(
    (b"220 ", b"220"), b"EHLO client.elsewhere.example\r\n", (b"250 ",), b"STARTTLS", b"STARTTLS\r\n", (b"220",),
    b"NOOP\r\n", b"QUIT\r\n",
)  # fmt: skip
OPENINGS: dict[Protocol, Opening] = {
    Protocol.SMTP: _SMTP,
    Protocol.SUBMISSION: _SMTP,
    # RFC 9051 section 6.2.1
    Protocol.IMAP: Opening(
        (b"* OK",), b"c CAPABILITY\r\n", (b"c ",), b"STARTTLS", b"s STARTTLS\r\n", (b"s OK",),
        b"n NOOP\r\n", b"z LOGOUT\r\n",
    ),
    # RFC 2595 section 4
    Protocol.POP3: Opening(
        (b"+OK",), b"CAPA\r\n", (b".", b"-ERR"), b"STLS", b"STLS\r\n", (b"+OK",), b"NOOP\r\n", b"QUIT\r\n",
    ),
    # RFC 5804 section 2.2
    Protocol.MANAGESIEVE: Opening(
        (b"OK",), b"", (b"OK",), b'"STARTTLS"', b"STARTTLS\r\n", (b"OK",), b"NOOP\r\n", b"LOGOUT\r\n"
    ),
}  # fmt: skip


async def to_tls(stream: LineStream, protocol: Protocol, injected: bytes = b"") -> None:
    """Read the greeting, ask what is offered, and send the command that begins TLS, with `injected` behind it.

    The handshake itself is left to the caller. Not offered: `NotServed(NOT_OFFERED, TLS)`; refused: `REFUSED` or, with
    SMTP's 4xx, `DEFERRED`.
    """
    opening = OPENINGS[protocol]
    if protocol is Protocol.MANAGESIEVE:
        offered = await _lines(stream, Stage.GREETING, (b"OK", b"NO", b"BYE"))
    else:
        offered = await _lines(stream, Stage.GREETING, (), more=b"220-" if protocol in SMTP else b"")
    if not offered[-1].upper().startswith(opening.greeted):
        raise _refusal(offered[-1], Stage.GREETING)
    if opening.ask:
        await stream.send(opening.ask)
        ends = opening.ends if protocol not in SMTP else ()
        offered = await _lines(stream, Stage.EHLO, ends, more=b"250-" if protocol in SMTP else b"")
    if not any(opening.offer in line.upper() for line in offered):
        raise NotServed(Outcome.NOT_OFFERED, Stage.TLS)
    await stream.send(opening.start + injected)
    answer = (await _lines(stream, Stage.TLS, (), more=b"220-" if protocol in SMTP else b""))[-1]
    if not answer.upper().startswith(tuple(good.upper() for good in opening.good)):
        raise _refusal(answer, Stage.TLS)


async def answers_injected(stream: LineStream, protocol: Protocol) -> bool:
    """Whether a command sent in plain text behind STARTTLS is answered under TLS (CVE-2011-0411). Wanted: no.

    A handshake that the injected bytes break is as good as one that goes on without them. `stream` is freshly
    connected; the session is over afterwards.
    """
    injected, mark = {
        Protocol.SMTP: (b"VRFY injected\r\n", None),
        Protocol.SUBMISSION: (b"VRFY injected\r\n", None),
        Protocol.IMAP: (b"injected NOOP\r\n", b"injected "),
        Protocol.POP3: (b"CAPA\r\n", b"."),
        Protocol.MANAGESIEVE: (b'NOOP "injected"\r\n', b'"injected"'),
    }[protocol]
    await to_tls(stream, protocol, injected)
    try:
        await stream.start_tls()
    except NotServed as stopped:
        if stopped.outcome is Outcome.TLS_FAILED:
            return False
        raise
    await stream.send(OPENINGS[protocol].leave)
    lines = await _until_closed(stream)
    if mark is None:
        return any(not line.startswith(b"221") for line in lines)
    return any(line == mark if mark == b"." else mark in line for line in lines)


async def _until_closed(stream: LineStream) -> list[bytes]:
    lines: list[bytes] = []
    try:
        async with stream.reply(Stage.COMMAND):
            while True:
                lines.append(await stream.line())
    except CannotAsk:
        if not lines:
            raise
    return lines


async def _lines(stream: LineStream, stage: Stage, ends: tuple[bytes, ...], more: bytes = b"") -> list[bytes]:
    """Lines up to one that starts with any of `ends`; without any, one line and those that `more` announces."""
    lines: list[bytes] = []
    async with stream.reply(stage):
        while True:
            line = await stream.line()
            lines.append(line)
            if ends and not line.upper().startswith(tuple(end.upper() for end in ends)):
                continue
            if more and line.startswith(more):
                continue
            return lines


def _refusal(line: bytes, stage: Stage) -> NotServed:
    code, _, text = show_line(line).partition(" ")
    outcome = Outcome.DEFERRED if len(code) == 3 and code.startswith("4") and code.isdecimal() else Outcome.REFUSED
    return NotServed(outcome, stage, Reply(code, "", text))
