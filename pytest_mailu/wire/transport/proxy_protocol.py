"""The PROXY protocol, versions 1 and 2, as a reverse proxy sends it before anything else.

https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt, sections 2.1 and 2.2.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import ip_address

from pytest_mailu.core.model import Outcome, Stage, Vantage
from pytest_mailu.wire.transport.connector import Connector
from pytest_mailu.wire.transport.errors import HUNG_UP, NotServed

CLIENT_PORT = 40000
"""The port that clients come from, as a header says."""
_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_VERSION_2_PROXY = 0x21
_TCP_OVER_IPV4 = 0x11
_TCP_OVER_IPV6 = 0x21


class Version(IntEnum):
    """Of the protocol: a line of text, or bytes."""

    V1 = 1
    V2 = 2

    def __str__(self) -> str:
        return f"v{self.value}"


def header(client: str, server: str, port: int, version: Version = Version.V1) -> bytes:
    """What a proxy sends first on a connection for a client at one IP address that connected to another one.

    `port` is the server's. Raises ValueError for what is no address, and for two of different families.
    """
    source, target = ip_address(client), ip_address(server)
    if source.version != target.version:
        raise ValueError(f"{source} and {target} are of different families")
    if version is Version.V1:
        return f"PROXY TCP{source.version} {source} {target} {CLIENT_PORT} {port}\r\n".encode()
    addresses = source.packed + target.packed + struct.pack("!HH", CLIENT_PORT, port)
    family = _TCP_OVER_IPV4 if source.version == 4 else _TCP_OVER_IPV6
    return _SIGNATURE + struct.pack("!BBH", _VERSION_2_PROXY, family, len(addresses)) + addresses


async def connect_after(connector: Connector, host: str, port: int, vantage: Vantage, first: bytes) -> socket.socket:
    """A connection on which `first` has been sent. Raises as `Connector.connect`."""
    connection = await connector.connect(host, port, vantage)
    try:
        await asyncio.get_running_loop().sock_sendall(connection, first)
    except OSError as error:
        connection.close()
        raise NotServed(Outcome.UNANSWERED, Stage.GREETING, HUNG_UP) from error
    return connection


@dataclass(frozen=True, slots=True)
class ThroughProxy:
    """Connects clients to some ports of one host as a reverse proxy does; everything else goes through `connector`.

    The proxy's own connection comes from the vantage `proxy`; its header names the address of the client's vantage in
    `addresses`. `server` is the address of `host` that clients mean.
    """

    connector: Connector
    host: str
    server: str
    ports: frozenset[int]
    addresses: Mapping[Vantage, str]
    version: Version = Version.V1

    async def connect(self, host: str, port: int, vantage: Vantage) -> socket.socket:
        """See `Connector.connect`."""
        if host != self.host or port not in self.ports:
            return await self.connector.connect(host, port, vantage)
        first = header(self.addresses[vantage], self.server, port, self.version)
        return await connect_after(self.connector, host, port, Vantage.PROXY, first)


@dataclass(frozen=True, slots=True)
class Introduced:
    """Connects through `connector`, always from `vantage`, and sends a header for `client` first.

    `server` is the address that the client means.
    """

    connector: Connector
    client: str
    server: str
    vantage: Vantage
    version: Version = Version.V1

    async def connect(self, host: str, port: int, vantage: Vantage) -> socket.socket:
        """See `Connector.connect`; the vantage is the one of this connector."""
        first = header(self.client, self.server, port, self.version)
        return await connect_after(self.connector, host, port, self.vantage, first)
