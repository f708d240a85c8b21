"""The versions that Mailu's Dockerfiles name, as the tables of `programs.toml`.

What a Dockerfile names exactly stands here; what Alpine Linux's release decides is hand-written (`alpine.toml`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from catalogue_settings import BASE, periods
from mailu_sources import FOLDERS, Repository

from pytest_mailu.core.releases import Release

PATTERNS: Mapping[str, str] = {
    "Alpine Linux": r"^ARG DISTRO=(?:\S*/)?alpine:(\S+)",
    "Roundcube": r"roundcubemail-([\d.]+)-complete",
    "CardDAV plugin": r"carddav-v([\d.]+)\.tar",
    "SnappyMail": r"snappymail-([\d.]+)\.tar",
    "RainLoop": r"rainloop-community-([\d.]+)\.zip",
    "Snuffleupagus": r"^ARG SNUFFLEUPAGUS_VERSION=(\S+)",
    "PHP": r"\bphp(8\d)-fpm\b",
    "full-text search": r"\bdovecot-fts-(\w+)",
}
"""Program → where its version stands in a Dockerfile."""


def versions(repository: Repository, release: Release) -> dict[tuple[str, str], tuple[str, str]]:
    """(service, program) → (version, file) of a release. Images made on the base image have its Alpine Linux."""
    tree, found = repository.tree(release), {}
    for folder, service in FOLDERS.items():
        for path in sorted(path for path in tree if path.startswith(folder) and path.endswith("/Dockerfile")):
            text = repository.text(tree[path])
            for program, pattern in PATTERNS.items():
                if match := re.search(pattern, text, re.M):
                    found[service, program] = (_spelled(program, match[1]), path)
    if BASE in tree:
        for program, pattern in PATTERNS.items():
            if match := re.search(pattern, repository.text(tree[BASE]), re.M):
                found["every", program] = (_spelled(program, match[1]), BASE)
    return found


def _spelled(program: str, version: str) -> str:
    return f"{version[0]}.{version[1]}" if program == "PHP" else version


def program_tables(repository: Repository, releases: Sequence[Release]) -> list[dict[str, object]]:
    """The entries of `[[program]]`."""
    of = {release: versions(repository, release) for release in releases}
    tables: list[dict[str, object]] = []
    for key in sorted({key for found in of.values() for key in found}):
        values = {release: of[release].get(key, (None,))[0] for release in releases}
        for start, end in periods(releases, values.get):
            version, path = of[releases[start]][key]
            entry: dict[str, object] = {"since": releases[start].tag}
            if end < len(releases):
                entry["until"] = releases[end].tag
            source = f"{path}@{releases[start].tag}"
            entry |= {"service": key[0], "program": key[1], "version": version, "exact": True, "source": source}
            tables.append(entry)
    return tables
