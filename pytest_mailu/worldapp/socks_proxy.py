"""The SOCKS5 proxy (RFC 1928) that clients connect through; user name and password (RFC 1929) are vantage and token.

A connection leaves from the world's own address in the vantage's network, and only to hosts of that network: every
other target is refused with reply 2, so nothing is forwarded to anywhere else.

The way in belongs to the run: without its token, and from or at an address of the internal networks, where the servers
under test are, a connection is closed before it can ask for anything.
"""

from __future__ import annotations

import asyncio
import errno
import hmac
import ipaddress
import logging
import socket
import struct
from contextlib import suppress
from typing import Awaitable, Callable, Dict, Tuple

from .plan import ClientNetwork, Plan

log = logging.getLogger("world.proxy")
Control = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

CONTROL = "control"
_NEGOTIATION_SECONDS = 10.0
_CHUNK = 256 * 1024
_OK, _FAILED, _FORBIDDEN, _NET_UNREACHABLE, _HOST_UNREACHABLE, _REFUSED, _EXPIRED, _NO_COMMAND, _NO_ADDRESS = range(9)
_ERRORS: Dict[int, int] = {
    errno.ECONNREFUSED: _REFUSED,
    errno.ECONNRESET: _REFUSED,  # taken and thrown away at once: nobody was served
    errno.ENETUNREACH: _NET_UNREACHABLE,
    errno.EHOSTUNREACH: _HOST_UNREACHABLE,
    errno.ETIMEDOUT: _EXPIRED,
    errno.EACCES: _FORBIDDEN,
}


class _SocksRefusal(Exception):
    """The request ends with this SOCKS reply."""

    def __init__(self, reply: int, why: str) -> None:
        super().__init__(why)
        self.reply = reply


class SocksProxy:
    """Connects clients from the vantages of the plan, and hands those that ask for `control` to the control service."""

    def __init__(self, plan: Plan, control: Control) -> None:
        self._plan = plan
        self._control = control

    async def start(self) -> int:
        """Serve; the port that was bound."""
        server = await asyncio.start_server(self._serve, self._plan.proxy_address, self._plan.proxy_port, backlog=1024)
        port: int = server.sockets[0].getsockname()[1]
        return port

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._handle(reader, writer)
        except _SocksRefusal as no:
            log.info("refused: %s", no)
            writer.write(_reply(no.reply))
        except (asyncio.IncompleteReadError, asyncio.TimeoutError, ConnectionError):
            pass  # a port scan or a client that went away
        except Exception:
            log.exception("a SOCKS session failed")
        finally:
            writer.close()

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._internal(writer):
            raise ConnectionError("not from the published side")
        negotiation = _negotiate(reader, writer, self._plan.token)
        vantage, host, port = await asyncio.wait_for(negotiation, _NEGOTIATION_SECONDS)
        if host == CONTROL:
            writer.write(_reply(_OK))
            await self._control(reader, writer)
            return
        place = self._plan.places.get(vantage)
        if place is None:
            raise _SocksRefusal(_FORBIDDEN, f"no vantage {vantage!r}")
        there_reader, there_writer = await self._connect(place, await self._resolve(place, host), port)
        writer.write(_reply(_OK, there_writer.get_extra_info("sockname")))
        await relay((reader, writer), (there_reader, there_writer))

    def _internal(self, writer: asyncio.StreamWriter) -> bool:
        """Whether a connection comes from an internal network, or to the world's address in one."""
        ends = (writer.get_extra_info("peername"), writer.get_extra_info("sockname"))
        addresses = [ipaddress.ip_address(end[0]) for end in ends]
        return any(address in place.network for place in self._plan.places.values() for address in addresses)

    async def _resolve(self, place: ClientNetwork, host: str) -> str:
        """The IPv4 address of a host as seen from a place."""
        name = host.rstrip(".").lower()
        if name == "front":
            return place.front
        if name in self._plan.services:
            if self._plan.services[name]:
                return self._plan.services[name]
            try:
                found = await asyncio.get_running_loop().getaddrinfo(name, None, family=socket.AF_INET)
            except OSError as error:
                raise _SocksRefusal(_HOST_UNREACHABLE, f"{name}: {error}") from error
            addresses = [str(entry[4][0]) for entry in found]
            return next((one for one in addresses if ipaddress.ip_address(one) in place.network), addresses[0])
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError as error:
            raise _SocksRefusal(_FORBIDDEN, f"{host!r} is not a host of this world") from error

    async def _connect(
        self, place: ClientNetwork, address: str, port: int
    ) -> Tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if ipaddress.ip_address(address) not in place.network:
            raise _SocksRefusal(_FORBIDDEN, f"{address} is outside {place.network}")
        if ipaddress.ip_address(address) == place.network[1]:
            # Docker gives the first address of a network to its own machine, which is no part of this world.
            raise _SocksRefusal(_FORBIDDEN, f"{address} is the engine's own")
        try:
            return await asyncio.wait_for(
                asyncio.open_connection(address, port, local_addr=(place.address, 0)), self._plan.connect_seconds
            )
        except asyncio.TimeoutError as error:
            raise _SocksRefusal(_EXPIRED, f"{address}:{port} does not answer") from error
        except OSError as error:
            raise _SocksRefusal(_ERRORS.get(error.errno or 0, _FAILED), f"{address}:{port}: {error}") from error


async def _negotiate(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, token: str) -> Tuple[str, str, int]:
    """Vantage, host and port that the client asks for. Raises ConnectionError for a client without the token."""
    version, count = await reader.readexactly(2)
    if version != 5 or 2 not in await reader.readexactly(count):
        writer.write(b"\x05\xff")
        raise ConnectionError("no SOCKS5 with user name")
    writer.write(b"\x05\x02")
    _, length = await reader.readexactly(2)
    vantage = (await reader.readexactly(length)).decode("utf-8", "replace")
    password = await reader.readexactly((await reader.readexactly(1))[0])
    if not hmac.compare_digest(password, token.encode()):
        writer.write(b"\x01\x01")
        raise ConnectionError("a wrong token")
    writer.write(b"\x01\x00")
    _, command, _, kind = await reader.readexactly(4)
    if kind == 1:
        host = str(ipaddress.IPv4Address(await reader.readexactly(4)))
    elif kind == 3:
        host = (await reader.readexactly((await reader.readexactly(1))[0])).decode("utf-8", "replace")
    else:
        raise _SocksRefusal(_NO_ADDRESS, f"address type {kind}")
    port = int.from_bytes(await reader.readexactly(2), "big")
    if command != 1:
        raise _SocksRefusal(_NO_COMMAND, f"command {command}")
    return vantage, host, port


def _reply(code: int, bound: Tuple[str, int] = ("0.0.0.0", 0)) -> bytes:
    return bytes((5, code, 0, 1)) + ipaddress.IPv4Address(bound[0]).packed + bound[1].to_bytes(2, "big")


_Ends = Tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def relay(here: _Ends, there: _Ends) -> None:
    """Carry bytes both ways until both sides are done. A half-close is passed on, and so is a reset."""
    try:
        await asyncio.gather(_carry(here[0], there[1]), _carry(there[0], here[1]))
    except ConnectionError:
        # One side was reset: the other must see a reset too, not an orderly end.
        for _, writer in (here, there):
            _reset(writer)
    finally:
        there[1].close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        data = await reader.read(_CHUNK)
        if not data:
            break
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    with suppress(OSError):  # closed already
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
