"""What the world is told when it starts: its addresses, DNS records, mail servers and certificate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pytest_mailu.core import population as people
from pytest_mailu.core.model import Vantage
from pytest_mailu.stack.world.certificates import Certificate, certificate
from pytest_mailu.stack.world.zones import RELAYED_HOST, DnsRecord, NetworkAddresses, records, zones

FOLDER = "/world"
"""The folder in the container that holds the zipapp and its plan; a volume."""
PROXY_PORT = 1080
"""Where the SOCKS proxy listens inside the container: the one port to publish, on 127.0.0.1."""
PORTS: Mapping[str, int] = {
    "dns": 53,
    "proxy": PROXY_PORT,
    "mx": 25,
    "relayed": 2526,
    "relay-plain": 2525,
    "relay-starttls": 587,
    "relay-tls": 465,
    "relay-insecure": 2587,
}
"""What listens inside the container; `listeners` says what each is."""
SERVICES = ("admin", "antispam", "imap", "redis", "resolver", "smtp", "webmail")
"""Names that the SOCKS proxy looks up in the engine's own DNS; only the vantage `inside` can reach them."""


def listeners(address: str, ports: Mapping[str, int] = PORTS) -> list[dict[str, Any]]:
    """The mail servers of the world on one address. `Arrival.listener` has their names.

    `mx` accepts mail for every domain; `relayed` is the next hop of the relayed domain; `relay-plain` is a relay host
    without TLS and login; `relay-starttls`, `relay-tls` (implicit TLS) and `relay-insecure` (no TLS) require the login
    of `population.RELAY_USER`.
    """
    kinds = {
        "mx": (people.MX_HOST, "starttls", "none"),
        "relayed": (RELAYED_HOST, "starttls", "none"),
        "relay-plain": (people.RELAY_HOST, "plain", "none"),
        "relay-starttls": (people.RELAY_HOST, "starttls", "required"),
        "relay-tls": (people.RELAY_HOST, "tls", "required"),
        "relay-insecure": (people.RELAY_HOST, "plain", "required"),
    }
    return [
        {"name": name, "addresses": [address], "port": ports[name], "hostname": host, "tls": tls, "auth": auth}
        for name, (host, tls, auth) in kinds.items()
    ]


def relayhost(listener: str, ports: Mapping[str, int] = PORTS) -> str:
    """Mailu's RELAYHOST for one of the listeners, by name and without MX look-up: `[relay.elsewhere.example]:587`."""
    return f"[{people.RELAY_HOST}]:{ports[listener]}"


def make_plan(
    places: Mapping[Vantage, NetworkAddresses],
    *,
    hostnames: Sequence[str] = (people.HOSTNAME,),
    domains: Sequence[str] = (people.DOMAIN, people.ALTERNATIVE),
    services: Mapping[str, str | None] | None = None,
    ports: Mapping[str, int] = PORTS,
    proxy_address: str = "0.0.0.0",
    token: str,
    extra: Iterable[DnsRecord] = (),
    scripts: Iterable[Mapping[str, Any]] = (),
    identity: Certificate | None = None,
) -> dict[str, Any]:
    """The world's plan, ready for `json.dumps`.

    `services` maps a name to its address, or to None for the engine's DNS; `extra` records come on top of the zones;
    `identity` is the certificate of all mail servers (default: one of this run's authority); `token` is the password of
    the SOCKS proxy.
    """
    inside = str(places[Vantage.INSIDE].world)
    shown = identity or certificate(people.MX_HOST, people.RELAY_HOST, RELAYED_HOST)
    return {
        "places": {
            str(vantage): {"network": str(place.network), "address": str(place.client), "front": str(place.front)}
            for vantage, place in places.items()
        },
        "services": dict.fromkeys(SERVICES) if services is None else dict(services),
        "zones": list(zones(domains, hostnames)),
        "records": [asdict(record) for record in (*records(places, hostnames, domains), *extra)],
        "listeners": listeners(inside, ports),
        "users": {people.RELAY_USER: people.RELAY_PASSWORD},
        "certificate": shown.certificate,
        "key": shown.key,
        "dns": {"addresses": [inside], "port": ports["dns"]},
        "proxy": {"address": proxy_address, "port": ports["proxy"], "token": token},
        "scripts": [dict(script) for script in scripts],
    }
