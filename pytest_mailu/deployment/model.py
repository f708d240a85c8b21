"""A deployment as its files describe it: settings, services, networks and overrides, each with where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pytest_mailu.deployment.files import Text
from pytest_mailu.deployment.yaml_tree import Place

__all__ = ["Deployment", "EnvFile", "Given", "Mount", "Network", "Place", "Port", "Service", "Setting", "Volume"]


@dataclass(frozen=True, slots=True)
class Given:
    """A text of a file with its line."""

    value: str
    place: Place

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class EnvFile:
    """An env file that a service names. One that is not `required` may be missing."""

    path: str
    place: Place
    required: bool = True


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting of `mailu.env`, or of `environment:` where no env file has it.

    `raw` is what stands behind the `=`; `earlier` where it was set before; `last` is the line it ends on.
    """

    name: str
    value: str
    place: Place
    raw: str = ""
    quote: str = ""
    earlier: tuple[Given, ...] = ()
    last: int = 0


@dataclass(frozen=True, slots=True)
class Port:
    """A port that a service publishes. `host` is the address on the host, "" for all; `published` is 0 for any."""

    published: int
    target: int
    place: Place
    host: str = ""
    protocol: str = "tcp"


@dataclass(frozen=True, slots=True)
class Mount:
    """A folder, file or volume of a service. `source` is as written: a path, or the name of a volume.

    `bind`: the file says that it is a path, whatever it looks like.
    """

    source: str
    target: str
    place: Place
    read_only: bool = False
    bind: bool = False

    @property
    def is_folder(self) -> bool:
        """Whether the source is a path of the host, not a volume."""
        return self.bind or self.source.startswith((".", "/", "~"))

    @property
    def is_volume(self) -> bool:
        """Whether the source is the name of a volume."""
        return bool(self.source) and not self.is_folder


@dataclass(frozen=True, slots=True)
class Service:
    """One service. `written` is the image before variables got their values."""

    name: str
    place: Place
    image: Given | None = None
    written: str = ""
    ports: tuple[Port, ...] = ()
    mounts: tuple[Mount, ...] = ()
    networks: Mapping[str, Place] = field(default_factory=dict)
    addresses: Mapping[str, Given] = field(default_factory=dict)
    dns: tuple[Given, ...] = ()
    environment: Mapping[str, Given] = field(default_factory=dict)
    env_files: tuple[EnvFile, ...] = ()
    labels: Mapping[str, Given] = field(default_factory=dict)
    healthcheck: Given | None = None
    restart: Given | None = None
    logging: Given | None = None
    extra_hosts: Mapping[str, Given] = field(default_factory=dict)
    network_mode: str = ""
    hostname: str = ""
    deploy: Mapping[str, Place] = field(default_factory=dict)

    @property
    def repository(self) -> str:
        """The image without tag and digest."""
        image = self.image.value.partition("@")[0] if self.image else ""
        head, colon, tail = image.rpartition(":")
        return head if colon and "/" not in tail else image

    @property
    def tag(self) -> str:
        """The tag of the image; "" where it has none."""
        image = self.image.value.partition("@")[0] if self.image else ""
        head, _, tail = image.rpartition(":")
        return tail if head and "/" not in tail else ""


@dataclass(frozen=True, slots=True)
class Network:
    """A network of the compose file."""

    name: str
    place: Place
    subnets: tuple[Given, ...] = ()
    internal: bool = False
    external: bool = False
    ipv6: bool = False


@dataclass(frozen=True, slots=True)
class Volume:
    """A named volume of the compose file. `name` is what the engine calls it; "": the project's name stands before."""

    key: str
    place: Place
    name: str = ""


@dataclass(frozen=True, slots=True)
class Deployment:
    """Everything that was read. `settings` are those of mailu.env; `variables` those of `.env`.

    `overrides` maps paths below the folder of overrides (`postfix/postfix.cf`) to their text. `unset` are variables
    of the compose file without a value and without a default. `version_key` is where `version:` stands, `name_key` what
    `name:` says.
    """

    root: Path
    settings: Mapping[str, Setting] = field(default_factory=dict)
    variables: Mapping[str, Setting] = field(default_factory=dict)
    services: Mapping[str, Service] = field(default_factory=dict)
    networks: Mapping[str, Network] = field(default_factory=dict)
    volumes: Mapping[str, Volume] = field(default_factory=dict)
    overrides: Mapping[str, Text] = field(default_factory=dict)
    unset: Mapping[str, Place] = field(default_factory=dict)
    version_key: Place | None = None
    name_key: Given | None = None
    env_files: tuple[Text, ...] = ()
    dot_env: Text | None = None
    compose_files: tuple[Text, ...] = ()
    outside: Mapping[str, Text] = field(default_factory=dict)

    @property
    def env_file(self) -> Text | None:
        """The env file whose settings win, where a new setting goes; None where there is none."""
        return self.env_files[-1] if self.env_files else None

    @property
    def project(self) -> Given | None:
        """The project's name: in `.env`, else `name:`. None where the folder's name, or the option `-p`, decides."""
        variable = self.variables.get("COMPOSE_PROJECT_NAME")
        return Given(variable.value, variable.place) if variable and variable.value else self.name_key

    def value(self, name: str, service: str = "") -> str | None:
        """The value of a setting; None where nothing sets it. With a `service`, what its `environment:` says wins."""
        own = self.services[service].environment.get(name) if service in self.services else None
        setting = self.settings.get(name)
        return own.value if own is not None else None if setting is None else setting.value

    def in_compose(self, place: Place | None) -> bool:
        """Whether a place is in a compose file."""
        return place is not None and any(text.shown == place.file for text in self.compose_files)
