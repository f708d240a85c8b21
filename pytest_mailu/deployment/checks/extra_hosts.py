"""`extra_hosts:`: names and addresses written by hand, beside Docker's own name service."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import replace
from typing import TypeAlias

from pytest_mailu.core.model import Outcome, Severity
from pytest_mailu.deployment.catalogue import Connection
from pytest_mailu.deployment.checks.addresses import Address, parsed
from pytest_mailu.deployment.checks.from_notice import about
from pytest_mailu.deployment.model import Deployment, Given, Service
from pytest_mailu.deployment.note import About, Note
from pytest_mailu.deployment.subject import Subject

IpAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


def check(subject: Subject) -> Iterator[Note]:
    """Notes on each line of `extra_hosts:`, of Mailu's services and of those beside them."""
    for service in subject.after.services.values():
        if service.network_mode:
            continue
        for name, given in service.extra_hosts.items():
            yield from _line(subject, service, name, given)


def _line(subject: Subject, service: Service, name: str, given: Given) -> Iterator[Note]:
    address = _address(given.value)
    id_ = f"compose/{service.name}/extra_hosts/{name}"
    other_way = _other_way(subject, service, name)
    if other_way is not None:
        yield _without_effect(subject, service, name, given, other_way)
        return
    inside = address is not None and _inside(subject.after, address)
    there = [one for one in subject.after.services.values() if given.value in {str(a) for a in one.addresses.values()}]
    named = subject.after.services.get(name)
    if address is not None and not inside and _inside(subject.before, address):
        yield About(
            id=id_,
            title=f"{service.name} looks for {name} at {given.value}, which is no longer in the deployment's network",
            breaks=f"{service.name} does not reach {name}.",
            source="Compose specification: extra_hosts",
            place=given.place,
            remedy="Remove the line and use the service's name.",
        ).lost(Outcome.UNREACHABLE)
    elif inside and not there:
        yield about(
            subject.catalogue.notice("compose/hosts-by-chance"),
            id=id_,
            title=f"{service.name} looks for {name} at {given.value}, an address that no service has for certain",
            place=given.place,
        ).broken(Outcome.ALTERED)
    elif named is not None and not named.network_mode and named not in there and named is not service:
        yield about(
            subject.catalogue.notice("compose/hosts-shadow"),
            id=id_,
            title=f"{service.name} looks for {name} at {given.value}, not at the service {name} of this file",
            place=given.place,
        ).broken(Outcome.ALTERED)


def _address(text: str) -> IpAddress | None:
    """The address of a line; None for `host-gateway` and for what is none."""
    try:
        return ipaddress.ip_address(text.strip().strip("[]"))
    except ValueError:
        return None


def _inside(deployment: Deployment, address: IpAddress) -> bool:
    """Whether Docker gives this address to containers; the first of a network is the machine itself."""
    texts = [given.value for network in deployment.networks.values() for given in network.subnets]
    texts += [setting.value for name in ("SUBNET", "SUBNET6") if (setting := deployment.settings.get(name))]
    networks: Iterator[Address] = filter(None, map(parsed, texts))
    return any(address in network and address != network.network_address + 1 for network in networks)


def _other_way(subject: Subject, service: Service, name: str) -> Connection | None:
    """The connection of the new release that is made to another service than to the one of this name."""
    role = subject.role(service)
    own = [entry for entry in subject.catalogue.connections if entry.service == role]
    before = {entry.to for entry in own if subject.old in entry}
    after = [entry for entry in own if subject.new in entry]
    if name not in before or name in {entry.to for entry in after}:
        return None
    return next(iter(after), None)


def _without_effect(subject: Subject, service: Service, name: str, given: Given, way: Connection) -> Note:
    setting = f"{name.upper()}_ADDRESS"
    known = subject.catalogue.setting(setting)
    write = f"{setting}={given.value}" if known and known.at(subject.new) and _address(given.value) else ""
    made = About(
        id=f"compose/{service.name}/extra_hosts/{name}",
        title=f"{service.name} of {subject.new} connects to {way.to} instead of {name}: this line has no effect",
        breaks=f"{way.purpose[0].upper()}{way.purpose[1:]} goes to {way.to}, and from there not to {given.value}.",
        source=str(way.source),
        severity=Severity.MAJOR,
        place=given.place,
        cause=f"From {way.since} on, {service.name} connects to {way.to} for {way.purpose}.",
        remedy="Write the address into mailu.env, for all services, and remove the line."
        if write
        else f"Let {way.to} find {name} at that address.",
    )
    return replace(made, write=write).lost(Outcome.ALTERED)
