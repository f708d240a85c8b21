"""The records of the world's DNS: a pure function of the domains and the addresses in use.

Rspamd refuses strangers without reverse name, SPF and DMARC (core/rspamd/conf, 1.9 to master), so the strangers'
domains have all of them, and `FORGED` has an SPF record that allows no address. Mailu's own domains have the records
that Mailu's web site tells an administrator to publish (core/admin/mailu/models.py: dns_mx and the like).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
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
}
"""The host name of the world's address in each network."""


class NetworkAddresses(Protocol):
    """A network with the world and `front` in it: `stack.networks.Segment`."""

    @property
    def network(self) -> IPv4Network:
        """The subnet."""

    @property
    def world(self) -> IPv4Address:
        """The world's address there."""

    @property
    def client(self) -> IPv4Address:
        """The address that clients come from."""

    @property
    def front(self) -> IPv4Address:
        """Mailu's address there."""


@dataclass(frozen=True, slots=True)
class DnsRecord:
    """One DNS record; `value` is written as in a zone file, without quotes, `ttl` is in seconds."""

    name: str
    type: str
    value: str
    ttl: int = 30


def records(
    places: Mapping[Vantage, NetworkAddresses],
    hostnames: Sequence[str] = (people.HOSTNAME,),
    domains: Sequence[str] = (people.DOMAIN, people.ALTERNATIVE),
) -> tuple[DnsRecord, ...]:
    """All records. `hostnames` are Mailu's, `domains` those with mailboxes; the first of each is the main one."""
    inside = str(places[Vantage.INSIDE].world)
    front = str(places[Vantage.STRANGER].front)
    made: list[DnsRecord] = [DnsRecord("", "NS", NAME_SERVER), DnsRecord(NAME_SERVER, "A", inside)]
    made += [DnsRecord(name, "A", front) for name in hostnames]
    for domain in domains:
        made += _mail_domain(domain, hostnames[0], f"v=spf1 mx a:{hostnames[0]} ~all", private_key())
    made += [DnsRecord(people.RELAYED, "MX", f"10 {hostnames[0]}"), DnsRecord(RELAYED_HOST, "A", inside)]
    key = strangers_key()
    made += [
        *_mail_domain(people.ELSEWHERE, people.MX_HOST, _spf(places, Vantage.STRANGER, Vantage.INSIDE), key),
        *_mail_domain(OTHER, people.MX_HOST, _spf(places, Vantage.OTHER_STRANGER), key),
        *_mail_domain(RELAYNET, people.MX_HOST, _spf(places, Vantage.RELAYNET), key),
        *_mail_domain(people.UNKNOWN_DOMAIN, people.MX_HOST, _spf(places, Vantage.STRANGER), key),
        *_mail_domain(people.FORGED, people.MX_HOST, "v=spf1 -all", key),
        DnsRecord(people.RELAY_HOST, "A", inside),
    ]
    made += [DnsRecord(name, "A", inside) for name in PUBLIC_NAMES]
    for vantage, place in places.items():
        # Each address has one name, and that name has this address: without it, Rspamd raises the score.
        made.append(DnsRecord(_STRANGERS[vantage], "A", str(place.client)))
        made.append(DnsRecord(place.client.reverse_pointer, "PTR", _STRANGERS[vantage]))
    made.append(DnsRecord(places[Vantage.STRANGER].front.reverse_pointer, "PTR", hostnames[0]))
    for zone in zones(domains, hostnames):
        made += [DnsRecord(zone, "SOA", _SOA), DnsRecord(zone, "NS", NAME_SERVER)]
    return tuple(dict.fromkeys(made))


def zones(
    domains: Sequence[str] = (people.DOMAIN, people.ALTERNATIVE), hostnames: Sequence[str] = (people.HOSTNAME,)
) -> tuple[str, ...]:
    """The zones that have an SOA of their own; everything else is the root's."""
    of_hosts = (name.partition(".")[2] for name in hostnames)
    ours = (people.RELAYED, people.ELSEWHERE, OTHER, RELAYNET, people.UNKNOWN_DOMAIN, people.FORGED)
    names = (*domains, *of_hosts, *ours, "world.example", *PUBLIC_NAMES, "in-addr.arpa")
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


def _spf(places: Mapping[Vantage, NetworkAddresses], *senders: Vantage) -> str:
    return " ".join(["v=spf1", *(f"ip4:{places[vantage].client}" for vantage in senders), "-all"])
