"""The SOCKS5 proxy (RFC 1928) that clients connect through; user name and password (RFC 1929) are vantage and token.

A connection leaves from the world's own address in the vantage's network, and only to hosts of that network: every
other target is refused with reply 2, so nothing is forwarded to anywhere else.

Nothing listens in any network, where the servers under test are. The proxy connects to the ingress (`ingress.py`) and
waits there for clients; one without the token of the run is turned away before it can ask for anything.
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
from typing import Any, Awaitable, Callable, Coroutine, Dict, Set, Tuple

from .ingress import WANTED, hung_up
from .plan import ClientNetwork, Plan

log = logging.getLogger("world.proxy")
Control = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

CONTROL = "control"
_NEGOTIATION_SECONDS = 10.0
_FAREWELL_SECONDS = 10.0
"""How long a client that was turned away may take to close its side."""
_IDLE = 16
"""Connections that wait at the ingress for clients; each one that is used is replaced at once."""
_RETRY_SECONDS = 0.05
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
        self._tasks: Set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Wait at the ingress, until `stop`. The proxy must be kept: nothing else holds its tasks."""
        for _ in range(_IDLE):
            self._keep(self._wait_at_the_ingress())

    def stop(self) -> None:
        """End everything that goes on."""
        for task in self._tasks:
            task.cancel()

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)  # the loop itself keeps only weak references
        task.add_done_callback(self._tasks.discard)

    async def _wait_at_the_ingress(self) -> None:
        while True:
            try:
                reader, writer = await asyncio.open_unix_connection(self._plan.ingress)
                await reader.readexactly(len(WANTED))
            except (OSError, asyncio.IncompleteReadError):  # the ingress is not open yet, or has closed
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            self._keep(self._serve(reader, writer))

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
            with suppress(OSError, asyncio.TimeoutError):
                await asyncio.wait_for(_farewell(reader, writer), _FAREWELL_SECONDS)
            writer.close()

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        negotiation = _negotiate(reader, writer, self._plan.token)
        vantage, host, port = await asyncio.wait_for(negotiation, _NEGOTIATION_SECONDS)
        if host == CONTROL:
            writer.write(_reply(_OK))
            await self._control(reader, writer)
            return
        client_network = self._plan.client_networks.get(vantage)
        if client_network is None:
            raise _SocksRefusal(_FORBIDDEN, f"no vantage {vantage!r}")
        there_reader, there_writer = await self._connect(
            client_network, await self._resolve(client_network, host), port
        )
        writer.write(_reply(_OK, there_writer.get_extra_info("sockname")[:2]))
        await relay((reader, writer), (there_reader, there_writer))

    async def _resolve(self, client_network: ClientNetwork, host: str) -> str:
        """The IPv4 address of a host as seen from one client network."""
        name = host.rstrip(".").lower()
        if name == "front":
            return client_network.front
        if name in self._plan.services:
            if self._plan.services[name]:
                return self._plan.services[name]
            try:
                found = await asyncio.get_running_loop().getaddrinfo(name, None, family=socket.AF_INET)
            except OSError as error:
                raise _SocksRefusal(_HOST_UNREACHABLE, f"{name}: {error}") from error
            addresses = [str(entry[4][0]) for entry in found]
            return next((one for one in addresses if ipaddress.ip_address(one) in client_network.network), addresses[0])
        try:
            return str(ipaddress.ip_address(host))
        except ValueError as error:
            raise _SocksRefusal(_FORBIDDEN, f"{host!r} is not a host of this world") from error

    async def _connect(
        self, client_network: ClientNetwork, address: str, port: int
    ) -> Tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if ipaddress.ip_address(address) not in client_network.network:
            raise _SocksRefusal(_FORBIDDEN, f"{address} is outside {client_network.network}")
        if ipaddress.ip_address(address) == client_network.network[1]:
            # Docker gives the first address of a network to its own machine, which is no part of this world.
            raise _SocksRefusal(_FORBIDDEN, f"{address} is the engine's own")
        try:
            return await asyncio.wait_for(
                asyncio.open_connection(address, port, local_addr=(client_network.address, 0)),
                self._plan.connect_seconds,
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
    address = ipaddress.ip_address(bound[0])
    return bytes((5, code, 0, 1 if address.version == 4 else 4)) + address.packed + bound[1].to_bytes(2, "big")


_Ends = Tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _farewell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """End our side and wait for the client's end: to the ingress, to close at once would be a reset."""
    if writer.is_closing():
        return
    writer.write_eof()
    while await reader.read(_CHUNK):
        pass


async def relay(client: _Ends, server: _Ends) -> None:
    """Carry bytes both ways until both sides are done. A half-close is passed on, and so is a reset."""
    server_ended = False

    async def to_client() -> None:
        nonlocal server_ended
        await _copy(server[0], client[1])
        server_ended = True
        client[1].write_eof()

    async def to_server() -> None:
        await _copy(client[0], server[1])
        if not server_ended and hung_up(client[1].get_extra_info("socket")):
            raise ConnectionResetError
        server[1].write_eof()

    try:
        await asyncio.gather(to_client(), to_server())
    except OSError:
        # One side was reset: the other must see a reset too, not an orderly end.
        client[1].transport.abort()
        _reset(server[1])
    finally:
        server[1].close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        data = await reader.read(_CHUNK)
        if not data:
            return
        writer.write(data)
        await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    with suppress(OSError):  # closed already
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
