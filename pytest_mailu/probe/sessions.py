"""Sessions with the server under test: as clients open them, and at the mailboxes' own service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from pytest_mailu.core.endpoints import IMAP_143, SIEVE_4190, Endpoint, Tls
from pytest_mailu.core.model import Vantage
from pytest_mailu.core.population import HOSTNAME, User
from pytest_mailu.probe.running_stack import FRONT, RunningStack
from pytest_mailu.wire.imap.session import ImapSession
from pytest_mailu.wire.pop3.session import Pop3Session
from pytest_mailu.wire.sieve.session import SieveSession
from pytest_mailu.wire.smtp.session import SmtpSession
from pytest_mailu.wire.transport.connector import Connector
from pytest_mailu.wire.transport.errors import CannotAsk
from pytest_mailu.wire.transport.proxy_protocol import Introduced
from pytest_mailu.wire.transport.transcript import Transcript

REPLY_SECONDS = 30.0
"""How long a server may take for one reply: on a busy machine, two stacks and other work share its processors.

Dovecot delays a failed login by 2 s and more, Mailu's limiter as well.
"""


class Sessions:
    """Opens sessions with one stack. Everything said in them stands in one transcript.

    A `connector` is taken in the place of the set-up's.
    """

    def __init__(self, stack: RunningStack, transcript: Transcript) -> None:
        self.stack = stack
        self.transcript = transcript

    @property
    def connector(self) -> Connector:
        """For the functions of `wire` that are no session, such as `wire.tls.handshake`."""
        return self.stack.connector

    @property
    def direct(self) -> Connector:
        """The same past the reverse proxies of the set-up: for clients that go round them, and for the proxies."""
        return self.stack.direct

    def at(self, endpoint: Endpoint) -> Endpoint:
        """Where people connect, in the set-up of this run, who connect to `endpoint` in the default one."""
        return self.stack.setup.endpoint(endpoint)

    def address_of(self, name: str) -> str:
        """The address of a service, or of the world where a client with this vantage comes from.

        Raises CannotAsk where the stack does not run.
        """
        found = next((address for address, known in self.stack.addresses.items() if known == name), "")
        if not found:
            _ = self.stack.connector  # says why the stack cannot be asked
            raise CannotAsk(f"{name} has no address")
        return found

    def smtp(
        self,
        endpoint: Endpoint,
        vantage: Vantage = Vantage.STRANGER,
        *,
        host: str = FRONT,
        connector: Connector | None = None,
        **more: Any,
    ) -> AbstractAsyncContextManager[SmtpSession]:
        """An SMTP session that has said EHLO and, where the endpoint has STARTTLS, begun TLS."""
        return SmtpSession.open(connector or self.connector, host, **{**self._common(endpoint, vantage), **more})

    def imap(
        self,
        endpoint: Endpoint,
        vantage: Vantage = Vantage.STRANGER,
        *,
        host: str = FRONT,
        connector: Connector | None = None,
        **more: Any,
    ) -> AbstractAsyncContextManager[ImapSession]:
        """An IMAP session before its login."""
        return ImapSession.open(connector or self.connector, host, **{**self._common(endpoint, vantage), **more})

    def pop3(
        self,
        endpoint: Endpoint,
        vantage: Vantage = Vantage.STRANGER,
        *,
        host: str = FRONT,
        connector: Connector | None = None,
        **more: Any,
    ) -> AbstractAsyncContextManager[Pop3Session]:
        """A POP3 session before its login."""
        return Pop3Session.open(connector or self.connector, host, **{**self._common(endpoint, vantage), **more})

    def sieve(
        self,
        endpoint: Endpoint,
        vantage: Vantage = Vantage.STRANGER,
        *,
        host: str = FRONT,
        connector: Connector | None = None,
        **more: Any,
    ) -> AbstractAsyncContextManager[SieveSession]:
        """A ManageSieve session before its login."""
        return SieveSession.open(connector or self.connector, host, **{**self._common(endpoint, vantage), **more})

    @asynccontextmanager
    async def mailbox(self, user: User) -> AsyncIterator[ImapSession]:
        """The user's mailbox at the `imap` service itself, logged in: what is in it, whatever ports `front` serves.

        Dovecot there accepts any password from `SUBNET`, since only `front` connects from there
        (Mailu core/dovecot/conf/auth.conf, 1.9 to master).
        """
        # The plugin's own session, not the behaviour's: it stays out of the transcript.
        async with ImapSession.open(
            self._imap_connector, "imap", IMAP_143.port, **self._inside(Transcript())
        ) as session:
            await session.login(user.address, "from-inside")
            self.transcript.effort["looks into mailboxes"] += 1
            self.transcript.note(f"looking into the mailbox of {user.address}")
            yield session

    @asynccontextmanager
    async def filters(self, user: User) -> AsyncIterator[SieveSession]:
        """The user's filters at the `imap` service itself, logged in as for `mailbox`, whatever `front` serves."""
        async with SieveSession.open(
            self._imap_connector, "imap", SIEVE_4190.port, **self._inside(self.transcript)
        ) as session:
            await session.authenticate(user.address, "from-inside")
            yield session

    @property
    def _imap_connector(self) -> Connector:
        if not self.stack.release.mailboxes_want_proxy_protocol:
            return self.direct
        here = self.address_of(Vantage.INSIDE)
        return Introduced(self.stack.direct, here, here, Vantage.INSIDE)

    @staticmethod
    def _inside(transcript: Transcript) -> dict[str, Any]:
        return {"tls": Tls.NONE, "vantage": Vantage.INSIDE, "transcript": transcript, "timeout": REPLY_SECONDS}

    def _common(self, endpoint: Endpoint, vantage: Vantage) -> dict[str, Any]:
        there = self.at(endpoint)
        common = {"port": there.port, "tls": there.tls, "vantage": vantage, "sni": HOSTNAME}
        return common | {"transcript": self.transcript, "timeout": REPLY_SECONDS}
