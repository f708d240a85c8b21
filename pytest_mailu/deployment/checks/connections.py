"""Services that connect to each other and have no network in common."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_mailu.core.model import Outcome, Severity
from pytest_mailu.deployment.model import Service
from pytest_mailu.deployment.note import About, Note
from pytest_mailu.deployment.subject import Subject


def check(subject: Subject) -> Iterator[Note]:
    """A note for each pair of Mailu's services that the new release connects, and that the compose file keeps apart."""
    services = dict(subject.mailu_services(subject.after))
    before = {(entry.service, entry.to) for entry in subject.catalogue.connections if subject.old in entry}
    for entry in subject.catalogue.connections:
        one, other = services.get(entry.service), services.get(entry.to)
        if subject.new not in entry or one is None or other is None or _together(one, other):
            continue
        if subject.after.value(f"{entry.to.upper()}_ADDRESS"):
            continue  # The user says where it is.
        network = min(_networks(other))
        made = About(
            id=f"compose/{one.name}/network/{other.name}",
            title=f"{one.name} and {other.name} have no network in common",
            breaks=f"{one.name} does not reach {other.name}. This is needed for {entry.purpose}.",
            source=str(entry.source),
            severity=Severity.MAJOR,
            place=one.place,
            cause=f"{one.name} of {subject.new} connects to {other.name} for {entry.purpose}.",
            remedy=f"Add the network to `networks:` of {one.name}, and `default` where it has no other yet.",
            write=f"- {network}",
        )
        known = (entry.service, entry.to) in before
        yield made.broken() if known else made.lost(Outcome.UNREACHABLE)


def _together(one: Service, other: Service) -> bool:
    return bool(one.network_mode or other.network_mode or _networks(one) & _networks(other))


def _networks(service: Service) -> set[str]:
    return set(service.networks) or {"default"}
