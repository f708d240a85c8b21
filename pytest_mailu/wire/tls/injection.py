"""Whether a server carries out commands that stood in plain text behind STARTTLS (CVE-2011-0411, CVE-2021-33515)."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_mailu.core.endpoints import Protocol
from pytest_mailu.core.model import Outcome, Stage
from pytest_mailu.wire.tls.plain_session import plain_session
from pytest_mailu.wire.transport.connector import Connector
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed
from pytest_mailu.wire.transport.stream import LineStream
from pytest_mailu.wire.transport.transcript import Transcript


@dataclass(frozen=True, slots=True)
class _Injection:
    """`command` is injected; a line with `mark` in it is its answer. `leave` makes the server close the session."""

    command: bytes
    mark: bytes
    leave: bytes


_SMTP = _Injection(b"VRFY injected\r\n", b"", b"QUIT\r\n")
_INJECTIONS = {
    Protocol.SMTP: _SMTP,
    Protocol.SUBMISSION: _SMTP,
    Protocol.IMAP: _Injection(b"injected NOOP\r\n", b"injected ", b"z LOGOUT\r\n"),
    Protocol.POP3: _Injection(b"CAPA\r\n", b".", b"QUIT\r\n"),
    Protocol.MANAGESIEVE: _Injection(b'NOOP "injected"\r\n', b'"injected"', b"LOGOUT\r\n"),
}


async def answers_injected(
    connector: Connector,
    host: str,
    port: int,
    protocol: Protocol,
    *,
    transcript: Transcript | None = None,
    timeout: float = 20.0,  # noqa: ASYNC109 - of each reply, not of the whole
) -> bool:
    """Whether a command sent in plain text behind STARTTLS is answered under TLS. Wanted: no.

    A handshake that the injected bytes break is as good as one that goes on without them.
    """
    injection = _INJECTIONS[protocol]
    async with plain_session(protocol, connector, host, port, transcript=transcript, timeout=timeout) as session:
        session.abandon()
        await session.request_tls(injection.command)
        try:
            await session.stream.start_tls()
        except NotServed as error:
            if error.outcome is Outcome.TLS_FAILED:
                return False
            raise
        await session.stream.send(injection.leave)
        return _answered(await _until_closed(session.stream), protocol, injection.mark)


def _answered(lines: list[bytes], protocol: Protocol, mark: bytes) -> bool:
    if protocol in (Protocol.SMTP, Protocol.SUBMISSION):
        return any(not line.startswith(b"221") for line in lines)
    return mark in lines if protocol is Protocol.POP3 else any(mark in line for line in lines)


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
