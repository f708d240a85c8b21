"""What SMTP, IMAP, POP3 and ManageSieve have in common: a greeting, TLS from the start or later, a goodbye."""

from __future__ import annotations

import ssl
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, ClassVar, Self

from pytest_mailu.core.endpoints import Tls
from pytest_mailu.core.model import Vantage
from pytest_mailu.wire.transport.connector import Connector
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed
from pytest_mailu.wire.transport.reader import Limits
from pytest_mailu.wire.transport.stream import CLOSE_SECONDS, LIMITS, LineStream
from pytest_mailu.wire.transport.tls_context import client_context
from pytest_mailu.wire.transport.transcript import Transcript


class LineSession(ABC):
    """One connection. What the server offers is kept per phase: `plain`, `tls` and `login`."""

    limits: ClassVar[Limits] = LIMITS
    """How much a server may say."""

    def __init__(self, stream: LineStream) -> None:
        self.stream = stream
        self._phase = "plain"
        self._over = False

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        connector: Connector,
        host: str,
        port: int,
        *,
        tls: Tls = Tls.STARTTLS,
        vantage: Vantage = Vantage.STRANGER,
        transcript: Transcript | None = None,
        timeout: float = 20.0,  # noqa: ASYNC109 - of each reply, not of the whole
        sni: str | None = None,
        context: ssl.SSLContext | None = None,
        **options: Any,
    ) -> AsyncIterator[Self]:
        """Connect, read the greeting, learn what is offered, and start TLS.

        `sni` is the TLS server name, by default `host`; `timeout` is in seconds, for each reply; `options` are those of
        the protocol's session. Raises `NotServed` where the server does not let the client get that far, `CannotAsk`
        where it does not speak the protocol.
        """
        context = context or client_context()
        async with LineStream.open(
            connector,
            host,
            port,
            vantage=vantage,
            transcript=transcript,
            timeout=timeout,
            context=context if tls is Tls.IMPLICIT else None,
            sni=sni or host,
            limits=cls.limits,
        ) as stream:
            session = cls(stream, **options)
            if tls is Tls.IMPLICIT:
                session._phase = "tls"
            await session._greet()
            await session._prepare(tls, context, sni or host)
            yield session
            await session._leave()

    @property
    def transcript(self) -> Transcript:
        """Records the conversation."""
        return self.stream.transcript

    @property
    def timeout(self) -> float:
        """Seconds that the server has for each reply."""
        return self.stream.timeout

    async def starttls(self, context: ssl.SSLContext | None = None, sni: str | None = None) -> None:
        """Start TLS by the protocol's command, if offered, and learn what is offered then."""
        await self.request_tls()
        await self.stream.start_tls(context, sni)
        self._phase = "tls"
        await self._started_tls()

    @abstractmethod
    async def request_tls(self, injected: bytes = b"") -> None:
        """Send the command that starts TLS, with `injected` behind it in one piece, and read the reply.

        The handshake is up to the caller. Not offered: `NotServed(NOT_OFFERED, TLS)`.
        """

    def abandon(self) -> None:
        """Leaving `open` then closes the connection without a goodbye."""
        self._over = True

    @abstractmethod
    async def _greet(self) -> None:
        """Read the greeting, and learn what is offered."""

    async def _prepare(self, tls: Tls, context: ssl.SSLContext, sni: str) -> None:
        """Start TLS where `tls` says so."""
        if tls is Tls.STARTTLS:
            await self.starttls(context, sni)

    @abstractmethod
    async def _started_tls(self) -> None:
        """Learn what is offered under TLS."""

    @abstractmethod
    async def _goodbye(self) -> None:
        """Tell the server that the session is over."""

    async def _leave(self) -> None:
        """Say goodbye on a session that is not over; never raises and never hangs."""
        if not self._over:
            self.stream.timeout = min(self.stream.timeout, CLOSE_SECONDS)
            with suppress(NotServed, CannotAsk):
                await self._goodbye()
