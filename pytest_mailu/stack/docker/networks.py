"""The networks of a stack: free subnets, and fixed addresses in them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from pytest_mailu.core.errors import StackError
from pytest_mailu.core.model import Vantage

EDGE_POOL = IPv4Network("198.18.0.0/15")
"""Reserved for benchmarks (RFC 2544), so no public host has an address in it. Not private: Rspamd of Mailu 1.9 skips
its checks for private addresses."""
INSIDE_POOL = IPv4Network("10.0.0.0/8")
"""For Mailu's SUBNET, which is private in every real installation."""
_RESERVED_INSIDE = (IPv4Network("10.0.0.0/15"), IPv4Network("10.10.0.0/16"), IPv4Network("10.96.0.0/12"))
"""Commonly used elsewhere: a VPN that is down has no route here."""

WORLD_HOST, FRONT_HOST, CLIENT_HOST = 10, 11, 20
SERVICE_HOSTS: Mapping[str, int] = {
    "world": WORLD_HOST,
    "front": FRONT_HOST,
    "admin": 12,
    "imap": 13,
    "smtp": 14,
    "antispam": 15,
    "redis": 16,
}


@dataclass(frozen=True, slots=True)
class Segment:
    """One internal network, as the world and `front` stand in it."""

    network: IPv4Network
    client_host: int = CLIENT_HOST

    @property
    def client(self) -> IPv4Address:
        """The address that clients come from: the world's too, but the engine knows nothing of it."""
        return self.network[self.client_host]

    @property
    def world(self) -> IPv4Address:
        """The world's address here."""
        return self.network[WORLD_HOST]

    @property
    def front(self) -> IPv4Address:
        """The address of `front` here."""
        return self.network[FRONT_HOST]


@dataclass(frozen=True, slots=True)
class Layout:
    """The networks of one stack. `inside` is Mailu's SUBNET; `outside` is for the world's published port only."""

    inside: Segment
    stranger: Segment
    other: Segment
    relaynet: Segment
    outside: IPv4Network

    def segment(self, vantage: Vantage) -> Segment:
        """Where a client with this vantage stands."""
        return {
            Vantage.INSIDE: self.inside,
            Vantage.STRANGER: self.stranger,
            Vantage.OTHER_STRANGER: self.other,
            Vantage.RELAYNET: self.relaynet,
        }[vantage]

    def service(self, name: str) -> IPv4Address:
        """The fixed address of a core service, or of the world, in `default`."""
        return self.inside.network[SERVICE_HOSTS[name]]

    @property
    def no_gateway(self) -> IPv4Address:
        """An address in `outside` that nobody has: the default gateway there, so that no packet leaves the network."""
        return self.outside[-2]

    @property
    def networks(self) -> tuple[IPv4Network, ...]:
        """All of them."""
        return (self.inside.network, self.stranger.network, self.other.network, self.relaynet.network, self.outside)

    def variables(self) -> dict[str, str]:
        """What compose/world.yml asks for."""
        return {
            **{f"MAILU_{name.upper()}": str(self.service(name)) for name in SERVICE_HOSTS},
            "MAILU_SUBNET": str(self.inside.network),
            "MAILU_SUBNET_REST": str(list(self.inside.network.subnets(1))[1]),
            **{
                f"MAILU_{name}_{part}": str(value)
                for name, segment in (("STRANGER", self.stranger), ("OTHER", self.other), ("RELAYNET", self.relaynet))
                for part, value in (("SUBNET", segment.network), ("WORLD", segment.world), ("FRONT", segment.front))
            },
        }


def choose_layout(taken: Iterable[IPv4Network], rng: random.Random | None = None) -> Layout:
    """A layout that overlaps nothing in `taken`. Raises StackError where there is no room."""
    rng = rng or random.Random()  # noqa: S311 - only runs that start together must differ
    occupied = list(taken)
    edges = _free_subnets(EDGE_POOL, occupied, rng)
    insides = _free_subnets(INSIDE_POOL, [*occupied, *_RESERVED_INSIDE], rng)
    try:
        return Layout(
            inside=Segment(next(insides), WORLD_HOST),
            stranger=Segment(next(edges)),
            other=Segment(next(edges)),
            relaynet=Segment(next(edges)),
            outside=next(edges),
        )
    except StopIteration:
        raise StackError(
            f"no free subnet is left in {EDGE_POOL} and {INSIDE_POOL}: routes and networks of this machine cover them",
            "remove unused networks (docker network prune, pytest --mailu-sweep) or run elsewhere",
        ) from None


def _free_subnets(pool: IPv4Network, occupied: Iterable[IPv4Network], rng: random.Random) -> Iterator[IPv4Network]:
    """Free /24 networks of `pool` in random order."""
    hindrances = [network for network in occupied if network.overlaps(pool)]
    count = 2 ** (24 - pool.prefixlen)
    for index in rng.sample(range(count), count):
        candidate = IPv4Network((int(pool.network_address) + (index << 8), 24))
        if not any(candidate.overlaps(network) for network in hindrances):
            yield candidate


SUBNET_TAKEN = "a subnet was taken by somebody else at the last moment"


def network_error(text: str) -> StackError:
    """Why the engine did not create a network, from its message."""
    low = text.lower()
    if "overlaps" in low or "address already in use" in low:
        return StackError(SUBNET_TAKEN, "try again", (text,))
    return StackError("the Docker engine cannot create a network", "see its message below", (text,))


def engine_networks(networks: Iterable[Mapping[str, object]]) -> list[IPv4Network]:
    """The IPv4 subnets in the answer of the engine's GET /networks."""
    found = []
    for network in networks:
        ipam = network.get("IPAM")
        for config in (ipam.get("Config") or []) if isinstance(ipam, Mapping) else []:
            if (subnet := config.get("Subnet", "")) and ":" not in subnet:
                found.append(IPv4Network(subnet, strict=False))
    return found
