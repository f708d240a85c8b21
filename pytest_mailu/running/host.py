"""What is known of the machine: asked of the local engine, and only where it runs the deployment in question."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pytest_mailu.deployment.host import ARCHITECTURES, Host

SOCKET = Path("/var/run/docker.sock")
CPU_FILE = Path("/proc/cpuinfo")
TIMEOUT_SECONDS = 3
LONGEST = 64 * 1024
"""Characters of /proc/cpuinfo that are read: the first CPU stands at its top."""
WORKING_DIR = "com.docker.compose.project.working_dir"
"""The label that Docker Compose gives each container: the folder of its compose file."""


def host_of(folder: Path) -> Host | None:
    """The machine that runs the deployment of a folder; None without a local engine that has containers of it.

    Only reads. The engine of another machine, and one that runs something else, say nothing of this deployment.
    """
    if os.environ.get("DOCKER_HOST", f"unix://{SOCKET}") != f"unix://{SOCKET}" or not SOCKET.exists():
        return None
    # Docker's SDK takes a while to import; without an engine nobody waits for it.
    import docker

    try:
        client = docker.from_env(timeout=TIMEOUT_SECONDS)
        try:
            if not client.containers.list(all=True, filters={"label": f"{WORKING_DIR}={folder.resolve()}"}):
                return None
            return from_engine(client.info(), _cpu_text())
        finally:
            client.close()
    except (docker.errors.DockerException, OSError):
        return None


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
