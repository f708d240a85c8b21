"""All checks on one deployment: what two releases make of it, as notes in a stable order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeAlias

from pytest_mailu.core.releases import Release
from pytest_mailu.deployment.catalogue import Catalogue, load
from pytest_mailu.deployment.checks import (
    addresses,
    compose,
    connections,
    extra_hosts,
    host,
    images,
    known,
    networks,
    outside,
    overrides,
    ports,
    proxies,
    route,
    services,
    settings,
    values,
    volumes,
)
from pytest_mailu.deployment.host import Host
from pytest_mailu.deployment.lines import environment_line
from pytest_mailu.deployment.model import Deployment, Place, Setting
from pytest_mailu.deployment.note import Note
from pytest_mailu.deployment.subject import Subject

Check: TypeAlias = Callable[[Subject], Iterator[Note]]

CHECKS: tuple[Check, ...] = (
    ports.check,
    settings.check,
    values.check,
    images.check,
    compose.check,
    services.check,
    networks.check,
    addresses.check,
    connections.check,
    extra_hosts.check,
    volumes.check,
    proxies.check,
    overrides.check,
    outside.check,
    route.check,
    known.check,
    host.check,
)

_OF_THE_COMPOSE_FILE = ("settings/compose/", "settings/ports/")
"""The ids of what is wrong with a compose file."""


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
    notes = _notes(subject)
    if subject.has_new_compose_file:
        # What is wrong with the new file alone works today.
        today = {note.id for note in _notes(replace(subject, after=before)).values() if note.broken}
        for id_, note in notes.items():
            if note.broken and id_ not in today and id_.startswith(_OF_THE_COMPOSE_FILE):
                notes[id_] = note.works_today()
    return tuple(notes.values())


def _notes(subject: Subject) -> dict[str, Note]:
    """The notes of all checks, by id, with the lines that may be offered."""
    notes = _found(subject)
    return {id_: _in_form(_without_bad_line(note, subject), subject.after) for id_, note in notes.items()}


def _found(subject: Subject) -> dict[str, Note]:
    notes: dict[str, Note] = {}
    for one in CHECKS:
        for note in one(subject):
            notes.setdefault(note.id, note)
    return notes


def _without_bad_line(note: Note, subject: Subject) -> Note:
    """The note without its line and its changes, where another check rejects the value that the line sets."""
    name, equals, value = note.write.partition("=")
    if not equals or not name.isidentifier():
        return note
    setting = Setting(name, value, note.place or Place("", 0), raw=value)
    after = replace(subject.after, settings={**subject.after.settings, name: setting})
    others = _found(replace(subject, after=after)).values()
    if any(other.id != note.id and (other.lost or other.broken) and _is_about(other, name) for other in others):
        return replace(note.with_write(""), edits=())
    return note


def _is_about(note: Note, name: str) -> bool:
    """Whether a note is about the value of a setting."""
    return f"{note.id}/".startswith(f"settings/env/{name}/") or note.write.startswith(f"{name}=")


def _in_form(note: Note, deployment: Deployment) -> Note:
    """The note with its line in the form of `environment:`, where that is the place it is about."""
    name, equals, value = note.write.partition("=")
    file = next((text for text in deployment.compose_files if note.place and text.shown == note.place.file), None)
    if not equals or file is None or note.place is None or not name.isidentifier():
        return note
    line = environment_line(file.lines[note.place.line - 1], name, value)
    return note if line is None else note.with_write(line.strip())
