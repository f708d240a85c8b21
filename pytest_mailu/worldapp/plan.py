"""The plan of a world, read from one JSON document (written by `pytest_mailu.stack.world.plan.make_plan`)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple, Union

_SHORTEST_TOKEN, _LONGEST_TOKEN = 16, 255
"""Bytes; RFC 1929 allows no longer password."""


class PlanError(Exception):
    """The plan cannot be used; the text says which part."""


@dataclass(frozen=True)
class ClientNetwork:
    """One network that clients connect from: the world's address in it and `front`'s."""

    network: Union[IPv4Network, IPv6Network]
    address: str
    front: str


@dataclass(frozen=True)
class Record:
    """One DNS record. `name` is lower case without the last dot; `value` is written as in a zone file."""

    name: str
    type: str
    value: str
    ttl: int = 30


@dataclass(frozen=True)
class Listener:
    """One mail server. `tls` is `plain`, `starttls` or `tls`; `auth` is `none`, `offered` or `required`.

    `protocol` is `smtp`, `imap` or `pop3`; the last two serve the mailboxes, and ask for their logins.
    """

    name: str
    addresses: Tuple[str, ...]
    port: int
    hostname: str
    tls: str = "plain"
    auth: str = "none"
    size: int = 64 * 1024 * 1024
    protocol: str = "smtp"


@dataclass(frozen=True)
class Balancer:
    """A load balancer at an address and port of the world, which hands connections on to `target` in its network."""

    address: str
    port: int
    target: str
    network: Union[IPv4Network, IPv6Network]
    connect_seconds: float = 10.0


@dataclass(frozen=True)
class Policies:
    """The web server of MTA-STS: host name → the text of its policy."""

    addresses: Tuple[str, ...]
    port: int
    texts: Mapping[str, str]


@dataclass(frozen=True)
class Plan:
    """Everything the world needs to know to start."""

    client_networks: Mapping[str, ClientNetwork]
    services: Mapping[str, str]
    zones: Tuple[str, ...]
    records: Tuple[Record, ...]
    listeners: Tuple[Listener, ...]
    users: Mapping[str, str]
    certificate: str
    key: str
    dns_addresses: Tuple[str, ...]
    dns_port: int
    ingress: str
    token: str
    connect_seconds: float = 10.0
    scripts: Tuple[Mapping[str, Any], ...] = field(default=())
    balancers: Tuple[Balancer, ...] = field(default=())
    dns_rules: Tuple[Mapping[str, Any], ...] = field(default=())
    policies: Optional[Policies] = None

    @property
    def added_addresses(self) -> Tuple[ClientNetwork, ...]:
        """Where the world gets addresses that the container engine does not know of."""
        own = (ClientNetwork(each.network, each.address, each.target) for each in self.balancers)
        return (*self.client_networks.values(), *own)


def plain_name(name: str) -> str:
    """A domain name as it is compared: lower case, without the last dot."""
    return name.rstrip(".").lower()


def read_record(value: Any) -> Record:
    """A record from JSON: `{"name", "type", "value", "ttl"}`. Raises PlanError."""
    try:
        return Record(
            plain_name(str(value["name"])), str(value["type"]).upper(), str(value["value"]), int(value.get("ttl", 30))
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PlanError(f"not a DNS record: {value!r}") from error


def read_plan(path: str) -> Plan:
    """The plan in the file. Raises PlanError when it is not one."""
    try:
        document = json.loads(Path(path).read_text("utf-8"))
        return _plan(document)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise PlanError(f"{path}: {type(error).__name__}: {error}") from error


def _token(value: Any) -> str:
    """The password of the SOCKS proxy. An empty one would let everybody in."""
    if not isinstance(value, str) or not _SHORTEST_TOKEN <= len(value.encode()) <= _LONGEST_TOKEN:
        raise PlanError(f"the token of the proxy is not {_SHORTEST_TOKEN} to {_LONGEST_TOKEN} bytes of text")
    return value


def _plan(document: Dict[str, Any]) -> Plan:
    client_networks: Dict[str, ClientNetwork] = {}
    for vantage, client_network in document["client_networks"].items():
        network = ip_network(client_network["network"])
        client_networks[vantage] = ClientNetwork(network, client_network["address"], client_network["front"])
    services: Dict[str, str] = {name: address or "" for name, address in document.get("services", {}).items()}
    listeners: List[Listener] = [
        Listener(**{**listener, "addresses": tuple(listener["addresses"])}) for listener in document["listeners"]
    ]
    dns, proxy = document["dns"], document["proxy"]
    certificate: Optional[str] = document.get("certificate")
    return Plan(
        client_networks=client_networks,
        services=services,
        zones=tuple(plain_name(zone) for zone in document["zones"]),
        records=tuple(read_record(record) for record in document["records"]),
        listeners=tuple(listeners),
        users=dict(document.get("users", {})),
        certificate=certificate or "",
        key=document.get("key") or "",
        dns_addresses=tuple(dns["addresses"]),
        dns_port=int(dns["port"]),
        ingress=str(proxy["ingress"]),
        token=_token(proxy["token"]),
        connect_seconds=float(proxy.get("connect_seconds", 10.0)),
        scripts=tuple(document.get("scripts", ())),
        balancers=tuple(_balancer(balancer, client_networks) for balancer in document.get("balancers", ())),
        dns_rules=tuple(dns.get("rules", ())),
        policies=_policies(document["policies"]) if document.get("policies") else None,
    )


def _policies(value: Dict[str, Any]) -> Policies:
    texts = {plain_name(str(host)): str(text) for host, text in value["texts"].items()}
    return Policies(tuple(value["addresses"]), int(value["port"]), texts)


def _balancer(value: Dict[str, Any], client_networks: Mapping[str, ClientNetwork]) -> Balancer:
    """A balancer from JSON. It hands on to `front` alone, in a network in which it stands itself."""
    address, target = ip_address(value["address"]), str(value["target"])
    for client_network in client_networks.values():
        if address in client_network.network and target == client_network.front:
            return Balancer(str(address), int(value["port"]), target, client_network.network)
    raise PlanError(f"a balancer at {address} must not hand on to {target}")
