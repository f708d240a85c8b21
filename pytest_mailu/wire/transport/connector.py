"""How a client connects to a server: through the world's SOCKS proxy."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from typing import Protocol

from python_socks import ProxyConnectionError, ProxyError, ProxyTimeoutError, ProxyType
from python_socks.async_.asyncio import Proxy

from pytest_mailu.core.model import Outcome, Reply, Stage, Vantage
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed
from pytest_mailu.wire.transport.transcript import Transcript

PROXY_SECONDS = 30.0
"""Longer than the world waits for a server, so that a silent server is told from a silent proxy."""

CONTROL = "control"
"""The user name, and the host, of the world's control channel."""

REFUSED = "connection refused"
"""What is said where a host answers that nobody listens at a port."""

_REFUSALS = {4: "host unreachable", 5: REFUSED, 6: "no answer to the connection"}
"""Replies of a SOCKS server that are about the server behind it (RFC 1928 section 6)."""


class Connector(Protocol):
    """Opens connections."""

    async def connect(self, host: str, port: int, vantage: Vantage) -> socket.socket:
        """Give a connected, non-blocking socket.

        Raises `NotServed(UNREACHABLE, CONNECT)` when the server does not take the connection, `CannotAsk` when it could
        not be tried.
        """
        ...


@dataclass(frozen=True, slots=True)
class SocksConnector:
    """The SOCKS5 proxy of a world (RFC 1928) at `host` and `port`.

    User name and password are the vantage and the run's `token` (RFC 1929); `timeout` is the seconds that the proxy has
    to connect.
    """

    port: int
    token: str = field(repr=False)
    host: str = "127.0.0.1"
    timeout: float = PROXY_SECONDS

    async def connect(self, host: str, port: int, vantage: Vantage) -> socket.socket:
        """See `Connector.connect`. Names are resolved by the world."""
        return await self._open(vantage.value, host, port)

    async def connect_control(self) -> socket.socket:
        """Connect to the world's control channel. Raises `CannotAsk`."""
        return await self._open(CONTROL, CONTROL, 1)

    async def _open(self, user: str, host: str, port: int) -> socket.socket:
        proxy = Proxy(ProxyType.SOCKS5, self.host, self.port, username=user, password=self.token, rdns=True)
        there = f"the world's SOCKS proxy on {self.host}:{self.port}"
        try:
            return await proxy.connect(host, port, timeout=self.timeout)
        except ProxyTimeoutError as error:
            raise CannotAsk(f"{there} did not answer within {self.timeout:g} s") from error
        except ProxyConnectionError as error:
            raise CannotAsk(f"{there} cannot be reached: {error}") from error
        except ProxyError as error:
            if error.error_code in _REFUSALS:
                raise _unreachable(_REFUSALS[error.error_code]) from error
            raise CannotAsk(f"{there} did not connect to {host}:{port}: {error or 'closed'}") from error
        except OSError as error:
            raise CannotAsk(f"{there} closed the connection: {error}") from error


async def dial(
    connector: Connector, host: str, port: int, *, vantage: Vantage, transcript: Transcript
) -> socket.socket:
    """Connect through `connector`, and note it. Raises as `Connector.connect`, which has deadlines of its own."""
    transcript.connecting(host, port, vantage)
    try:
        return await connector.connect(host, port, vantage)
    except (NotServed, CannotAsk) as end:
        transcript.end(str(end))
        raise


def _unreachable(words: str) -> NotServed:
    return NotServed(Outcome.UNREACHABLE, Stage.CONNECT, Reply(text=words))
