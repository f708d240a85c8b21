"""The user's own data: which folders of Mailu there are, what they hold, and what in them stops an upgrade.

Folders are named as in Mailu's setup/flavors/compose/docker-compose.yml, 1.9.50 to master. Nothing of it is changed.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Any

from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.releases import Release
from pytest_mailu.stack.data.copier import Sources
from pytest_mailu.stack.data.helper import Helper, Mounted
from pytest_mailu.stack.data.survey_words import sentences, server_sentences

TAKEN: Mapping[str, tuple[str, str]] = {
    "data": ("admin", "/data"),
    "dkim": ("admin", "/dkim"),
    "mail": ("imap", "/mail"),
    "filter": ("antispam", "/var/lib/rspamd"),
    "redis": ("redis", "/data"),
    "webmail": ("webmail", "/data"),
    "dav": ("webdav", "/data"),
}
"""Folder → the service that mounts it, and where; those of optional services are taken where these are started. The
queue is not taken: its mail would bounce in the sealed world."""
LOOKED_AT = ("mailqueue",)
"""Folders that are counted only."""
DATABASE = "main.db"


@dataclass(frozen=True, slots=True)
class OwnData:
    """What `--mailu-data` names: the folder of Mailu, and whether reports may name people."""

    folder: Path
    names: bool = False

    def folders(self) -> dict[str, str]:
        """The folders that are there, by the name that Mailu gives them. Raises UsageError where none is."""
        found = {
            name: os.path.realpath(self.folder / name) for name in (*TAKEN, *LOOKED_AT) if (self.folder / name).is_dir()
        }
        if not {"data", "mail"} <= set(found):
            raise UsageError(
                f"--mailu-data: {self.folder} has no folders `data` and `mail`",
                "Name the folder that your compose file mounts, /mailu in Mailu's own; a copy of it will do.",
            )
        return found

    def below(self, source: str, data: str) -> str:
        """The folder that is here what `source` is below the folder of Mailu in use; empty where it is elsewhere.

        `data` is where that folder has `data`.
        """
        try:
            place = self.folder / PurePosixPath(source).relative_to(PurePosixPath(data).parent)
        except ValueError:
            return ""
        return os.path.realpath(place) if ".." not in place.parts and place.is_dir() else ""

    def sources(self, volumes: Mapping[tuple[str, str], str], more: Mapping[str, str] | None = None) -> Sources:
        """Where the volumes of a stack come from. `volumes` has their names by service and place; `more` are folders
        by the name of a volume."""
        there = self.folders()
        found = {volumes[place]: there[name] for name, place in TAKEN.items() if name in there and place in volumes}
        found |= more or {}
        return Sources(found, {name: (folder,) for name, folder in found.items()})


@dataclass(frozen=True, slots=True)
class Survey:
    """What a look at the data found before anything was started: numbers, sentences about what stops or remains, and
    the domains, which reports do not name."""

    people: Mapping[str, int] = field(default_factory=dict)
    checks: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()


def survey(
    helper: Helper,
    own: OwnData,
    releases: Sequence[Release],
    seconds: float,
    started: Collection[str] = (),
    *,
    server: str = "",
    carried: bool = False,
) -> Survey:
    """Look at the user's data for an upgrade through `releases`, old first; `started` are its services. Blocking.

    `server` is the database server that has the accounts: a main.db that is left of an earlier time says nothing then.
    It is `carried` where its data is taken over, and `of_server` looks at that once it runs.

    Raises StackError where the look itself fails, UsageError where there is no data.
    """
    folders = own.folders()
    mounts = [Mounted(folder, PurePosixPath("/from") / name) for name, folder in folders.items()]
    order = {name: f"/from/{folder}" for name, folder in _ORDER.items() if folder in folders}
    script = files("pytest_mailu.stack.data").joinpath("survey_script.py").read_bytes()
    answer = helper.run(script, order | {"database": f"/from/data/{DATABASE}"}, mounts, seconds)
    counts = {**({} if server else answer["database"].get("counts", {})), **answer["counts"]}
    domains = tuple(answer["database"].get("domains", ()))
    said = sentences(answer, releases, names=own.names, started=started, server=server, carried=carried)
    return Survey(counts, tuple(said), domains)


def of_server(
    before: Survey, own: OwnData, releases: Sequence[Release], server: str, found: Mapping[str, Any]
) -> Survey:
    """The survey with what `server_survey.answered` found in the copy of the user's database."""
    said = server_sentences(found, releases, names=own.names, server=server)
    counts = {**found["counts"], **before.people}
    return Survey(counts, (*said, *before.checks), (*before.domains, *found["domains"]))


_ORDER = {"mail": "mail", "queue": "mailqueue", "webmail": "webmail", "dav": "dav"}
