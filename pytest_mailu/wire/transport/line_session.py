"""What IMAP, POP3 and ManageSieve have in common: a greeting, TLS from the start or later, and a word at the end."""

from __future__ import annotations

import ssl
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import ClassVar, Self

from pytest_mailu.core.endpoints import Tls
from pytest_mailu.core.model import Vantage
from pytest_mailu.wire.transport.connector import Connector
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed
from pytest_mailu.wire.transport.reader import Limits
from pytest_mailu.wire.transport.stream import CLOSE_SECONDS, LIMITS, LineStream
from pytest_mailu.wire.transport.tls_context import client_context
from pytest_mailu.wire.transport.transcript import Transcript


class LineSession(ABC):
    """One connection. What was offered is kept per phase: `plain`, `tls` and `login`."""

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
    ) -> AsyncIterator[Self]:
        """Connect, read the greeting, learn what is offered, and begin TLS.

        `sni` is the TLS server name, `host` unless given; `timeout` are the seconds allowed for each reply. Raises
        `NotServed` where the server does not let us get that far, `CannotAsk` where it does not speak the protocol.
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
            session = cls(stream)
            if tls is Tls.IMPLICIT:
                session._phase = "tls"
            await session._greet()
            if tls is Tls.STARTTLS:
                await session._upgrade(context, sni or host)
            yield session
            await session._leave()

    @property
    def transcript(self) -> Transcript:
        """What was said so far."""
        return self.stream.transcript

    @abstractmethod
    async def _greet(self) -> None:
        """Read the greeting, and learn what is offered."""

    @abstractmethod
    async def _upgrade(self, context: ssl.SSLContext, sni: str) -> None:
        """Begin TLS by the protocol's command, and learn what is then offered."""

    @abstractmethod
    async def _goodbye(self) -> None:
        """Say that this was all."""

    async def _leave(self) -> None:
        """Goodbye, if there is still somebody to say it to; never raises and never hangs."""
        if not self._over:
            self.stream.timeout = min(self.stream.timeout, CLOSE_SECONDS)
            with suppress(NotServed, CannotAsk):
                await self._goodbye()
