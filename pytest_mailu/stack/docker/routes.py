"""The routes of this machine, asked of the kernel: every table, so that policy routes of a VPN count as well."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network
from itertools import islice
from pathlib import Path

_REQUEST, _DUMP = 0x1, 0x300
_RTM_NEWROUTE, _RTM_GETROUTE = 24, 26
_ERROR, _DONE = 2, 3
_RTA_DST = 1
"""netlink(7), rtnetlink(7); Linux, include/uapi/linux/rtnetlink.h."""
_HEADER = struct.Struct("=IHHII")
"""struct nlmsghdr: length, type, flags, sequence number, port."""
_ROUTE = struct.Struct("=BBBBBBBBI")
"""struct rtmsg: family, prefix length of the destination, of the source, and six fields that are of no use here."""
_ATTRIBUTE = struct.Struct("=HH")
_DEFAULT_ROUTE = 1
"""The longest prefix of what is a default route in practice: a VPN splits it into 0.0.0.0/1 and 128.0.0.0/1."""
_LIMIT = 100_000
"""How many routes are read at most."""


def routes() -> list[IPv4Network]:
    """Every network that this machine has a route to, without default routes; empty where the kernel is not Linux's."""
    if not hasattr(socket, "AF_NETLINK"):
        return []
    body = _ROUTE.pack(socket.AF_INET, 0, 0, 0, 0, 0, 0, 0, 0)
    request = _HEADER.pack(_HEADER.size + len(body), _RTM_GETROUTE, _REQUEST | _DUMP, 1, 0) + body
    found: list[IPv4Network] = []
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as link:
            link.settimeout(5)
            link.sendto(request, (0, 0))
            while len(found) < _LIMIT:
                more, done = parse(link.recv(1 << 18))
                found += more
                if done:
                    break
    except OSError:
        return found
    return found


def routes6(table: Path = Path("/proc/net/ipv6_route")) -> list[IPv6Network]:
    """Every network of IPv6 that this machine has a route to, without default routes (proc(5); net/ipv6/route.c).

    Empty where the kernel does not tell.
    """
    found: list[IPv6Network] = []
    try:
        with table.open(encoding="ascii", errors="replace") as lines:
            for line in islice(lines, _LIMIT):
                destination, length = line.split()[:2]
                if int(length, 16) > _DEFAULT_ROUTE:
                    found.append(IPv6Network((int(destination, 16), int(length, 16)), strict=False))
    except (OSError, ValueError):
        return found
    return found


def parse(data: bytes) -> tuple[list[IPv4Network], bool]:
    """The destinations in one datagram of a dump, and whether it is the last one. Pure."""
    found: list[IPv4Network] = []
    for kind, body in _messages(data):
        if kind in (_DONE, _ERROR):
            return found, True
        if kind == _RTM_NEWROUTE and len(body) >= _ROUTE.size:
            length = body[1]
            destination = dict(_attributes(body[_ROUTE.size :])).get(_RTA_DST, b"")
            if length > _DEFAULT_ROUTE and len(destination) == 4:
                found.append(IPv4Network((int.from_bytes(destination), length), strict=False))
    return found, False


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= _HEADER.size:
        length, kind, _, _, _ = _HEADER.unpack_from(data)
        if length < _HEADER.size:
            return
        yield kind, data[_HEADER.size : length]
        data = data[_aligned(length) :]


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        if length < _ATTRIBUTE.size:
            return
        yield kind, data[_ATTRIBUTE.size : length]
        data = data[_aligned(length) :]


def _aligned(length: int) -> int:
    return (length + 3) & ~3
