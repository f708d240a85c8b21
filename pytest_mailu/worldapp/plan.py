"""The plan of a world, read from one JSON document (written by `pytest_mailu.stack.world.plan.make_plan`)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from ipaddress import IPv4Network, ip_network
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

_SHORTEST_TOKEN, _LONGEST_TOKEN = 16, 255
"""Bytes; RFC 1929 allows no longer password."""


class PlanError(Exception):
    """The plan cannot be used; the text says which part."""


@dataclass(frozen=True)
class ClientNetwork:
    """One network that clients connect from: the world's address in it and `front`'s."""

    network: IPv4Network
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
    """One mail server. `tls` is `plain`, `starttls` or `tls`; `auth` is `none`, `offered` or `required`."""

    name: str
    addresses: Tuple[str, ...]
    port: int
    hostname: str
    tls: str = "plain"
    auth: str = "none"
    size: int = 64 * 1024 * 1024


@dataclass(frozen=True)
class Plan:
    """Everything the world needs to know to start."""

    places: Mapping[str, ClientNetwork]
    services: Mapping[str, str]
    zones: Tuple[str, ...]
    records: Tuple[Record, ...]
    listeners: Tuple[Listener, ...]
    users: Mapping[str, str]
    certificate: str
    key: str
    dns_addresses: Tuple[str, ...]
    dns_port: int
    proxy_address: str
    proxy_port: int
    token: str
    connect_seconds: float = 10.0
    scripts: Tuple[Mapping[str, Any], ...] = field(default=())


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
    places: Dict[str, ClientNetwork] = {}
    for vantage, place in document["places"].items():
        network = ip_network(place["network"])
        if not isinstance(network, IPv4Network):
            raise PlanError(f"{network} is not an IPv4 network")
        places[vantage] = ClientNetwork(network, place["address"], place["front"])
    services: Dict[str, str] = {name: address or "" for name, address in document.get("services", {}).items()}
    listeners: List[Listener] = [
        Listener(**{**listener, "addresses": tuple(listener["addresses"])}) for listener in document["listeners"]
    ]
    dns, proxy = document["dns"], document["proxy"]
    certificate: Optional[str] = document.get("certificate")
    return Plan(
        places=places,
        services=services,
        zones=tuple(plain_name(zone) for zone in document["zones"]),
        records=tuple(read_record(record) for record in document["records"]),
        listeners=tuple(listeners),
        users=dict(document.get("users", {})),
        certificate=certificate or "",
        key=document.get("key") or "",
        dns_addresses=tuple(dns["addresses"]),
        dns_port=int(dns["port"]),
        proxy_address=proxy["address"],
        proxy_port=int(proxy["port"]),
        token=_token(proxy["token"]),
        connect_seconds=float(proxy.get("connect_seconds", 10.0)),
        scripts=tuple(document.get("scripts", ())),
    )
