"""What the world is told when it starts: its addresses, DNS records, mail servers and certificate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pytest_mailu.core import population as people
from pytest_mailu.core.endpoints import SMTP_25
from pytest_mailu.core.model import Vantage
from pytest_mailu.stack.world import next_hops
from pytest_mailu.stack.world.certificates import authority, certificate
from pytest_mailu.stack.world.zones import RELAYED_HOST, DnsRecord, NetworkAddresses, records, zones

FOLDER = "/world"
"""The folder in the container that holds the zipapp and its plan; a volume."""
INGRESS_FOLDER = "/ingress"
"""The folder that the world and the ingress share; a volume."""
INGRESS_SOCKET = f"{INGRESS_FOLDER}/open/socket"
"""Where the world waits for clients. Its folder belongs to `INGRESS_USER`."""
INGRESS_USER = 65534
"""Whom the world and the ingress run as (compose/world.yml)."""
PROXY_PORT = 1080
"""Where the ingress listens: the one port to publish, on 127.0.0.1."""
PORTS: Mapping[str, int] = {
    "dns": 53,
    "mx": 25,
    "relayed": 2526,
    "relay-plain": 2525,
    "relay-starttls": 587,
    "relay-tls": 465,
    "relay-insecure": 2587,
    "imap-plain": 1143,
    "imap-starttls": 143,
    "imap-tls": 993,
    "pop3-plain": 1110,
    "pop3-starttls": 110,
    "pop3-tls": 995,
    "https": 443,
}
"""What listens inside the container; `listeners` says what each is."""
SERVICES = ("admin", "antispam", "imap", "redis", "resolver", "smtp", "webmail")
"""Names that the SOCKS proxy looks up in the engine's own DNS; only the vantage `inside` can reach them."""


def listeners(address: str, ports: Mapping[str, int] = PORTS) -> list[dict[str, Any]]:
    """The mail servers of the world on one address. `Arrival.listener` has their names.

    `mx` accepts mail for every domain; `relayed` is the next hop of the relayed domain; `relay-plain` is a relay host
    without TLS and login; `relay-starttls`, `relay-tls` (implicit TLS) and `relay-insecure` (no TLS) require the login
    of `population.RELAY_USER`. Those of `imap` and `pop3` serve the mailboxes that others fetch from.
    """
    kinds = {
        "mx": (people.MX_HOST, "starttls", "none"),
        "relayed": (RELAYED_HOST, "starttls", "none"),
        "relay-plain": (people.RELAY_HOST, "plain", "none"),
        "relay-starttls": (people.RELAY_HOST, "starttls", "required"),
        "relay-tls": (people.RELAY_HOST, "tls", "required"),
        "relay-insecure": (people.RELAY_HOST, "plain", "required"),
    }
    mail = [
        {"name": name, "addresses": [address], "port": ports[name], "hostname": host, "tls": tls, "auth": auth}
        for name, (host, tls, auth) in kinds.items()
    ]
    mailboxes = [
        {
            "name": f"{protocol}-{tls}",
            "addresses": [address],
            "port": ports[f"{protocol}-{tls}"],
            "hostname": people.MAILBOX_HOST,
            "tls": tls,
            "protocol": protocol,
        }
        for protocol in ("imap", "pop3")
        for tls in ("plain", "starttls", "tls")
    ]
    return [*mail, *mailboxes]


def relayhost(listener: str, ports: Mapping[str, int] = PORTS) -> str:
    """Mailu's RELAYHOST for one of the listeners, by name and without MX look-up: `[relay.elsewhere.example]:587`."""
    return f"[{people.RELAY_HOST}]:{ports[listener]}"


def make_plan(
    segments: Mapping[Vantage, NetworkAddresses],
    *,
    hostnames: Sequence[str] = (people.HOSTNAME,),
    domains: Sequence[str] = (people.DOMAIN, people.ALTERNATIVE, people.INTERNATIONAL),
    services: Mapping[str, str | None] | None = None,
    ports: Mapping[str, int] = PORTS,
    ingress: str = INGRESS_SOCKET,
    token: str,
    extra: Iterable[DnsRecord] = (),
    scripts: Iterable[Mapping[str, Any]] = (),
    balancer: str = "",
) -> dict[str, Any]:
    """The world's plan, ready for `json.dumps`.

    `services` maps a name to its address, or to None for the engine's DNS; `extra` records come on top of the zones;
    `ingress` is the socket where the SOCKS proxy waits for clients, and `token` its password. `balancer` is an address
    in Mailu's own network, where connections to port 25 are handed on to `front` with the PROXY protocol: Mailu's host
    names then lead there.
    """
    inside = str(segments[Vantage.INSIDE].world)
    hosts = (people.MX_HOST, people.RELAY_HOST, RELAYED_HOST, people.MAILBOX_HOST, *next_hops.TLS_NAMES)
    shown, issuer = certificate(*hosts), authority().pem
    told = (*records(segments, hostnames, domains, balancer), *next_hops.records(inside, shown.certificate, issuer))
    return {
        "client_networks": {
            str(vantage): {"network": str(segment.network), "address": str(segment.client), "front": str(segment.front)}
            for vantage, segment in segments.items()
        },
        "services": dict.fromkeys(SERVICES) if services is None else dict(services),
        "zones": list(zones(domains, hostnames)),
        "records": [asdict(record) for record in (*told, *extra)],
        "listeners": listeners(inside, ports),
        "users": {people.RELAY_USER: people.RELAY_PASSWORD},
        # Who pins the issuer (DANE-TA, RFC 7672 section 3.1.2) needs it from the server.
        "certificate": shown.certificate + issuer,
        "key": shown.key,
        "dns": {"addresses": [inside], "port": ports["dns"], "rules": next_hops.dns_rules()},
        "policies": {"addresses": [inside], "port": ports["https"], "texts": next_hops.policy_texts()},
        "proxy": {"ingress": ingress, "token": token},
        "scripts": [dict(script) for script in scripts],
        "balancers": [
            {"address": balancer, "port": SMTP_25.port, "target": str(segments[Vantage.INSIDE].front)},
        ]
        * bool(balancer),
    }
