"""The settings of every release, found in Mailu's sources, as the tables of `settings.toml`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from mailu_sources import (
    Lookups,
    Repository,
    admin_addresses,
    default_config,
    file_lookups,
    image_environment,
    service_of,
)

from pytest_mailu.core.releases import Release

CONFIGURATION = "core/admin/mailu/configuration.py"
BASE = "core/base/Dockerfile"
COMPOSE = "setup/flavors/compose/docker-compose.yml"
SETTINGS_TEMPLATE = "setup/flavors/compose/mailu.env"
DOCUMENTS = "docs/configuration.rst"


@dataclass(frozen=True)
class Found:
    """What one release says of a setting."""

    services: tuple[str, ...]
    default: str | None
    file: str


@dataclass(frozen=True)
class Sources:
    """The settings of one release, the names that are documented there, and defaults that contradict each other."""

    settings: dict[str, Found]
    documented: frozenset[str]
    contradictions: frozenset[tuple[str, str, str]]


class Finder:
    """Finds settings; remembers what it found in a file, since most files stay the same from release to release."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self._lookups: dict[tuple[str, str], Lookups] = {}

    def find(self, release: Release) -> Sources:
        """All settings that a release reads, or writes into the `mailu.env` of its set-up page."""
        tree = self.repository.tree(release)
        defaults = default_config(self._text(tree, CONFIGURATION))
        image = image_environment(self._text(tree, BASE))
        reads: dict[str, dict[str, str]] = {}
        others: dict[str, dict[str, str]] = {}

        def note(name: str, service: str, path: str) -> None:
            reads.setdefault(name, {}).setdefault(service, path)

        for name in [*defaults, *admin_addresses(self._text(tree, CONFIGURATION))]:
            note(name, "admin", CONFIGURATION)
        for service, paths in _by_service(tree):
            found = [(path, self._file(path, tree[path])) for path in paths]
            own = {name for _, file in found for name in file.sets}
            own -= {name for path, file in found if path.endswith(".py") for name in file.reads}
            for path, file in found:
                for name, default in file.reads.items():
                    if name not in own:
                        note(name, service, path)
                        if default is not None:
                            others.setdefault(name, {}).setdefault(default, path)
        for name, default in re.findall(r"\$\{(\w+)(?::-([^}{]*))?", self._text(tree, COMPOSE)):
            note(name, "compose", COMPOSE)
            others.setdefault(name, {}).setdefault(default, COMPOSE)
        written = frozenset(re.findall(r"^#? ?([A-Z][A-Z0-9_]+)=", self._text(tree, SETTINGS_TEMPLATE), re.M))
        for name in written - reads.keys():
            reads[name] = {"compose": SETTINGS_TEMPLATE} if name == "COMPOSE_PROJECT_NAME" else {"": SETTINGS_TEMPLATE}
        settings: dict[str, Found] = {}
        contradictions: set[tuple[str, str, str]] = set()
        for name, where in reads.items():
            given = others.get(name, {})
            default, file = _default(name, defaults, image, given, next(iter(where.values())))
            contradictions |= {(name, other, path) for other, path in given.items() if other != default}
            settings[name] = Found(tuple(sorted(filter(None, where))), default, file)
        documents = self._text(tree, DOCUMENTS)
        documented = written | {name for name in settings if re.search(rf"\b{name}\b", documents)}
        return Sources(settings, documented, frozenset(contradictions))

    def _text(self, tree: dict[str, str], path: str) -> str:
        return self.repository.text(tree[path]) if path in tree else ""

    def _file(self, path: str, blob: str) -> Lookups:
        key = (path, blob)
        if key not in self._lookups:
            self._lookups[key] = file_lookups(path, self.repository.text(blob))
        return self._lookups[key]


def _default(
    name: str, admin: Mapping[str, str | None], image: Mapping[str, str], given: Mapping[str, str], reader: str
) -> tuple[str | None, str]:
    """The default of a setting and where it stands: first what `admin` says, then the image, then the other readers."""
    if name in admin:
        return admin[name], CONFIGURATION
    if name in image:
        return image[name], BASE
    if given:
        return min(given.items(), key=lambda item: item[1])
    return None, reader


def _by_service(tree: dict[str, str]) -> Iterable[tuple[str, list[str]]]:
    belonging = [(service, path) for path in tree if (service := service_of(path)) and path != CONFIGURATION]
    belonging = [(service, path) for service, path in belonging if service != "admin" or path.endswith(".py")]
    for service, pairs in groupby(sorted(belonging), key=lambda pair: pair[0]):
        yield service, [path for _, path in pairs]


def periods(releases: Sequence[Release], value_of: Callable[[Release], object]) -> list[tuple[int, int]]:
    """Where a value stays the same: pairs of the first index and the one after the last; nothing for None."""
    found, start = [], 0
    for end in range(1, len(releases) + 1):
        if end == len(releases) or value_of(releases[end]) != value_of(releases[start]):
            if value_of(releases[start]) is not None:
                found.append((start, end))
            start = end
    return found


def settings_tables(releases: Sequence[Release], sources: dict[Release, Sources]) -> list[dict[str, object]]:
    """The entries of `[[setting]]`, by name."""
    names = sorted({name for found in sources.values() for name in found.settings})
    tables: list[dict[str, object]] = []
    for name in names:

        def state(release: Release, name: str = name) -> object:
            found = sources[release].settings.get(name)
            return found and (found.services, found.default)

        history = []
        for start, end in periods(releases, state):
            found = sources[releases[start]].settings[name]
            entry: dict[str, object] = {"since": releases[start].tag}
            if end < len(releases):
                entry["until"] = releases[end].tag
            if found.default is not None:
                entry["default"] = found.default
            entry["services"] = list(found.services)
            if not any(name in sources[release].documented for release in releases[start:end]):
                entry["documented"] = False
            entry["source"] = f"{found.file}@{releases[start].tag}"
            history.append(entry)
        tables.append({"name": name, "history": history})
    return tables
