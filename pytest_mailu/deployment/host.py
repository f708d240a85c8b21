"""The machine that a deployment runs on, as far as it is known."""

from __future__ import annotations

from dataclasses import dataclass

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm/v7", "amd64": "amd64", "arm64": "arm64"}
"""The machine's name for an architecture → the one of images."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Addresses in use on the machine. `by` says in words what uses them: an interface, or a network of the engine.

    `gateway`: the machine reaches them through a router, so that they are somewhere else.
    """

    network: str
    by: str
    engine: bool = False
    gateway: bool = False


@dataclass(frozen=True, slots=True)
class Mounted:
    """What a container of the deployment has mounted: a path of the host, or with `volume` the engine's name for it."""

    service: str
    target: str
    source: str
    volume: bool = False


@dataclass(frozen=True, slots=True)
class Host:
    """What the engine and the kernel say of themselves; "", 0, None and empty where it is not known.

    `architecture` is named as images name it, `memory` is in bytes, `cpu_features` are the flags of /proc/cpuinfo.
    `compose` is the version of Docker Compose that started the deployment, `disk` the free bytes where its folder is.
    `ipv6` says whether the kernel has IPv6. `project` is the name under which the deployment's containers run, `own`
    are the networks that it has today, `taken` all others, and `mounts` what its containers have mounted.
    """

    engine: str = ""
    architecture: str = ""
    kernel: str = ""
    memory: int = 0
    cpu_features: frozenset[str] = frozenset()
    compose: str = ""
    disk: int = 0
    ipv6: bool | None = None
    project: str = ""
    own: tuple[str, ...] = ()
    taken: tuple[Taken, ...] = ()
    mounts: tuple[Mounted, ...] = ()
