"""How each protocol is spoken around TLS, one entry each: its session, and commands answered before a login."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from pytest_mailu.core.endpoints import Protocol, Tls
from pytest_mailu.wire.imap.session import ImapSession
from pytest_mailu.wire.pop3.session import Pop3Session
from pytest_mailu.wire.sieve.session import SieveSession
from pytest_mailu.wire.smtp.session import SmtpSession
from pytest_mailu.wire.transport.connector import Connector
from pytest_mailu.wire.transport.line_session import LineSession


@dataclass(frozen=True, slots=True)
class Spoken:
    """A protocol that has STARTTLS.

    `session` knows the way there. `ask` is a command that a server answers under TLS before a login. `injected` is one
    to put behind STARTTLS, `answers` says whether a line is the answer to it, and `leave` makes the server close.
    """

    session: type[LineSession]
    ask: bytes
    injected: bytes
    answers: Callable[[bytes], bool]
    leave: bytes


_SMTP = Spoken(SmtpSession, b"NOOP\r\n", b"VRFY injected\r\n", lambda line: not line.startswith(b"221"), b"QUIT\r\n")

SPOKEN: Mapping[Protocol, Spoken] = {
    Protocol.SMTP: _SMTP,
    Protocol.SUBMISSION: _SMTP,
    Protocol.IMAP: Spoken(
        ImapSession, b"n NOOP\r\n", b"injected NOOP\r\n", lambda line: b"injected " in line, b"z LOGOUT\r\n"
    ),
    Protocol.POP3: Spoken(Pop3Session, b"NOOP\r\n", b"CAPA\r\n", lambda line: line == b".", b"QUIT\r\n"),
    Protocol.MANAGESIEVE: Spoken(
        SieveSession, b"NOOP\r\n", b'NOOP "injected"\r\n', lambda line: b'"injected"' in line, b"LOGOUT\r\n"
    ),
}

_HEAD = b"HEAD / HTTP/1.0\r\n\r\n"


def ask(protocol: Protocol) -> bytes:
    """A command that a server answers under TLS before a login."""
    return _HEAD if protocol is Protocol.HTTP else SPOKEN[protocol].ask


def plain_session(
    protocol: Protocol, connector: Connector, host: str, port: int, **options: Any
) -> AbstractAsyncContextManager[LineSession]:
    """A session that has read the greeting and what is offered; `options` are those of `LineSession.open`."""
    return SPOKEN[protocol].session.open(connector, host, port, tls=Tls.NONE, **options)
