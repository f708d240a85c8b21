"""The facts of the catalogue: frozen values, each with the releases it holds for and its source."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from pytest_mailu.core.releases import Release

_HOST_VALUES: Mapping[str, str] = {
    "cpu-feature": r"[a-z0-9_]+",
    "architecture": r"[a-z0-9/]+( [a-z0-9/]+)*",
    "engine": r"(!=|>=|<)[\d.]+",
    "compose": r"(!=|>=|<)[\d.]+",
    "kernel": r"\d+\.\d+",
    "memory": r"\d+ GB",
    "disk": r"\d+ GB",
    "ipv6": r"on",
}
"""What a host may have to have → how its value is written."""


class Kind(StrEnum):
    """How the value of a setting is read."""

    BOOL = "bool"
    """`true` and `yes`, `false` and `no`, in any case; most services take every other text as on."""
    INT = "int"
    LIST = "list"
    RATE = "rate"
    DURATION = "duration"
    SIZE = "size"
    ADDRESS = "address"
    """A host name or an IP address, some with `:port`."""
    NETWORK = "network"
    DOMAIN = "domain"
    PATH = "path"
    URL = "url"
    CHOICE = "choice"
    SECRET = "secret"  # noqa: S105 the word, not a secret
    TEXT = "text"


class ChangeKind(StrEnum):
    """What happened to a setting between two releases."""

    ADDED = "added"
    REMOVED = "removed"
    RENAMED = "renamed"
    REDEFINED = "redefined"
    """The same name, but the same value means something else, or is refused."""
    DEFAULT = "default"
    """Another value holds while the setting is not set."""
    SAME = "same"
    """The files name another default, which has the same effect: no difference for anybody."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a fact was read: `file` at `tag` of Mailu's repository, or another document by its address or name."""

    file: str
    tag: str = ""

    def __str__(self) -> str:
        return f"{self.file} ({self.tag})" if self.tag else self.file


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Some releases in a row: from `since` on, up to but without `until`; without `until`, to the latest."""

    since: Release
    until: Release | None = None

    def __post_init__(self) -> None:
        """Raise ValueError where the period holds no release."""
        if self.until is not None and self.until <= self.since:
            raise ValueError(f"until = {str(self.until)!r} is not after since = {str(self.since)!r}")

    def __contains__(self, release: object) -> bool:
        """Whether the fact holds for a release; a bare series name stands for its latest release."""
        return isinstance(release, Release) and self.since <= release and (self.until is None or release < self.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingState(Period):
    """What holds for a setting in some releases in a row.

    `default` is the text that has the same effect as leaving the setting out; None: there is no default. `services`
    read the setting: names of the compose file, `every` for all images on Mailu's base image, `compose` for Docker
    Compose itself; () where only the set-up page's `mailu.env` names it. `kind`, `allowed` and `meaning` are empty or
    None where they are not reviewed yet. `required`: services fail where nothing is set, whatever the default.
    """

    services: tuple[str, ...]
    source: Source
    default: str | None = None
    documented: bool = True
    kind: Kind | None = None
    allowed: tuple[str, ...] = ()
    required: bool = False
    meaning: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading(Period):
    """How some releases in a row read the value of a setting. Empty `allowed`: every value of the kind."""

    kind: Kind
    meaning: str
    allowed: tuple[str, ...] = ()
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What an administrator has to know and do. `write` is the line to write in `mailu.env` (or the file named)."""

    cause: str
    source: Source
    remedy: str = ""
    write: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingChange:
    """A hand-written entry: what happened to a setting in the release `at`. `to` is the new name after a renaming.

    `values` are globs over the values that are concerned; empty: every value. `unset` tells whether a deployment
    that does not set it is concerned too. `when` names the value that another setting has to have, as `NAME=glob`.
    """

    at: Release
    change: ChangeKind
    advice: Advice
    to: str = ""
    values: tuple[str, ...] = ()
    unset: bool = False
    when: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """What people wrote about a setting, beside what the script found in Mailu's sources."""

    name: str
    reading: tuple[Reading, ...] = ()
    change: tuple[SettingChange, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One name in `mailu.env`, through all releases. `history` is in order and does not overlap."""

    name: str
    history: tuple[SettingState, ...]
    changes: tuple[SettingChange, ...] = ()

    def at(self, release: Release) -> SettingState | None:
        """What holds in a release; None where no service of it reads the setting."""
        return next((state for state in self.history if release in state), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Legacy:
    """A name that old files still carry and no known release reads. `last`: the series that had it, such as "1.8".

    `to` is the setting that does its work now ("": none). `compose`: Docker Compose may read it, not a service.
    """

    name: str
    last: str
    advice: Advice
    to: str = ""
    compose: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A setting differs between two releases. `old`, `new`: what holds there. `advice` is None while not reviewed.

    `values`, `unset` and `when` as in `SettingChange`.
    """

    setting: str
    change: ChangeKind
    at: Release
    old: SettingState | None
    new: SettingState | None
    to: str = ""
    values: tuple[str, ...] = ()
    unset: bool = False
    when: str = ""
    advice: Advice | None = None

    def concerns(self, value: str | None, others: Mapping[str, str]) -> bool:
        """Whether it concerns a deployment with this value (None: not set) and these values of other settings."""
        name, _, glob = self.when.partition("=")
        if name and not fnmatchcase(others.get(name, ""), glob):
            return False
        return (
            self.unset
            if value is None
            else not self.values or any(fnmatchcase(value, wanted) for wanted in self.values)
        )

    def renamed(self, value: str) -> str:
        """The value to give to the new name after a renaming: an address without its port, where ports are gone."""
        if self.to.endswith("_ADDRESS") and value.count(":") == 1:
            return value.partition(":")[0]
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceState(Period):
    """A service of the compose file that Mailu's set-up page writes, with every option chosen.

    `image` is without tag and with the registry that holds while `DOCKER_ORG` is not set; `{WEBMAIL}` in it stands for
    the value of that setting. `profile` is the choice on the set-up page that brings the service ("" for every
    deployment): webmail, antivirus, oletools, tika, resolver, webdav or fetchmail. `tag` is "" where `MAILU_VERSION`
    decides. `settings` tells whether the service gets `mailu.env`. `logging` is the log driver ("": Docker's default).
    """

    image: str
    source: Source
    profile: str = ""
    tag: str = ""
    hostname: str = ""
    networks: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    uses_resolver: bool = False
    settings: bool = False
    healthcheck: bool = False
    logging: str = ""
    restart: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service name of the compose file, through all releases. `successor`: who does its work afterwards."""

    name: str
    history: tuple[ServiceState, ...]
    successor: str = ""

    def at(self, release: Release) -> ServiceState | None:
        """What the set-up template of a release has under this name; None where it has nothing."""
        return next((state for state in self.history if release in state), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount(Period):
    """A folder that the set-up template mounts. `host` is relative to the root of the deployment.

    `{WEBMAIL}` stands for the value of that setting; `profile` as in `ServiceState`.
    """

    service: str
    host: str
    container: str
    source: Source
    read_only: bool = False
    profile: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedPort(Period):
    """A port that the set-up template publishes on the host, `service`'s `target` port."""

    port: int
    service: str
    target: int
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class ListeningPort(Period):
    """A port inside the compose network where a service listens: what proxies and own clients may point to."""

    service: str
    port: int
    purpose: str
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection(Period):
    """One service of Mailu that connects to another, by its name. `purpose` is what for."""

    service: str
    to: str
    purpose: str
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Network(Period):
    """A network of the set-up template."""

    name: str
    source: Source
    subnet: str = ""
    internal: bool = False
    profile: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComposeFact(Period):
    """Another fact about the set-up template, by name (`version-key`, `logging-driver`, …)."""

    name: str
    value: str
    source: Source
    meaning: str = ""


class Effect(StrEnum):
    """What an override does to Mailu's own configuration."""

    APPENDED = "appended"
    """Read after Mailu's file (or inside of it): single values win, the rest stays."""
    MERGED = "merged"
    """Rspamd's `local.d`: single keys win, the rest of Mailu's section stays."""
    REPLACES = "replaces"
    """Mailu's file (or section) no longer counts."""
    IGNORED = "ignored"
    """The service finds the file and does not use it."""
    BREAKS = "breaks"
    """The service does not start with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Override(Period):
    """A file below `overrides/` that a service reads. `path` is a glob relative to the folder of overrides.

    `container` is where the service finds it; `program` whose configuration it is.
    """

    path: str
    service: str
    program: str
    container: str
    effect: Effect
    source: Source
    note: str = ""

    def fits(self, path: str) -> bool:
        """Whether a file is meant, by its path relative to the folder of overrides. A `*` ends at a slash."""
        own, given = self.path.split("/"), path.split("/")
        return len(own) == len(given) and all(map(fnmatchcase, given, own))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramVersion(Period):
    """The version of a program in a service's image. `exact` is False where the distribution's release decides."""

    service: str
    program: str
    version: str
    source: Source
    exact: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Directive:
    """A directive that a program no longer knows, from its version `removed` on.

    Where the build and not the version decides, `release` is the release of Mailu whose image lacks it. `fatal` tells
    whether the service fails (True) or only warns (False). `pattern` finds it in a line that does not start with it.
    """

    program: str
    name: str
    advice: Advice
    removed: str = ""
    release: Release | None = None
    replaced_by: str = ""
    fatal: bool = True
    pattern: str = ""

    def __post_init__(self) -> None:
        """Raise ValueError unless exactly one of `removed` and `release` is given, and `pattern` is one."""
        if bool(self.removed) == (self.release is not None):
            raise ValueError("either `removed` or `release` has to be given")
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise ValueError(f"pattern {self.pattern!r}: {error}") from None

    def in_line(self, line: str) -> bool:
        """Whether a line of a configuration uses it: where `pattern` is found, else where the line starts with it."""
        if line.lstrip().startswith("#"):
            return False
        return bool(re.search(self.pattern or rf"^\s*{re.escape(self.name)}(?![\w-])", line))


@dataclass(frozen=True, slots=True, kw_only=True)
class RequiredStop:
    """A series on the way. An upgrade that crosses from before `series` to after it has to run `series` once."""

    series: str
    reason: str
    source: Source
    required: bool = True
    before: tuple[str, ...] = ()
    during: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    way_back: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsRecord(Period):
    """A record that a release needs or shows on the page of a domain.

    In `name` and `value` stand `{domain}`, `{hostname}`, `{port}` and the like. `needed` is False for what is
    optional. `when` names the setting that makes the release show it.
    """

    type: str
    name: str
    value: str
    meaning: str
    source: Source
    needed: bool = False
    when: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFormat(Period):
    """A line that a service logs: what Fail2Ban and statistics look for. `pattern` is a regular expression.

    Its groups are named: `address`, `user`, `port`, `method`, `tls`, `recipient`, where the line tells it.
    """

    event: str
    service: str
    program: str
    pattern: str
    example: str
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRequirement(Period):
    """What the host must have. `when` as in `SettingChange`.

    `need` and what `value` is: cpu-feature (a flag of /proc/cpuinfo), architecture (those of images, with blanks
    between), engine and compose (a version specifier), kernel (the first version that does), memory (`3 GB`).
    """

    need: str
    value: str
    advice: Advice
    service: str = ""
    when: str = ""

    def __post_init__(self) -> None:
        """Raise ValueError for a need of another kind, or a value that does not fit it."""
        Period.__post_init__(self)
        if not re.fullmatch(_HOST_VALUES.get(self.need, r"(?!)"), self.value):
            raise ValueError(f"need = {self.need!r} with value = {self.value!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice(Period):
    """Something known about some releases, with its advice; a check refers to it by `id` (`topic/what`).

    `crossing`: it concerns who comes from a release before `since`; otherwise everybody who is, or goes, there.
    With a `title`, the releases (and `when`, as in `SettingChange`) decide alone whether it is told; without one, a
    check has to look into the files first.
    """

    id: str
    advice: Advice
    crossing: bool = True
    title: str = ""
    when: str = ""

    def concerns(self, old: Release, new: Release) -> bool:
        """Whether it concerns a move from `old` to `new`, as far as the releases decide."""
        return new in self and (not self.crossing or old < self.since)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSeries:
    """The patch releases of a series that the catalogue was made from. `note` says which commit `master` was."""

    series: str
    first: Release
    last: Release
    note: str = ""
