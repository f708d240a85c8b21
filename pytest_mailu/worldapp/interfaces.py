"""Adds addresses to the world beside those that the container engine gave it.

The engine's own DNS answers reverse look-ups for every container it knows, with names such as `run_world_1.run_edge`
that mail servers reject as host names. For an address that the engine did not assign, it asks the world's DNS.
"""

from __future__ import annotations

import errno
import fcntl
import ipaddress
import socket
import struct
from typing import Iterable, Optional

from .plan import ClientNetwork

_SIOCGIFADDR, _SIOCSIFADDR, _SIOCSIFNETMASK = 0x8915, 0x8916, 0x891C
"""netdevice(7)."""


def add_addresses(places: Iterable[ClientNetwork]) -> None:
    """Add the world's address in every client network that lacks it. Raises OSError (needs CAP_NET_ADMIN)."""
    for number, place in enumerate(places):
        if not _ours(place.address):
            interface = _interface_in(place.network)
            if interface is None:
                raise OSError(errno.EADDRNOTAVAIL, "no network interface in {}".format(place.network))
            alias = "{}:{}".format(interface, number)
            _set(_SIOCSIFADDR, alias, place.address)
            _set(_SIOCSIFNETMASK, alias, str(place.network.netmask))


def _ours(address: str) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                return False
            raise
    return True


def _interface_in(network: ipaddress.IPv4Network) -> Optional[str]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        for _, name in socket.if_nameindex():
            try:
                answer = fcntl.ioctl(handle, _SIOCGIFADDR, struct.pack("256s", name.encode()))
            except OSError:  # no IPv4 address there
                continue
            if ipaddress.IPv4Address(answer[20:24]) in network:
                return name
    return None


def _set(request: int, interface: str, address: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        value = struct.pack("16sHH4s8x", interface.encode(), socket.AF_INET, 0, socket.inet_aton(address))
        fcntl.ioctl(handle, request, value)
