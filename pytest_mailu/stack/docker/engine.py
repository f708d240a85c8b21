"""The Docker engine: docker's own client, called in threads, with clear errors."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import docker
from docker.context import ContextAPI
from docker.errors import DockerException
from docker.models.containers import Container

from pytest_mailu.core.errors import StackError

P = ParamSpec("P")
T = TypeVar("T")

DOCKER_TIMEOUT = 60
"""Seconds that one answer of the engine may take."""


def endpoint() -> str:
    """The address of the engine: DOCKER_HOST, else that of the current `docker context`, else the default (empty)."""
    if host := os.environ.get("DOCKER_HOST", ""):
        return host
    try:
        context = ContextAPI.get_current_context()
    except (DockerException, OSError, ValueError):
        return ""
    # A context with TLS material needs more than an address: leave that to DOCKER_HOST and DOCKER_CERT_PATH.
    return str(context.Host or "") if context is not None and context.Name != "default" else ""


class Engine:
    """A reachable engine. `environ` is what the compose command needs to find the same one."""

    def __init__(self, client: docker.DockerClient, address: str = "", version: str = "") -> None:
        self.client = client
        self.version = version
        self.address = address or "the default socket"
        self.environ = {"DOCKER_HOST": address} if address else {}

    @classmethod
    def connect(cls) -> Engine:
        """Connects to the engine of this user. Raises StackError where there is none or access is denied."""
        address = endpoint()
        try:
            # 28 threads at most: both sides, seven services each, started and removed at once.
            client = docker.from_env(
                timeout=DOCKER_TIMEOUT,
                max_pool_size=28,
                environment={**os.environ, **({"DOCKER_HOST": address} if address else {})},
                use_ssh_client=True,
            )
            version = str(client.version().get("Version", ""))
        except (DockerException, OSError) as error:
            raise _unreachable(address, error) from error
        return cls(client, address, version)

    async def call(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """`function(*args)` in a thread."""
        return await asyncio.to_thread(function, *args, **kwargs)

    async def containers(self, *labels: str) -> list[Container]:
        """Every container, running or not, with all these labels (`name` or `name=value`)."""
        return await self.call(self.containers_now, *labels)

    def containers_now(self, *labels: str) -> list[Container]:
        """The same, blocking."""
        return self.client.containers.list(all=True, ignore_removed=True, filters={"label": list(labels)})

    def networks_now(self, *labels: str) -> list[Any]:
        """The engine's own description of every network with these labels."""
        return list(self.client.api.networks(filters={"label": list(labels)} if labels else None))

    def volumes_now(self, *labels: str) -> list[Any]:
        """The engine's own description of every volume with these labels."""
        return list(self.client.api.volumes(filters={"label": list(labels)})["Volumes"] or [])

    def close(self) -> None:
        """Closes the connections; nothing on the engine changes."""
        self.client.close()


def _unreachable(address: str, error: Exception) -> StackError:
    text = str(error)
    where = address or "the default socket"
    if "Permission denied" in text or "PermissionError" in text:
        return StackError(
            f"this user may not use the Docker engine at {where}",
            "add yourself to the group `docker` (and log in again), or point DOCKER_HOST at an engine of your own",
            (text,),
        )
    return StackError(
        f"no Docker engine answers at {where}",
        "start one (systemctl start docker), or set DOCKER_HOST; a comparison of two recordings needs no engine",
        (text,),
    )
