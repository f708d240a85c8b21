"""A `front` on this machine behind reverse proxies: SMTP on 25, a web site on 80, a log of whom it takes clients for.

Vantages are addresses of 127.0.0.0/8, so it sees where a connection comes from.
"""

from __future__ import annotations

import asyncio
import re
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Any

from pytest_mailu.core.model import Vantage
from pytest_mailu.core.population import ELSEWHERE, HOSTNAME
from pytest_mailu.core.releases import Release
from pytest_mailu.core.setups import SetUp
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.shared import SharedAnswers
from pytest_mailu.wire.transport.proxy_protocol import ThroughProxy

HERE = "127.0.71.1"
ADDRESSES = {vantage: f"127.0.71.{number}" for number, vantage in enumerate(Vantage, start=20)}
PROXY = ADDRESSES[Vantage.PROXY]
BOTH = frozenset({PROXY, ADDRESSES[Vantage.FAR_PROXY]})
ALL = frozenset(ADDRESSES.values())
_VERSION_2 = b"\r\n\r\n\0\r\nQUIT\n"


@dataclass
class Front:
    """What it makes of proxies.

    `believes` are the peers whose word counts, `expects` says whether the PROXY protocol is expected on 25, `recursive`
    whether believed addresses in X-Forwarded-For are passed over; `trusts` are the proxies whose X-Auth-Email logs in.
    With `stumbles`, who has logged in is shown an error. With `hangs_up_on_ipv6`, nobody with IPv6 is served on 25.
    """

    believes: frozenset[str] = BOTH
    expects: bool = True
    recursive: bool = True
    trusts: frozenset[str] = frozenset()
    tells_proxy: bool = True
    stumbles: bool = False
    limit: int = 60_000_000
    loops: bool = False
    hangs_up_on_ipv6: bool = False
    log: list[str] = field(default_factory=list)
    users: set[str] = field(default_factory=set)

    async def smtp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = peer = writer.get_extra_info("peername")[0]
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            if self.expects:
                named = await _named(reader)
                if named is None or (self.hangs_up_on_ipv6 and ":" in named):
                    writer.close()
                    return
                client = named if peer in self.believes else peer
            self.log.append(f"connect from {client}")
            writer.write(b"220 hi\r\n")
            while line := await reader.readline():
                writer.write(self._reply(line.decode("latin-1").upper(), client))
        writer.close()

    def _reply(self, line: str, client: str) -> bytes:
        if line.startswith(("RCPT", "NOOP")) and ELSEWHERE.upper() in line and client != ADDRESSES[Vantage.RELAYNET]:
            return b"554 5.7.1 Relay access denied\r\n"
        return b"250 here\r\n"

    async def web(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")[0]
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            start, *lines = head.split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            await reader.readexactly(int(headers.get("content-length", "0")))
            self.log.append(f'{self._client(peer, headers)} - - "{start}"')
            writer.write(self._page(start.split(" ")[1], headers, peer))
            await writer.drain()
        writer.close()

    def _client(self, peer: str, headers: dict[str, str]) -> str:
        chain = [each.strip() for each in headers.get("x-forwarded-for", "").split(",") if each.strip()]
        if peer not in self.believes or not chain:
            return peer
        client = chain.pop()
        while self.recursive and client in self.believes and chain:
            client = chain.pop()
        return client

    def _page(self, path: str, headers: dict[str, str], peer: str) -> bytes:
        def answer(status: str, more: str = "", body: str = "") -> bytes:
            return f"HTTP/1.1 {status}\r\n{more}Content-Length: {len(body)}\r\n\r\n{body}".encode()

        user = headers.get("x-auth-email", "")
        by = peer if self.tells_proxy else headers.get("x-forwarded-by", "")
        if int(headers.get("content-length", "0")) > self.limit:
            return answer("413 Too Large")
        if path == "/sso/login" and user:
            if by not in self.trusts or user not in self.users:
                return answer("500 No")
            status = "500 No" if self.stumbles else "302 Found"
            return answer(status, f"Location: /admin\r\nSet-Cookie: session={user}; Path=/\r\n")
        if path.startswith("/admin/user/settings"):
            found = re.search(r"session=([^;]+)", headers.get("cookie", ""))
            return (
                answer("200 OK", body=f"<p>{found[1]}</p>")
                if found
                else answer("302 Found", "Location: /sso/login\r\n")
            )
        if path == "/":
            return answer("301 Moved", f"Location: https://{HOSTNAME}/\r\n") if self.loops else answer("200 OK")
        return answer("404 Not Found")


async def _named(reader: asyncio.StreamReader) -> str | None:
    """The client that the PROXY protocol names; None for anything else."""
    first = await reader.readexactly(6)
    if first == b"PROXY ":
        return (await reader.readline()).split()[1].decode()
    if first == _VERSION_2[:6] and await reader.readexactly(6) == _VERSION_2[6:]:
        _, _, length = await reader.readexactly(1), await reader.readexactly(1), await reader.readexactly(2)
        return str(IPv4Address((await reader.readexactly(int.from_bytes(length, "big")))[:4]))
    return None


class _Vantaged:
    """Connects from the address of the vantage."""

    def __init__(self, ports: dict[int, int]) -> None:
        self._ports = ports

    async def connect(self, host: str, port: int, vantage: Vantage) -> socket.socket:
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        connection.setblocking(False)
        connection.bind((ADDRESSES[vantage], 0))
        await asyncio.get_running_loop().sock_connect(connection, (HERE, self._ports[port]))
        return connection


class _Services:
    def __init__(self, front: Front) -> None:
        self._front = front

    def environment(self, service: str) -> dict[str, str]:
        return {}

    async def log_since(self, service: str, moment: float) -> list[str]:
        return list(self._front.log) if service == "front" else []


class _Stack:
    def __init__(self, front: Front, setup: SetUp, ports: dict[int, int], release: str) -> None:
        self.release, self.setup, self.seed = Release.parse(release), setup, 1
        self.direct: Any = _Vantaged(ports)
        proxied = setup.proxies.ports
        self.connector: Any = ThroughProxy(self.direct, "front", HERE, proxied, ADDRESSES) if proxied else self.direct
        self.addresses = {**{address: str(vantage) for vantage, address in ADDRESSES.items()}, HERE: "front"}
        self.services, self.shared = _Services(front), SharedAnswers()


@asynccontextmanager
async def probing(front: Front, setup: SetUp, release: str = "2024.06.24") -> AsyncIterator[Probe]:
    """A probe of this front in a set-up."""
    async with (
        await asyncio.start_server(front.smtp, HERE, 0) as smtp,
        await asyncio.start_server(front.web, HERE, 0, limit=1 << 20) as web,
    ):
        ports = {25: smtp.sockets[0].getsockname()[1], 80: web.sockets[0].getsockname()[1]}
        yield Probe(_Stack(front, setup, ports, release), time.time())  # type: ignore[arg-type]
