"""The networks of a stack: free subnets, and fixed addresses in them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from itertools import islice

from pytest_mailu.core.errors import StackError
from pytest_mailu.core.model import Vantage

EDGE_POOL = IPv4Network("198.18.0.0/15")
"""Reserved for benchmarks (RFC 2544), so no public host has an address in it. Not private: Rspamd of Mailu 1.9 skips
its checks for private addresses."""
INSIDE_POOL = IPv4Network("10.0.0.0/8")
"""For Mailu's SUBNET, which is private in every real installation."""
_RESERVED_INSIDE = (IPv4Network("10.0.0.0/15"), IPv4Network("10.10.0.0/16"), IPv4Network("10.96.0.0/12"))
"""Commonly used elsewhere: a VPN that is down has no route here."""

EDGE_POOL6 = IPv6Network("2001:2::/48")
"""The same of IPv6: reserved for benchmarks (RFC 5180)."""
INSIDE_POOL6 = IPv6Network("fd00::/8")
"""For Mailu's SUBNET6: unique local addresses, whose 40 bits after the prefix are drawn (RFC 4193 section 3.2)."""

WORLD_HOST, FRONT_HOST, CLIENT_HOST = 10, 11, 20
PROXY_HOST, FAR_PROXY_HOST = 21, 22
NEIGHBOUR_HOST = 23
SERVICE_HOSTS: Mapping[str, int] = {
    "world": WORLD_HOST,
    "front": FRONT_HOST,
    "admin": 12,
    "imap": 13,
    "smtp": 14,
    "antispam": 15,
    "redis": 16,
}

APART = ("WEBMAIL", "RADICALE", "CLAMAV", "OLETOOLS", "FTS_ATTACHMENTS")
"""The networks beside SUBNET in which optional services are alone with their partner (compose/services.yml)."""
_MOST_APART, _MOST_INSIDE = 4, 12
"""Hosts of such a network, and optional services in SUBNET, at most: the lowest addresses are given out first."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One internal network, as the world and `front` stand in it."""

    network: IPv4Network | IPv6Network
    client_host: int = CLIENT_HOST

    @property
    def client(self) -> IPv4Address | IPv6Address:
        """The address that clients come from: the world's too, but the engine knows nothing of it."""
        return self.network[self.client_host]

    @property
    def world(self) -> IPv4Address | IPv6Address:
        """The world's address here."""
        return self.network[WORLD_HOST]

    @property
    def front(self) -> IPv4Address | IPv6Address:
        """The address of `front` here."""
        return self.network[FRONT_HOST]


@dataclass(frozen=True, slots=True)
class Layout6:
    """The subnets of IPv6 that the networks of one stack have beside those of IPv4; `inside` is Mailu's SUBNET6."""

    inside: Segment
    stranger: Segment
    other: Segment
    relaynet: Segment

    @property
    def segments(self) -> dict[Vantage, Segment]:
        """Where clients with a vantage of IPv6 stand."""
        return {
            Vantage.STRANGER_IPV6: self.stranger,
            Vantage.OTHER_STRANGER_IPV6: self.other,
            Vantage.NEIGHBOUR_IPV6: replace(self.other, client_host=NEIGHBOUR_HOST),
            Vantage.RELAYNET_IPV6: self.relaynet,
        }

    @property
    def networks(self) -> tuple[IPv6Network, ...]:
        """All of them."""
        segments = (self.inside, self.stranger, self.other, self.relaynet)
        return tuple(segment.network for segment in segments if isinstance(segment.network, IPv6Network))

    def variables(self) -> dict[str, str]:
        """What compose/ipv6.yml asks for."""
        named = (("INSIDE", self.inside), ("STRANGER", self.stranger), ("OTHER", self.other))
        return {
            f"MAILU_{name}6_{part}": str(value)
            for name, segment in (*named, ("RELAYNET", self.relaynet))
            for part, value in (("SUBNET", segment.network), ("WORLD", segment.world), ("FRONT", segment.front))
        }


@dataclass(frozen=True, slots=True)
class Layout:
    """The networks of one stack. `inside` is Mailu's SUBNET; `outside` is for the ingress's published port only.

    `apart` has the networks that optional services share with their partner alone.
    `balanced` says whether a load balancer with the PROXY protocol stands before port 25.
    `six` is there in a set-up with IPv6.
    """

    inside: Segment
    stranger: Segment
    other: Segment
    relaynet: Segment
    outside: IPv4Network
    apart: IPv4Network
    balanced: bool = False
    six: Layout6 | None = None

    @property
    def balanced_at(self) -> str:
        """`balancer` where a load balancer stands before `front`, else nothing."""
        return str(self.balancer) if self.balanced else ""

    @property
    def vantages(self) -> tuple[Vantage, ...]:
        """Those that this stack has."""
        return tuple(vantage for vantage in Vantage if self.six is not None or not vantage.over_ipv6)

    def segment(self, vantage: Vantage) -> Segment:
        """Where a client with this vantage stands. Raises KeyError for one that this stack does not have."""
        return {
            **(self.six.segments if self.six is not None else {}),
            Vantage.INSIDE: self.inside,
            Vantage.STRANGER: self.stranger,
            Vantage.OTHER_STRANGER: self.other,
            Vantage.RELAYNET: self.relaynet,
            Vantage.PROXY: replace(self.other, client_host=PROXY_HOST),
            Vantage.FAR_PROXY: replace(self.other, client_host=FAR_PROXY_HOST),
        }[vantage]

    def service(self, name: str) -> IPv4Address | IPv6Address:
        """The fixed address of a core service, or of the world, in `default`."""
        return self.inside.network[SERVICE_HOSTS[name]]

    @property
    def balancer(self) -> IPv4Address | IPv6Address:
        """Where Mailu's own services reach `front` through the load balancer, in set-ups that have one."""
        return self.inside.network[PROXY_HOST]

    @property
    def no_gateway(self) -> IPv4Address:
        """An address in `outside` that nobody has: the default gateway there, so that no packet leaves the network."""
        return self.outside[-2]

    @property
    def networks(self) -> tuple[IPv4Network, ...]:
        """All of them."""
        segments = (self.inside, self.stranger, self.other, self.relaynet)
        found = tuple(segment.network for segment in segments if isinstance(segment.network, IPv4Network))
        return (*found, self.outside, self.apart)

    @property
    def _given_out(self) -> IPv4Network | IPv6Network:
        """The part of SUBNET that the engine gives addresses from."""
        _, upper = self.inside.network.subnets(1)
        return upper

    @property
    def _networks_apart(self) -> dict[str, IPv4Network]:
        return dict(zip(APART, self.apart.subnets(3), strict=False))

    def drawn_hosts(self) -> dict[str, str]:
        """The addresses that the engine gives to optional services, each with a name that all layouts share.

        Which service has which address differs from start to start. In 1.9 all of them are in SUBNET.
        """
        networks: list[tuple[IPv4Network | IPv6Network, str, int]]
        networks = [(network, f"{name.lower()} network", _MOST_APART) for name, network in self._networks_apart.items()]
        networks.append((self._given_out, "optional service", _MOST_INSIDE))
        return {str(host): name for network, name, most in networks for host in islice(network.hosts(), most)}

    def variables(self) -> dict[str, str]:
        """What the package's own compose files ask for of addresses."""
        return {
            **{f"MAILU_{name.upper()}": str(self.service(name)) for name in SERVICE_HOSTS},
            "MAILU_OUTSIDE_SUBNET": str(self.outside),
            "MAILU_NO_GATEWAY": str(self.no_gateway),
            **{f"MAILU_{name}_SUBNET": str(network) for name, network in self._networks_apart.items()},
            "MAILU_SUBNET": str(self.inside.network),
            "MAILU_SUBNET_REST": str(self._given_out),
            **{
                f"MAILU_{name}_{part}": str(value)
                for name, segment in (("STRANGER", self.stranger), ("OTHER", self.other), ("RELAYNET", self.relaynet))
                for part, value in (("SUBNET", segment.network), ("WORLD", segment.world), ("FRONT", segment.front))
            },
            **(self.six.variables() if self.six is not None else {}),
        }


def choose_layout6(taken: Iterable[IPv6Network], rng: random.Random | None = None) -> Layout6:
    """Subnets of IPv6 that overlap nothing in `taken`. Raises StackError where there is no room."""
    rng = rng or random.Random()  # noqa: S311 - only runs that start together must differ
    occupied = list(taken)
    edges = _free_subnets6(EDGE_POOL6, 64, occupied, rng)
    try:
        inside = next(_free_subnets6(INSIDE_POOL6, 48, occupied, rng))
        subnet = next(inside.subnets(16))
        return Layout6(Segment(subnet), Segment(next(edges)), Segment(next(edges)), Segment(next(edges)))
    except StopIteration:
        raise StackError(
            f"no free subnet is left in {EDGE_POOL6} and {INSIDE_POOL6}: networks of the engine cover them",
            "remove unused networks (docker network prune, pytest --mailu-sweep) or run elsewhere",
        ) from None


_TRIES = 1000
"""How many subnets of IPv6 are drawn at most."""


def _free_subnets6(
    pool: IPv6Network, length: int, occupied: Iterable[IPv6Network], rng: random.Random
) -> Iterator[IPv6Network]:
    """Free networks of a pool with prefixes of this length, drawn."""
    hindrances = [network for network in occupied if network.overlaps(pool)]
    count = 2 ** (length - pool.prefixlen)
    for index in dict.fromkeys(rng.randrange(count) for _ in range(_TRIES)):
        candidate = IPv6Network((int(pool.network_address) + (index << (128 - length)), length))
        if not any(candidate.overlaps(network) for network in hindrances):
            yield candidate


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
            apart=next(insides),
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


def engine_networks(networks: Iterable[Mapping[str, object]]) -> list[IPv4Network]:
    """The IPv4 subnets in the answer of the engine's GET /networks."""
    found = []
    for network in networks:
        ipam = network.get("IPAM")
        for config in (ipam.get("Config") or []) if isinstance(ipam, Mapping) else []:
            if (subnet := config.get("Subnet", "")) and ":" not in subnet:
                found.append(IPv4Network(subnet, strict=False))
    return found


def engine_networks6(networks: Iterable[Mapping[str, object]]) -> list[IPv6Network]:
    """The IPv6 subnets in the answer of the engine's GET /networks."""
    found = []
    for network in networks:
        ipam = network.get("IPAM")
        for config in (ipam.get("Config") or []) if isinstance(ipam, Mapping) else []:
            if ":" in (subnet := config.get("Subnet", "")):
                found.append(IPv6Network(subnet, strict=False))
    return found
