"""Networks: SUBNET and the compose file, the resolver's address, IPv6 and who counts as inside."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import replace
from typing import TypeAlias

from pytest_mailu.core.model import Outcome, Severity
from pytest_mailu.deployment.checks.from_notice import about
from pytest_mailu.deployment.model import Given, Network, Setting
from pytest_mailu.deployment.note import About, Edit, Note
from pytest_mailu.deployment.subject import Subject

Address: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
MAIL_PORTS = frozenset((25, 110, 143, 465, 587, 993, 995, 4190))
EXAMPLE = "192.0.2.25"
"""An address of documents: the user's own belongs there."""
LARGEST = 65_536
"""Addresses in a network of containers: more is a slip of the pen."""


def check(subject: Subject) -> Iterator[Note]:
    """Notes on the network that Mailu trusts, and on the way addresses reach it."""
    deployment = subject.after
    default = deployment.networks.get("default")
    for name in ("SUBNET", "SUBNET6"):
        setting = deployment.settings.get(name)
        if setting is not None:
            yield from _setting(subject, setting)
    yield from _resolver(subject, default)
    yield from _nobody_at(subject)
    yield from _ipv6(subject, default)
    yield from _all_addresses(subject)
    yield from _relaynets(subject)
    yield from _overlap(subject)


def _network(text: str) -> Address | None:
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        return None


def _inner(subject: Subject) -> list[Network]:
    """The networks that Mailu's services of the mail path talk to each other on; none where the host's own is used."""
    networks = subject.after.networks
    found: dict[str, Network] = {}
    for role in ("admin", "front", "smtp", "imap", "antispam"):
        service = subject.service(subject.after, role)
        if service is None or service.network_mode:
            continue
        for name in service.networks or ("default",):
            found[name] = networks.get(name) or Network(name, service.place)
    return list(found.values())


def _setting(subject: Subject, setting: Setting) -> Iterator[Note]:
    network = _network(setting.value)
    made = {"id": f"env/{setting.name}/network", "place": setting.place, "source": "core/admin/mailu/configuration.py"}
    if network is None:
        yield About(
            **made,  # type: ignore[arg-type]
            title=f"{setting.name}={setting.value[:60]} is not a network",
            breaks="Services do not start, or trust nobody.",
            severity=Severity.CRITICAL,
            remedy="Write the network of the compose file.",
            write=f"{setting.name}=192.168.203.0/24",
        ).broken()
        return
    inner = _inner(subject)
    of_compose = [given for one in inner for given in one.subnets if _version(given) == network.version]
    if inner and not of_compose and network.version == 4 and not any(one.external for one in inner):
        yield About(
            **made,  # type: ignore[arg-type]
            title=f"{setting.name} is {setting.value}, and the compose file leaves the network's addresses to Docker",
            breaks="Mailu's services take each other for strangers, unless Docker chooses that very network by chance.",
            severity=Severity.MAJOR,
            remedy=f"Give the network {inner[0].name} of the compose file this subnet (ipam, config).",
            write=f"- subnet: {setting.value.strip()}",
        ).broken(Outcome.ALTERED)
    if of_compose and all(_network(given.value) != network for given in of_compose):
        given = of_compose[0]
        yield About(
            **made,  # type: ignore[arg-type]
            title=f"{setting.name} is {setting.value}, the network of the compose file is {given.value}",
            breaks="Mailu's services take each other for strangers: internal mail and logins are refused or limited.",
            severity=Severity.MAJOR,
            remedy=f"Write the network that {given.place} has.",
            write=f"{setting.name}={given.value}",
            edits=(Edit.of(setting, f"{setting.name}={given.value}"),),
        ).broken(Outcome.ALTERED)


def _version(given: Given) -> int:
    network = _network(given.value)
    return network.version if network else 0


def _resolver(subject: Subject, default: Network | None) -> Iterator[Note]:
    """The resolver's fixed address must be in the network; `dns:` must name it."""
    resolver = subject.service(subject.after, "resolver")
    address = next(iter(resolver.addresses.values()), None) if resolver else None
    if address is None:
        return
    subnets = [network for given in (default.subnets if default else ()) if (network := _network(given.value))]
    try:
        where = ipaddress.ip_address(address.value)
    except ValueError:
        return
    if subnets and not any(where in network for network in subnets):
        yield About(
            id="compose/resolver/address",
            title=f"The resolver's address {address.value} is not in {subnets[0]}",
            breaks="Docker refuses to start the resolver; admin and smtp wait for it for ever.",
            source="setup/flavors/compose/docker-compose.yml: ipv4_address of the resolver",
            severity=Severity.CRITICAL,
            place=address.place,
            remedy="Write an address of that network.",
            write=f"ipv4_address: {list(subnets[0].hosts())[-1] if subnets[0].num_addresses <= LARGEST else ''}",
        ).broken()
    for role, service in subject.mailu_services(subject.after):
        strange = [given for given in service.dns if given.value != address.value]
        if strange:
            yield About(
                id=f"compose/{service.name}/dns",
                title=f"{service.name} asks {strange[0].value}, the resolver is {address.value}",
                breaks="Names are not resolved, or without DNSSEC: mail is deferred and admin may not start.",
                source="setup/flavors/compose/docker-compose.yml: dns",
                severity=Severity.MAJOR,
                place=strange[0].place,
                remedy="Write the resolver's address.",
                write=f"- {address.value}",
                facts={"role": role},
            ).broken(Outcome.ALTERED)


def _nobody_at(subject: Subject) -> Iterator[Note]:
    """Services that ask a DNS server inside Mailu's network where no service has that address."""
    inside = [network for one in _inner(subject) for given in one.subnets if (network := _network(given.value))]
    taken = {given.value for service in subject.after.services.values() for given in service.addresses.values()}
    for _, service in subject.mailu_services(subject.after):
        for given in service.dns:
            asked = _network(given.value)
            if asked is None or given.value in taken or not any(_contains(network, asked) for network in inside):
                continue
            if subject.service(subject.after, "resolver") is not None and taken:
                return  # told as the resolver's address
            yield About(
                id="compose/resolver/missing",
                title=f"{service.name} asks {given.value} for names, and no service has this address",
                breaks="No name is resolved: admin waits for ever, and mail is deferred.",
                source="setup/flavors/compose/docker-compose.yml: resolver, ipv4_address",
                severity=Severity.CRITICAL,
                place=given.place,
                remedy=f"Add the service resolver with the address {given.value}, as the set-up page writes it.",
            ).broken()
            return


def _contains(network: Address, other: Address) -> bool:
    return network.version == other.version and network.overlaps(other)


def _all_addresses(subject: Subject) -> Iterator[Note]:
    """A port published without an address: Docker listens on IPv6 as well, and a proxy of its own takes it in."""
    front = subject.service(subject.after, "front")
    if front is None or front.network_mode or any(one.ipv6 or one.external for one in _inner(subject)):
        return
    port = next((port for port in front.ports if port.host in ("", "::") and port.target in MAIL_PORTS), None)
    if port is None:
        return
    made = about(
        subject.catalogue.notice("compose/userland-proxy"),
        title="front is published on all addresses, IPv6 included, and its network has no IPv6",
        place=port.place,
        id=f"compose/{front.name}/all-addresses",
        severity=Severity.MINOR,
    )
    yield replace(made, write=f'- "{EXAMPLE}:{port.published or port.target}:{port.target}"').broken(Outcome.ALTERED)


def _ipv6(subject: Subject, default: Network | None) -> Iterator[Note]:
    """A port published on IPv6 before a network without IPv6: everybody comes from the gateway, which is inside."""
    front = subject.service(subject.after, "front")
    if front is None or default is None or default.ipv6 or default.external:
        return
    if any(_version(given) == 6 for given in default.subnets):
        return
    port = next((port for port in front.ports if ":" in port.host), None)
    if port is None:
        return
    yield About(
        id="compose/front/ipv6",
        title="front is published on IPv6, and its network has no IPv6",
        breaks="Clients that come over IPv6 seem to be inside SUBNET: they may send mail to anybody without a login.",
        source="Mailu issues #3680 and #332; docs/faq.rst, IPv6",
        severity=Severity.CRITICAL,
        place=port.place,
        remedy="Remove the ports with an IPv6 address, or give the network `enable_ipv6: true` and an IPv6 subnet.",
    ).broken(Outcome.ALTERED)


def _relaynets(subject: Subject) -> Iterator[Note]:
    setting = subject.after.settings.get("RELAYNETS")
    if setting is None:
        return
    for text in filter(None, (word.strip() for word in setting.value.replace(" ", ",").split(","))):
        network = _network(text)
        if network is not None and network.prefixlen == 0:
            yield About(
                id="env/RELAYNETS/open",
                title=f"RELAYNETS has {text}: everybody may relay",
                breaks="The server is an open relay: it sends anybody's spam and lands on block lists.",
                source="docs/configuration.rst, RELAYNETS",
                severity=Severity.CRITICAL,
                place=setting.place,
                remedy="Name only the addresses of your own devices.",
            ).broken(Outcome.ALTERED)


def _overlap(subject: Subject) -> Iterator[Note]:
    """Two networks of the compose file that share addresses: Docker refuses the second."""
    known: list[tuple[str, Address, Given]] = []
    for name, network in subject.after.networks.items():
        for given in network.subnets:
            own = _network(given.value)
            if own is None:
                continue
            for other, theirs, at in known:
                if own.version == theirs.version and own.overlaps(theirs):
                    yield About(
                        id=f"compose/network/{name}/overlap",
                        title=f"The networks {other} and {name} overlap",
                        breaks="Docker refuses to make the second network; nothing starts.",
                        source="Docker: Pool overlaps with other one on this address space",
                        severity=Severity.CRITICAL,
                        place=given.place,
                        remedy=f"Choose a network other than {at.value} ({at.place}).",
                    ).broken()
            known.append((name, own, given))
