"""Sessions in plain text, by protocol: the way to STARTTLS."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from pytest_mailu.core.endpoints import Protocol, Tls
from pytest_mailu.wire.imap.session import ImapSession
from pytest_mailu.wire.pop3.session import Pop3Session
from pytest_mailu.wire.sieve.session import SieveSession
from pytest_mailu.wire.smtp.session import SmtpSession
from pytest_mailu.wire.transport.connector import Connector
from pytest_mailu.wire.transport.line_session import LineSession

_SESSIONS: Mapping[Protocol, type[LineSession]] = {
    Protocol.SMTP: SmtpSession,
    Protocol.SUBMISSION: SmtpSession,
    Protocol.IMAP: ImapSession,
    Protocol.POP3: Pop3Session,
    Protocol.MANAGESIEVE: SieveSession,
}


def plain_session(
    protocol: Protocol, connector: Connector, host: str, port: int, **options: Any
) -> AbstractAsyncContextManager[LineSession]:
    """A session that has read the greeting and what is offered; `options` are those of `LineSession.open`."""
    return _SESSIONS[protocol].open(connector, host, port, tls=Tls.NONE, **options)
