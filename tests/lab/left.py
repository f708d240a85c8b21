"""What this process, or another one, has on the engine."""

from __future__ import annotations

import json
from typing import Any

import docker
from docker.models.containers import Container

from pytest_mailu.stack.docker.engine import Engine
from pytest_mailu.stack.docker.labels import OWNER, RUN
from pytest_mailu.stack.docker.sweep import remove

SERVICE = "com.docker.compose.service"


def container_of(pid: int, service: str, side: str = "new") -> Container:
    """The container of a service in a run of the process `pid`."""
    found = [
        container
        for container in docker.from_env().containers.list(all=True, filters={"label": [RUN, f"{SERVICE}={service}"]})
        if json.loads(container.labels[OWNER])["pid"] == pid and f"-{side}" in container.name
    ]
    [container] = found
    return container


def left_by(pid: int) -> list[str]:
    """Everything that the runs of the process `pid` still have on the engine."""
    return [str(thing.get("Names") or thing.get("Name")) for thing in _things(pid)]


def remove_all_of(pid: int) -> None:
    """Removes that, where the run itself could not."""
    for run in {thing["Labels"][RUN] for thing in _things(pid)}:
        remove(Engine.connect(), run)


def _things(pid: int) -> list[dict[str, Any]]:
    api = docker.from_env().api
    things: list[dict[str, Any]] = [
        *api.containers(all=True, filters={"label": RUN}),
        *api.networks(filters={"label": RUN}),
        *(api.volumes(filters={"label": RUN})["Volumes"] or []),
    ]
    return [thing for thing in things if json.loads((thing.get("Labels") or {}).get(OWNER, "{}")).get("pid") == pid]
