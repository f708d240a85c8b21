"""The records of the world's DNS: a pure function of the domains and the addresses in use.

Rspamd refuses strangers without reverse name, SPF and DMARC (core/rspamd/conf, 1.9 to master), so the strangers'
domains have all of them, and `FORGED` has an SPF record that allows no address. Mailu's own domains have the records
that Mailu's web site tells an administrator to publish (core/admin/mailu/models.py: dns_mx and the like).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Protocol

from pytest_mailu.core import population as people
from pytest_mailu.core.model import Vantage
from pytest_mailu.stack.world.dkim import SELECTOR, private_key, public_record, strangers_key

OTHER = people.OTHER_STRANGER_HOST.partition(".")[2]
RELAYNET = people.RELAYNET_HOST.partition(".")[2]
RELAYED_HOST = f"mx.{people.RELAYED}"
"""The next hop of `RELAYED`, in the world."""
NAME_SERVER = "ns.world.example"
PUBLIC_NAMES = ("example.org", "example.com")
"""Mailu's `admin` waits for `example.org A` (core/admin/start.py)."""

_SOA = f"{NAME_SERVER} hostmaster.world.example 1 3600 600 86400 5"
_DMARC = "v=DMARC1; p=reject; adkim=s; aspf=s"
_STRANGERS = {
    Vantage.STRANGER: people.STRANGER_HOST,
    Vantage.OTHER_STRANGER: people.OTHER_STRANGER_HOST,
    Vantage.RELAYNET: people.RELAYNET_HOST,
    Vantage.INSIDE: people.MX_HOST,
    Vantage.PROXY: people.PROXY_HOST,
    Vantage.FAR_PROXY: people.FAR_PROXY_HOST,
    Vantage.STRANGER_IPV6: people.STRANGER_HOST,
    Vantage.OTHER_STRANGER_IPV6: people.OTHER_STRANGER_HOST,
    Vantage.NEIGHBOUR_IPV6: people.OTHER_STRANGER_HOST,
    Vantage.RELAYNET_IPV6: people.RELAYNET_HOST,
}
"""The host name of the world's address in each network."""


class NetworkAddresses(Protocol):
    """A network with the world and `front` in it: `stack.networks.Segment`."""

    @property
    def network(self) -> IPv4Network | IPv6Network:
        """The subnet."""

    @property
    def world(self) -> IPv4Address | IPv6Address:
        """The world's address there."""

    @property
    def client(self) -> IPv4Address | IPv6Address:
        """The address that clients come from."""

    @property
    def front(self) -> IPv4Address | IPv6Address:
        """Mailu's address there."""


@dataclass(frozen=True, slots=True)
class DnsRecord:
    """One DNS record; `value` is written as in a zone file, without quotes, `ttl` is in seconds."""

    name: str
    type: str
    value: str
    ttl: int = 30


def records(
    segments: Mapping[Vantage, NetworkAddresses],
    hostnames: Sequence[str] = (people.HOSTNAME,),
    domains: Sequence[str] = (people.DOMAIN, people.ALTERNATIVE, people.INTERNATIONAL),
    balancer: str = "",
) -> tuple[DnsRecord, ...]:
    """All records. `hostnames` are Mailu's, `domains` those with mailboxes; the first of each is the main one.

    `balancer` is the address of Mailu's host names where a load balancer stands before it.
    """
    inside = str(segments[Vantage.INSIDE].world)
    front = str(segments[Vantage.STRANGER].front)
    zone_records: list[DnsRecord] = [DnsRecord("", "NS", NAME_SERVER), DnsRecord(NAME_SERVER, "A", inside)]
    zone_records += [DnsRecord(name, "A", balancer or front) for name in hostnames]
    for domain in domains:
        zone_records += _mail_domain(domain, hostnames[0], f"v=spf1 mx a:{hostnames[0]} ~all", private_key())
    zone_records += [DnsRecord(people.RELAYED, "MX", f"10 {hostnames[0]}"), DnsRecord(RELAYED_HOST, "A", inside)]
    key = strangers_key()
    zone_records += [
        *_mail_domain(
            people.ELSEWHERE,
            people.MX_HOST,
            _spf(segments, Vantage.STRANGER, Vantage.STRANGER_IPV6, Vantage.INSIDE),
            key,
        ),
        *_mail_domain(OTHER, people.MX_HOST, _spf(segments, Vantage.OTHER_STRANGER, Vantage.OTHER_STRANGER_IPV6), key),
        *_mail_domain(RELAYNET, people.MX_HOST, _spf(segments, Vantage.RELAYNET, Vantage.RELAYNET_IPV6), key),
        *_mail_domain(people.UNKNOWN_DOMAIN, people.MX_HOST, _spf(segments, Vantage.STRANGER), key),
        *_mail_domain(people.FORGED, people.MX_HOST, "v=spf1 -all", key),
        DnsRecord(people.RELAY_HOST, "A", inside),
        DnsRecord(people.MAILBOX_HOST, "A", inside),
        DnsRecord(people.IMPOSTOR_HOST, "A", inside),
    ]
    zone_records += [DnsRecord(name, "A", inside) for name in PUBLIC_NAMES]
    for vantage, segment in segments.items():
        # Each address has one name, and that name has this address: without it, Rspamd raises the score.
        kind = "A" if segment.client.version == 4 else "AAAA"
        zone_records.append(DnsRecord(_STRANGERS[vantage], kind, str(segment.client)))
        zone_records.append(DnsRecord(segment.client.reverse_pointer, "PTR", _STRANGERS[vantage]))
    zone_records.append(DnsRecord(segments[Vantage.STRANGER].front.reverse_pointer, "PTR", hostnames[0]))
    if Vantage.STRANGER_IPV6 in segments:
        front6 = segments[Vantage.STRANGER_IPV6].front
        zone_records += [DnsRecord(name, "AAAA", str(front6)) for name in hostnames]
        zone_records.append(DnsRecord(front6.reverse_pointer, "PTR", hostnames[0]))
    for zone in zones(domains, hostnames):
        zone_records += [DnsRecord(zone, "SOA", _SOA), DnsRecord(zone, "NS", NAME_SERVER)]
    return tuple(dict.fromkeys(zone_records))


def zones(
    domains: Sequence[str] = (people.DOMAIN, people.ALTERNATIVE, people.INTERNATIONAL),
    hostnames: Sequence[str] = (people.HOSTNAME,),
) -> tuple[str, ...]:
    """The zones that have an SOA of their own; everything else is the root's."""
    of_hosts = (name.partition(".")[2] for name in hostnames)
    ours = (people.RELAYED, people.ELSEWHERE, OTHER, RELAYNET, people.UNKNOWN_DOMAIN, people.FORGED)
    names = (*domains, *of_hosts, *ours, "world.example", *PUBLIC_NAMES, "in-addr.arpa", "ip6.arpa")
    return tuple(dict.fromkeys(name for name in names if name))


def txt_lookup(known: Iterable[DnsRecord]) -> Callable[[str], str | None]:
    """A function from a name to its TXT record, for `dkim.verify`."""
    texts = {record.name: record.value for record in known if record.type == "TXT"}
    return texts.get


def _mail_domain(domain: str, exchanger: str, spf: str, key: str) -> list[DnsRecord]:
    return [
        DnsRecord(domain, "MX", f"10 {exchanger}"),
        DnsRecord(domain, "TXT", spf),
        DnsRecord(f"{SELECTOR}._domainkey.{domain}", "TXT", public_record(key)),
        DnsRecord(f"_dmarc.{domain}", "TXT", _DMARC),
    ]


def _spf(segments: Mapping[Vantage, NetworkAddresses], *senders: Vantage) -> str:
    clients = [segments[vantage].client for vantage in senders if vantage in segments]
    return " ".join(["v=spf1", *(f"ip{client.version}:{client}" for client in clients), "-all"])
