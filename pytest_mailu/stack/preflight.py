"""Checks engine, compose, memory and disk before anything is started."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.version import Version

from pytest_mailu.core.errors import StackError
from pytest_mailu.stack.compose.command import Compose, parse_version
from pytest_mailu.stack.docker.engine import Engine

OLDEST_ENGINE = Version("20.10")
MEMORY_PER_STACK = 1_500_000_000
"""Bytes. A stack of 2024.06.24 without antivirus uses about half of that when it is busy."""
DISK_PER_STACK = 500_000_000
"""Bytes for containers and volumes; images come on top when they must be pulled."""
STARVED = 75.0
"""Per cent of a minute (Linux, Documentation/accounting/psi.rst): two stacks that start on two cores stay below it."""
_DNS_BROKEN_SINCE, _DNS_MENDED_IN = Version("25.0.5"), Version("26.1.3")


@dataclass(frozen=True, slots=True)
class Readings:
    """What was measured; None where it cannot be measured from here (a remote engine)."""

    engine: str
    memory: int | None
    disk: int | None
    data_root: str = ""


def check(readings: Readings, stacks: int, *, pull: bool) -> None:
    """Raises StackError for the first requirement that is not met. Pure."""
    version = parse_version(readings.engine)
    if version is not None and version < OLDEST_ENGINE:
        raise StackError(
            f"the Docker engine is {readings.engine}, which is too old for pytest-mailu",
            f"upgrade it to {OLDEST_ENGINE} or later",
        )
    if version is not None and _DNS_BROKEN_SINCE <= version < _DNS_MENDED_IN:
        raise StackError(
            f"Docker {readings.engine} does not forward DNS queries from internal networks to the world's server",
            f"upgrade the engine to {_DNS_MENDED_IN} or later (moby 47589 and what followed CVE-2024-29018)",
        )
    need = stacks * MEMORY_PER_STACK
    if readings.memory is not None and readings.memory < need:
        raise StackError(
            f"{_gib(readings.memory)} of memory are available; {stacks} stacks need about {_gib(need)}",
            "stop other programs, or compare with a recording (--mailu-from recorded:2.0.43): that needs one stack",
        )
    room = stacks * DISK_PER_STACK * (4 if pull else 1)
    if readings.disk is not None and readings.disk < room:
        raise StackError(
            f"{_gib(readings.disk)} are free under {readings.data_root}; {stacks} stacks need about {_gib(room)}",
            "free some space (docker system df, docker system prune)",
        )


async def measure(engine: Engine) -> Readings:
    """Measures engine, memory and disk, on this machine where the engine runs on it."""
    info: Mapping[str, Any] = await engine.call(engine.client.info)
    root = str(info.get("DockerRootDir", ""))
    local = _is_here(str(info.get("Name")), root)
    return Readings(
        engine=str(info.get("ServerVersion", "")),
        memory=(available_memory() if local else None) or info.get("MemTotal"),
        disk=shutil.disk_usage(root).free if local else None,
        data_root=root,
    )


def _is_here(name: str, root: str) -> bool:
    """Whether the engine runs on this machine, so that memory and disk can be measured here."""
    return name == socket.gethostname() and Path(root).is_dir()


async def preflight(engine: Engine, stacks: int, *, pull: bool = False) -> Compose:
    """Runs all checks. Returns the compose command to use. Raises StackError."""
    compose = await Compose.find(engine.environ)
    check(await measure(engine), stacks, pull=pull)
    return compose


def available_memory() -> int | None:
    """Bytes that can be used without swapping (proc(5), MemAvailable), or None where /proc does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def cpu_pressure() -> float:
    """For how many per cent of the last minute some process waited for a CPU; 0 where the kernel does not tell."""
    try:
        first = Path("/proc/pressure/cpu").read_text().splitlines()[0]
        return float(first.partition("avg60=")[2].partition(" ")[0])
    except (OSError, ValueError, IndexError):
        return 0.0


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"
