"""What is known of the machine: asked of the local engine, and only where it runs the deployment in question."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from shutil import disk_usage
from typing import Any

from pytest_mailu.core.errors import UsageError
from pytest_mailu.deployment.host import ARCHITECTURES, Host, Mounted
from pytest_mailu.running.host_networks import PROJECT, addresses_in_use

SOCKET = Path("/var/run/docker.sock")
"""Where an engine is asked when DOCKER_HOST names none."""
CPU_FILE = Path("/proc/cpuinfo")
IPV6 = Path("/proc/net/if_inet6")
"""Is not there where the kernel was started without IPv6."""
TIMEOUT_SECONDS = 10
"""An engine that is busy with other work answers late; one that hangs is not waited for much longer."""
LONGEST = 64 * 1024
"""Characters of /proc/cpuinfo that are read: the first CPU stands at its top."""
WORKING_DIR = "com.docker.compose.project.working_dir"
"""The label that Docker Compose gives each container: the folder of its compose file."""

SERVICE = "com.docker.compose.service"
VERSION = "com.docker.compose.version"
"""The label that says which Docker Compose made a container."""


def is_local() -> bool:
    """Whether the engine that would be asked is one of this machine: a socket here, of a rootless engine as well."""
    scheme, _, path = os.environ.get("DOCKER_HOST", f"unix://{SOCKET}").partition("://")
    return scheme == "unix" and Path(path).exists()


def host_of(folder: Path) -> Host | None:
    """The machine that runs the deployment of a folder; None without a local engine that has containers of it.

    Only reads. The engine of another machine, and one that runs something else, say nothing of this deployment.
    Raises UsageError where there is a local engine and it does not say what it has.
    """
    if not is_local():
        return None
    # Docker's SDK takes a while to import; without an engine nobody waits for it.
    import docker

    try:
        client = docker.from_env(timeout=TIMEOUT_SECONDS)
        try:
            found = client.api.containers(all=True, filters={"label": [f"{WORKING_DIR}={folder.resolve()}"]})
            if not found:
                return None
            labels = found[0].get("Labels") or {}
            own, taken = addresses_in_use(found, client.api.networks())
            return replace(
                from_engine(client.info(), _cpu_text()),
                compose=str(labels.get(VERSION, ""))[:40],
                disk=disk_usage(folder).free,
                ipv6=IPV6.exists(),
                project=str(labels.get(PROJECT, ""))[:100],
                own=own,
                taken=taken,
                mounts=mounts_of(found),
            )
        finally:
            client.close()
    except (docker.errors.DockerException, OSError) as error:
        raise UsageError(
            f"The machine was not checked: its engine did not answer ({str(error)[:200]})",
            "Look at `docker info`, then check again. All that the files say is checked.",
        ) from error


def mounts_of(containers: Sequence[Mapping[str, Any]]) -> tuple[Mounted, ...]:
    """What containers have mounted, from the engine's list of them."""
    return tuple(
        Mounted(
            service=str((each.get("Labels") or {}).get(SERVICE, "")),
            target=str(mount.get("Destination", "")),
            source=str(mount.get("Name") if mount.get("Type") == "volume" else mount.get("Source", "")),
            volume=mount.get("Type") == "volume",
        )
        for each in containers
        for mount in each.get("Mounts") or ()
    )


def from_engine(info: dict[str, Any], cpu: str) -> Host:
    """A machine from what its engine answers to `info` and from the text of its /proc/cpuinfo."""
    memory = info.get("MemTotal")
    return Host(
        engine=str(info.get("ServerVersion", ""))[:40],
        architecture=ARCHITECTURES.get(str(info.get("Architecture", "")), ""),
        kernel=str(info.get("KernelVersion", ""))[:80],
        memory=memory if isinstance(memory, int) else 0,
        cpu_features=_features(cpu),
    )


def _features(cpu: str) -> frozenset[str]:
    """The flags of the first CPU: `flags` on x86, `Features` on Arm."""
    for line in cpu.splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return frozenset(value.split())
    return frozenset()


def _cpu_text() -> str:
    try:
        with CPU_FILE.open(encoding="utf-8", errors="replace") as file:
            return file.read(LONGEST)
    except OSError:
        return ""
