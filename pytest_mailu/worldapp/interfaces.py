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
import time
from typing import Dict, Iterable, Optional

from .plan import ClientNetwork

_SIOCGIFADDR, _SIOCSIFADDR, _SIOCSIFNETMASK = 0x8915, 0x8916, 0x891C
"""netdevice(7)."""
_ADDRESSES6 = "/proc/net/if_inet6"
"""proc(5): address, number of the interface, length of the prefix, …, name of the interface."""
_USABLE_SECONDS = 5.0
"""How long the kernel may look whether somebody else has an address of IPv6 (RFC 4862 section 5.4)."""


def add_addresses(client_networks: Iterable[ClientNetwork]) -> None:
    """Add the world's address in every client network that lacks it. Raises OSError (needs CAP_NET_ADMIN)."""
    added6 = []
    for number, client_network in enumerate(client_networks):
        if isinstance(client_network.network, ipaddress.IPv6Network):
            _add6(client_network.network, client_network.address)
            added6.append(client_network.address)
        elif not _ours(client_network.address):
            interface = _interface_in(client_network.network)
            if interface is None:
                raise OSError(errno.EADDRNOTAVAIL, "no network interface in {}".format(client_network.network))
            alias = "{}:{}".format(interface, number)
            _set(_SIOCSIFADDR, alias, client_network.address)
            _set(_SIOCSIFNETMASK, alias, str(client_network.network.netmask))
    _wait_until_usable(added6)


def _add6(network: ipaddress.IPv6Network, address: str) -> None:
    """Add an address of IPv6 (ipv6(7): struct in6_ifreq)."""
    if address not in _addresses6():
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as handle:
            packed = socket.inet_pton(socket.AF_INET6, address)
            fcntl.ioctl(handle, _SIOCSIFADDR, struct.pack("16sIi", packed, network.prefixlen, _interface_in6(network)))


def _wait_until_usable(addresses: Iterable[str]) -> None:
    """Wait until the kernel has looked whether somebody else has these addresses of IPv6. Raises OSError."""
    deadline = time.monotonic() + _USABLE_SECONDS
    for address in addresses:
        while not _ours(address, socket.AF_INET6):
            if time.monotonic() > deadline:
                raise OSError(errno.EADDRNOTAVAIL, "{} cannot be used".format(address))
            time.sleep(0.05)


def _addresses6() -> Dict[str, int]:
    """Our addresses of IPv6, and the numbers of their interfaces."""
    with open(_ADDRESSES6, encoding="ascii") as table:
        fields = [line.split() for line in table]
    return {str(ipaddress.IPv6Address(int(one[0], 16))): int(one[1], 16) for one in fields}


def _interface_in6(network: ipaddress.IPv6Network) -> int:
    for address, number in _addresses6().items():
        if ipaddress.IPv6Address(address) in network:
            return number
    raise OSError(errno.EADDRNOTAVAIL, "no network interface in {}".format(network))


def _ours(address: str, family: int = socket.AF_INET) -> bool:
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
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
