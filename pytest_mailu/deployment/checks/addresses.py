"""Addresses of the deployment's networks that the machine, or another network of its engine, has already."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import replace
from typing import TypeAlias

from pytest_mailu.core.model import Outcome, Severity
from pytest_mailu.deployment.checks.from_notice import about
from pytest_mailu.deployment.host import Host, Taken
from pytest_mailu.deployment.model import Given
from pytest_mailu.deployment.note import Note
from pytest_mailu.deployment.subject import Subject

Address: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
FREE: tuple[Address, ...] = (
    *(ipaddress.ip_network(f"192.168.{number}.0/24") for number in range(203, 254)),
    *(ipaddress.ip_network(f"172.31.{number}.0/24") for number in range(254)),
    *(ipaddress.ip_network(f"fd00:203:{number:x}::/64") for number in range(1, 50)),
)
"""Networks to propose, the first that nobody has."""


def check(subject: Subject) -> Iterator[Note]:
    """A note for each network of the deployment whose addresses are in use; none where the machine is not known."""
    machine = subject.host
    if machine is None or not machine.taken:
        return
    deployment = subject.after
    known: list[Address] = []
    for name, network in deployment.networks.items():
        for given in () if network.external else network.subnets:
            if (own := parsed(given.value)) is not None:
                known.append(own)
                yield from _note(subject, machine, f"compose/network/{name}", given, own)
    for name in ("SUBNET", "SUBNET6"):
        setting = deployment.settings.get(name)
        own = parsed(setting.value) if setting else None
        if setting is None or own is None or any(_shared(own, other) for other in known):
            continue
        given = Given(setting.value, setting.place)
        yield from _note(subject, machine, f"env/{name}", given, own)


def parsed(text: str) -> Address | None:
    """A network as it is written; None for what is none."""
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        return None


def _shared(one: Address, other: Address) -> bool:
    return one.version == other.version and one.overlaps(other)


def _note(subject: Subject, machine: Host, id_: str, given: Given, own: Address) -> Iterator[Note]:
    others = [(taken, network) for taken in machine.taken if (network := parsed(taken.network)) is not None]
    found = [(taken, network) for taken, network in others if _shared(own, network)]
    if not found:
        return
    taken, network = min(found, key=lambda each: list(Severity).index(_severity(each[0], own, each[1])))
    in_use = list(_all(subject, machine))
    alike = (one for one in FREE if one.version == own.version)
    free = next((one for one in alike if not any(_shared(one, other) for other in in_use)), None)
    write = f"{id_.removeprefix('env/')}={free}" if id_.startswith("env/") else f"- subnet: {free}"
    version = "" if own.version == 4 else "6"
    made = about(
        subject.catalogue.notice("compose/network-of-engine" if taken.engine else "compose/network-of-host"),
        id=f"{id_}/taken{version}",
        title=f"{_what(id_)} is {own}, and {taken.by} {'has' if taken.engine else 'leads to'} {network}",
        place=given.place,
        severity=_severity(taken, own, network),
    )
    made = replace(made, write=write if free else "", facts={"taken": str(network), "by": taken.by})
    outcome = Outcome.REFUSED if taken.engine else Outcome.ALTERED
    lives_with_it = any(parsed(text) == own for text in machine.own)
    yield made.broken(outcome) if lives_with_it else made.lost(outcome)


def _what(id_: str) -> str:
    kind, _, name = id_.rpartition("/")
    return name if kind == "env" else f"The network {name}"


def _severity(taken: Taken, own: Address, network: Address) -> Severity:
    """A wide route to somewhere else loses only what lies in the deployment's own network; usually nobody is there."""
    if taken.engine:
        return Severity.CRITICAL
    return Severity.MINOR if taken.gateway and network.prefixlen < own.prefixlen else Severity.MAJOR


def _all(subject: Subject, machine: Host) -> Iterator[Address]:
    """Every network that is known: of the machine, of the compose file and of the settings."""
    texts = [taken.network for taken in machine.taken] + list(machine.own)
    texts += [given.value for network in subject.after.networks.values() for given in network.subnets]
    yield from filter(None, map(parsed, texts))
