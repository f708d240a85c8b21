"""What a reverse proxy sends before anything else."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import ip_address

import pytest

from pytest_mailu.core.model import Vantage
from pytest_mailu.wire.transport.proxy_protocol import Introduced, ThroughProxy, Version, header


def test_version_1_is_the_line_of_the_specification() -> None:
    """Section 2.1."""
    assert header("192.168.0.1", "192.168.0.11", 443) == b"PROXY TCP4 192.168.0.1 192.168.0.11 40000 443\r\n"


def test_version_2_is_the_bytes_of_the_specification() -> None:
    """Section 2.2: signature, version and command, family, length, addresses and ports."""
    found = header("192.0.2.1", "198.51.100.2", 25, Version.V2)
    assert found[:12] == bytes.fromhex("0d0a0d0a000d0a515549540a")
    assert found[12:16] == bytes((0x21, 0x11, 0, 12))
    assert found[16:] == bytes((192, 0, 2, 1, 198, 51, 100, 2)) + (40000).to_bytes(2, "big") + (25).to_bytes(2, "big")


def test_clients_with_ipv6_have_the_forms_of_the_specification() -> None:
    """A proxy before a server that has IPv4 alone names the address of its own that they connected to."""
    client, server = "2001:db8::9", "2001:db8::25"
    assert header(client, server, 993) == b"PROXY TCP6 2001:db8::9 2001:db8::25 40000 993\r\n"
    found = header(client, server, 993, Version.V2)
    assert found[12:16] == bytes((0x21, 0x21, 0, 36))
    assert found[16:48] == ip_address(client).packed + ip_address(server).packed


@pytest.mark.parametrize("address", ["", "192.0.2.1\r\nX", "2001:db8::1", "host"])
def test_what_is_no_address_is_not_sent(address: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        header(address, "192.0.2.1", 25)


class _Recorder:
    """Connects to nothing, and keeps what is sent."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int, Vantage]] = []
        self.there: list[socket.socket] = []

    async def connect(self, host: str, port: int, vantage: Vantage) -> socket.socket:
        self.asked.append((host, port, vantage))
        here, there = socket.socketpair()
        here.setblocking(False)
        there.setblocking(False)
        self.there.append(there)
        return here

    def received(self) -> bytes:
        try:
            return self.there[-1].recv(1000)
        except BlockingIOError:
            return b""


ADDRESSES = {Vantage.STRANGER: "198.18.1.20", Vantage.RELAYNET: "198.18.2.20"}


def test_the_proxy_speaks_for_clients_at_its_ports_and_nowhere_else() -> None:
    inner = _Recorder()
    through = ThroughProxy(inner, "front", "198.18.1.11", frozenset({25}), ADDRESSES)

    async def connect(host: str, port: int, vantage: Vantage) -> bytes:
        with await through.connect(host, port, vantage):
            return inner.received()

    assert asyncio.run(connect("front", 25, Vantage.RELAYNET)) == b"PROXY TCP4 198.18.2.20 198.18.1.11 40000 25\r\n"
    assert asyncio.run(connect("front", 993, Vantage.STRANGER)) == b""
    assert asyncio.run(connect("smtp", 25, Vantage.INSIDE)) == b""
    assert inner.asked == [
        ("front", 25, Vantage.PROXY),
        ("front", 993, Vantage.STRANGER),
        ("smtp", 25, Vantage.INSIDE),
    ]


def test_a_client_can_be_introduced_from_anywhere() -> None:
    inner = _Recorder()
    introduced = Introduced(inner, "192.0.2.7", "198.18.1.11", Vantage.STRANGER, Version.V2)

    async def connect() -> bytes:
        with await introduced.connect("front", 465, Vantage.INSIDE):
            return inner.received()

    assert asyncio.run(connect()) == header("192.0.2.7", "198.18.1.11", 465, Version.V2)
    assert inner.asked == [("front", 465, Vantage.STRANGER)]
