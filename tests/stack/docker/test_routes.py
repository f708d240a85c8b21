"""Routes are asked of the kernel, in every table."""

from __future__ import annotations

import struct
import sys
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

import pytest

from pytest_mailu.stack.docker.routes import parse, routes, routes6


def message(kind: int, body: bytes) -> bytes:
    """One netlink message, padded as the kernel does it."""
    padded = body + bytes(-len(body) % 4)
    return struct.pack("=IHHII", 16 + len(body), kind, 2, 1, 0) + padded


def route(destination: str, length: int, *, table: int = 254) -> bytes:
    """RTM_NEWROUTE with a destination and a table, which is another attribute."""
    address = bytes(int(part) for part in destination.split("."))
    attributes = struct.pack("=HH4s", 8, 1, address) + struct.pack("=HHI", 8, 15, table)
    return message(24, struct.pack("=BBBBBBBBI", 2, length, 0, 0, table & 0xFF, 0, 0, 1, 0) + attributes)


def test_every_table_counts_and_default_routes_do_not() -> None:
    data = (
        message(24, struct.pack("=BBBBBBBBI", 2, 0, 0, 0, 254, 0, 0, 1, 0))
        + route("10.8.0.0", 16, table=5182)
        + route("128.0.0.0", 1)
        + route("203.0.113.7", 32, table=255)
        + message(3, bytes(4))
    )
    assert parse(data) == ([IPv4Network("10.8.0.0/16"), IPv4Network("203.0.113.7/32")], True)


@pytest.mark.parametrize("data", [b"", b"short", struct.pack("=IHHII", 4, 24, 0, 0, 0), route("10.8.0.0", 16)[:20]])
def test_what_is_cut_off_is_no_route_and_no_error(data: bytes) -> None:
    assert parse(data) == ([], False)


def test_an_error_ends_the_answer() -> None:
    assert parse(message(2, struct.pack("=i", -95))) == ([], True)


@pytest.mark.skipif(sys.platform != "linux", reason="netlink is Linux's")
def test_this_machines_own_addresses_are_among_them() -> None:
    """They stand in the table `local`, which /proc/net/route does not show."""
    assert IPv4Network("127.0.0.0/8") in routes()


def test_routes_of_ipv6_are_read_and_default_routes_are_not(tmp_path: Path) -> None:
    table = tmp_path / "ipv6_route"
    zero = "0" * 32
    rest = f"{zero} 00 {zero} 00000100 00000001 00000000 00000001     eth0\n"
    table.write_text(
        f"fd123456789a00010000000000000000 40 {rest}{zero} 00 {rest}fe800000000000000000000000000000 40 {rest}"
    )
    assert routes6(table) == [IPv6Network("fd12:3456:789a:1::/64"), IPv6Network("fe80::/64")]


@pytest.mark.parametrize("text", ["", "nonsense\n", "zz 40\n", f"{'f' * 40} 40\n"])
def test_a_table_of_ipv6_that_cannot_be_read_has_no_routes(tmp_path: Path, text: str) -> None:
    table = tmp_path / "ipv6_route"
    assert routes6(table) == []
    table.write_text(text)
    assert routes6(table) == []
