"""All checks on one deployment: what two releases make of it, as notes in a stable order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from pytest_mailu.core.releases import Release
from pytest_mailu.deployment.catalogue import Catalogue, load
from pytest_mailu.deployment.checks import (
    compose,
    host,
    images,
    known,
    networks,
    outside,
    overrides,
    ports,
    proxies,
    route,
    settings,
    values,
)
from pytest_mailu.deployment.host import Host
from pytest_mailu.deployment.model import Deployment
from pytest_mailu.deployment.note import Note
from pytest_mailu.deployment.subject import Subject

Check: TypeAlias = Callable[[Subject], Iterator[Note]]

CHECKS: tuple[Check, ...] = (
    ports.check,
    settings.check,
    values.check,
    images.check,
    compose.check,
    networks.check,
    proxies.check,
    overrides.check,
    outside.check,
    route.check,
    known.check,
    host.check,
)


def check(
    before: Deployment,
    old: Release,
    new: Release,
    after: Deployment | None = None,
    catalogue: Catalogue | None = None,
    *,
    machine: Host | None = None,
) -> tuple[Note, ...]:
    """What `old` and `new` make of a deployment; `after` is it with the changes that are meant for `new`.

    `machine` is what is known of the host that it runs on.
    """
    subject = Subject(old, new, before, after or before, catalogue or load(), machine)
    notes: dict[str, Note] = {}
    for one in CHECKS:
        for note in one(subject):
            notes.setdefault(note.id, note)
    return tuple(notes.values())
