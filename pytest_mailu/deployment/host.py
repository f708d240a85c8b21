"""The machine that a deployment runs on, as far as it is known."""

from __future__ import annotations

from dataclasses import dataclass

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm/v7", "amd64": "amd64", "arm64": "arm64"}
"""The machine's name for an architecture → the one of images."""


@dataclass(frozen=True, slots=True)
class Host:
    """What the engine and the kernel say of themselves; "", 0 and empty where it is not known.

    `architecture` is named as images name it, `memory` is in bytes, `cpu_features` are the flags of /proc/cpuinfo.
    """

    engine: str = ""
    architecture: str = ""
    kernel: str = ""
    memory: int = 0
    cpu_features: frozenset[str] = frozenset()
