"""Which addresses the machine has in use: its routes, as the kernel shows them, and the networks of its engine.

Source: proc(5), /proc/net/route; the kernel's Documentation/networking and net/ipv6/route.c for /proc/net/ipv6_route.
"""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_mailu.deployment.host import Taken

ROUTES = Path("/proc/net/route")
ROUTES6 = Path("/proc/net/ipv6_route")
DEVICES = Path("/sys/class/net")
LONGEST = 256 * 1024
"""Characters of a table of routes that are read."""
MOST = 500
"""Routes, and networks of an engine, that are looked at."""
UP, GATEWAY, REJECT, ANYCAST, LOCAL = 0x1, 0x2, 0x200, 0x100000, 0x80000000
"""Flags of a route: linux/route.h, linux/ipv6_route.h"""
PROJECT = "com.docker.compose.project"
"""The label with the name of the project."""
_BRIDGE = "com.docker.network.bridge.name"
_NOT_ROUTED = tuple(map(ipaddress.ip_network, ("fe80::/10", "ff00::/8")))


def addresses_in_use(
    containers: Sequence[Mapping[str, Any]], networks: Sequence[Mapping[str, Any]]
) -> tuple[tuple[str, ...], tuple[Taken, ...]]:
    """The networks that these containers are in, and everything else that is in use, from the engine's own lists.

    The kernel's routes count only where it shows the bridge of one of these networks: elsewhere it is another machine's
    kernel, or the namespace of a container.
    """
    joined = {name for each in containers for name in (each.get("NetworkSettings") or {}).get("Networks") or {}}
    projects = {(each.get("Labels") or {}).get(PROJECT, "") for each in containers} - {""}
    own: list[str] = []
    taken: list[Taken] = []
    bridges: dict[str, bool] = {}
    for network in networks[:MOST]:
        # A container that is not running has no id of its network, but its name.
        ours = network.get("Name") in joined or (network.get("Labels") or {}).get(PROJECT) in projects
        bridges[str((network.get("Options") or {}).get(_BRIDGE) or f"br-{str(network.get('Id'))[:12]}")] = ours
        subnets = [str(entry.get("Subnet", "")) for entry in (network.get("IPAM") or {}).get("Config") or ()]
        if ours:
            own += subnets
        else:
            taken += [
                Taken(subnet, f"the engine's network {str(network.get('Name'))[:60]}", True) for subnet in subnets
            ]
    if any(ours and (DEVICES / bridge).exists() for bridge, ours in bridges.items()):
        taken += routes(_read(ROUTES), _read(ROUTES6), frozenset(bridges))
    return tuple(own), tuple(taken)


def routes(table: str, table6: str, without: frozenset[str] = frozenset()) -> tuple[Taken, ...]:
    """What the machine reaches, from the text of its two tables: neither by default nor over the devices `without`."""
    found = [*_routes(table), *_routes6(table6)][:MOST]
    return tuple(dict.fromkeys(_taken(*route) for route in found if route[1] not in without and route[1] != "lo"))


def _taken(network: str, device: str, flags: int) -> Taken:
    return Taken(network, f"the interface {device[:16]}", gateway=bool(flags & GATEWAY))


def _routes(table: str) -> Iterator[tuple[str, str, int]]:
    """Network, device and flags of each line of /proc/net/route."""
    for line in table.splitlines()[1:]:
        try:
            device, destination, _, flag, _, _, _, mask = line.split()[:8]
            flags = int(flag, 16)
            address, bits = (
                ipaddress.ip_address(int(text, 16).to_bytes(4, sys.byteorder)) for text in (destination, mask)
            )
            network = ipaddress.ip_network(f"{address}/{bits}")
        except (ValueError, OverflowError):
            continue
        if flags & UP and not flags & REJECT and network.prefixlen:
            yield str(network), device, flags


def _routes6(table: str) -> Iterator[tuple[str, str, int]]:
    """Network, device and flags of each line of /proc/net/ipv6_route."""
    for line in table.splitlines():
        try:
            destination, length, _, _, _, _, _, _, flag, device = line.split()
            flags = int(flag, 16)
            network = ipaddress.ip_network((bytes.fromhex(destination), int(length, 16)))
        except ValueError:
            continue
        routed = not any(network.overlaps(other) for other in _NOT_ROUTED)
        if flags & UP and not flags & (REJECT | ANYCAST | LOCAL) and network.prefixlen and routed:
            yield str(network), device, flags


def _read(path: Path) -> str:
    try:
        with path.open(encoding="ascii", errors="replace") as file:
            return file.read(LONGEST)
    except OSError:
        return ""
