"""How a client gets at a server: through the world's SOCKS door, or straight."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import Protocol

from python_socks import ProxyConnectionError, ProxyError, ProxyTimeoutError, ProxyType
from python_socks.async_.asyncio import Proxy

from pytest_mailu.core.model import Outcome, Reply, Stage, Vantage
from pytest_mailu.wire.transport.errors import Stopped, Trouble
from pytest_mailu.wire.transport.transcript import Transcript

DOOR_SECONDS = 30.0
"""Longer than the world waits for a server, so that silence behind the door is told from a silent door."""
DIRECT_SECONDS = 20.0

_REFUSALS = {4: "host unreachable", 5: "connection refused", 6: "no answer to the connection"}
"""Replies of a SOCKS server that are about the server behind it (RFC 1928 section 6)."""
_DEAD_ENDS = {errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ETIMEDOUT}


class Door(Protocol):
    """Opens connections."""

    async def connect(self, host: str, port: int, vantage: Vantage) -> socket.socket:
        """Give a connected, non-blocking socket.

        Raises `Stopped(UNREACHABLE, CONNECT)` when the server does not take the connection, `Trouble` when it could
        not be tried.
        """
        ...


class SocksDoor:
    """The door of a world: SOCKS5 on 127.0.0.1 (RFC 1928), where the user name says the vantage (RFC 1929)."""

    def __init__(self, proxy_port: int, *, timeout: float = DOOR_SECONDS) -> None:
        self._proxy_port = proxy_port
        self._timeout = timeout

    async def connect(self, host: str, port: int, vantage: Vantage) -> socket.socket:
        """See `Door.connect`. Names are resolved by the world."""
        proxy = Proxy(
            ProxyType.SOCKS5, "127.0.0.1", self._proxy_port, username=vantage.value, password=vantage.value, rdns=True
        )
        try:
            return await proxy.connect(host, port, timeout=self._timeout)
        except ProxyTimeoutError as error:
            raise Trouble(f"the world's door did not answer within {self._timeout:g} s") from error
        except ProxyConnectionError as error:
            raise Trouble(f"the world's door on port {self._proxy_port} is not there: {error}") from error
        except ProxyError as error:
            if error.error_code in _REFUSALS:
                raise _unreachable(_REFUSALS[error.error_code]) from error
            raise Trouble(f"the world's door gave no connection to {host}:{port}: {error or 'closed'}") from error
        except OSError as error:
            raise Trouble(f"the world's door broke off: {error}") from error


class AnnouncingDoor:
    """Goes through another door, and says first from where, as a proxy does (PROXY protocol version 1, HAProxy)."""

    def __init__(self, door: Door, address: str) -> None:
        self._door = door
        self._line = f"PROXY TCP4 {address} {address} 40000 143\r\n".encode()

    async def connect(self, host: str, port: int, vantage: Vantage) -> socket.socket:
        """See `Door.connect`."""
        connection = await self._door.connect(host, port, vantage)
        try:
            await asyncio.get_running_loop().sock_sendall(connection, self._line)
        except OSError as error:
            connection.close()
            raise Trouble(f"{host}:{port} closed the connection at once: {error}") from error
        return connection


class DirectDoor:
    """No door at all: straight from this machine; the vantage is ignored."""

    def __init__(self, *, timeout: float = DIRECT_SECONDS) -> None:
        self._timeout = timeout

    async def connect(self, host: str, port: int, vantage: Vantage) -> socket.socket:
        """See `Door.connect`."""
        loop = asyncio.get_running_loop()
        try:
            addresses = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise Trouble(f"{host} has no address: {error}") from error
        last: OSError | None = None
        for family, kind, protocol, _, address in addresses:
            try:
                async with asyncio.timeout(self._timeout):
                    return await _connected(socket.socket(family, kind, protocol), address)
            except OSError as error:
                # A machine without IPv6 says so for every IPv6 address: a refusal by the server counts for more.
                last = error if last is None or _dead_end(error) else last
        if last is not None and _dead_end(last):
            raise _unreachable(_words(last)) from last
        raise Trouble(f"no connection to {host}:{port}: {last}")


async def dial(door: Door, host: str, port: int, *, vantage: Vantage, transcript: Transcript) -> socket.socket:
    """Connect through `door`, and note it. Ends like `Door.connect`, which has deadlines of its own."""
    transcript.note(f"connecting to {host}:{port} as {vantage}")
    try:
        return await door.connect(host, port, vantage)
    except (Stopped, Trouble) as end:
        transcript.note(str(end))
        raise


async def _connected(connection: socket.socket, address: object) -> socket.socket:
    try:
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, address)  # type: ignore[arg-type]
    except BaseException:
        connection.close()
        raise
    return connection


def _dead_end(error: OSError) -> bool:
    return isinstance(error, TimeoutError) or error.errno in _DEAD_ENDS


def _words(error: OSError) -> str:
    return {errno.ECONNREFUSED: _REFUSALS[5], errno.EHOSTUNREACH: _REFUSALS[4]}.get(error.errno or 0, _REFUSALS[6])


def _unreachable(words: str) -> Stopped:
    return Stopped(Outcome.UNREACHABLE, Stage.CONNECT, Reply(text=words))
