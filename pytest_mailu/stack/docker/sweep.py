"""Clean-up by label: what a run created goes, whether or not compose, or the run itself, is still there.

Plain functions without asyncio: signal handlers and atexit call them, too.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from docker.api.client import APIClient
from docker.errors import APIError, DockerException

from pytest_mailu.stack.docker.engine import Engine
from pytest_mailu.stack.docker.labels import RUN, SIDE, abandoned

_SECONDS = 20.0
"""How long what is just being created or started may keep its network: the engine refuses to remove that meanwhile."""
_STUCK_SECONDS = 3.0
"""How long a network in which nothing is any more may take to go."""
_PAUSE = 0.2


@dataclass(slots=True)
class Removed:
    """What went, by kind, and what would not go and why. `stuck` are networks in which nothing is any more.

    Docker 20.10 sometimes miscounts what is in a network when many containers start and end at once, and keeps the
    empty network until it is restarted (seen with 20.10.24).
    """

    containers: int = 0
    networks: int = 0
    volumes: int = 0
    failures: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.containers} containers, {self.networks} networks, {self.volumes} volumes"

    def __bool__(self) -> bool:
        return bool(self.containers or self.networks or self.volumes)

    @property
    def complaints(self) -> list[str]:
        """What people should know of what stayed, a line each."""
        return [
            *(f"could not be removed: {failure}" for failure in self.failures),
            *(
                f"the engine keeps the empty network {name} (a fault of Docker 20.10): it goes after the engine's "
                "next restart"
                for name in self.stuck
            ),
        ]


def remove(engine: Engine, run_id: str, side: str = "") -> Removed:
    """Removes everything of a run, or of one of its sides. Never raises: what stays is in `failures`."""
    labels = (f"{RUN}={run_id}", *([f"{SIDE}={side}"] if side else []))
    removed = Removed()
    deadline = time.monotonic() + _SECONDS
    left = _Left()
    while True:
        removed.failures.clear()
        try:
            _remove_once(engine, labels, removed)
            left = _left(engine, labels)
        except (DockerException, OSError) as error:
            removed.failures.append(str(error))
            break
        if not left.containers:
            deadline = min(deadline, time.monotonic() + _STUCK_SECONDS)
        if not left or time.monotonic() > deadline:
            break
        time.sleep(_PAUSE)
    if removed.failures and left.networks and not left.containers and not left.volumes:
        removed.failures.clear()
        removed.stuck += left.networks
    return removed


def sweep(engine: Engine) -> Removed:
    """Removes what dead runs left. Spares runs that are alive, that cannot be looked at, and kept stacks."""
    removed = Removed()
    for run_id in sorted(_runs(engine, abandoned)):
        gone = remove(engine, run_id)
        removed.containers += gone.containers
        removed.networks += gone.networks
        removed.volumes += gone.volumes
        removed.failures += gone.failures
        removed.stuck += gone.stuck
    return removed


def _runs(engine: Engine, wanted: Callable[[dict[str, str]], bool]) -> set[str]:
    labelled: list[dict[str, str]] = [
        *(item.get("Labels") or {} for item in engine.client.api.containers(all=True, filters={"label": RUN})),
        *(item.get("Labels") or {} for item in engine.networks_now(RUN)),
        *(item.get("Labels") or {} for item in engine.volumes_now(RUN)),
    ]
    return {labels[RUN] for labels in labelled if wanted(labels)}


@dataclass(frozen=True, slots=True)
class _Left:
    """What is still there of a run, by name or id."""

    containers: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.containers or self.networks or self.volumes)


def _left(engine: Engine, labels: Iterable[str]) -> _Left:
    containers = engine.client.api.containers(all=True, quiet=True, filters={"label": list(labels)})
    return _Left(
        tuple(str(one["Id"]) for one in containers),
        tuple(str(one["Name"]) for one in engine.networks_now(*labels)),
        tuple(str(one["Name"]) for one in engine.volumes_now(*labels)),
    )


def _remove_once(engine: Engine, labels: tuple[str, ...], removed: Removed) -> None:
    api = engine.client.api
    containers = api.containers(all=True, quiet=True, filters={"label": list(labels)})
    with ThreadPoolExecutor(max_workers=16) as pool:
        removed.containers += _each(
            pool, containers, lambda c: api.remove_container(c["Id"], v=True, force=True), removed
        )
        networks = engine.networks_now(*labels)
        volumes = engine.volumes_now(*labels)
        removed.networks += _each(pool, networks, lambda n: _remove_network(api, n["Id"]), removed)
        removed.volumes += _each(pool, volumes, lambda v: api.remove_volume(v["Name"], force=True), removed)


def _remove_network(api: APIClient, network: str) -> None:
    """A container removed while it was being started may leave its endpoint behind (seen with Docker 20.10): the
    engine then calls the network in use for ever, unless the endpoint is taken off by force."""
    try:
        api.remove_network(network)
    except APIError as error:
        if error.status_code != HTTPStatus.FORBIDDEN:
            raise
        endpoints: dict[str, dict[str, str]] = api.inspect_network(network).get("Containers") or {}
        for endpoint in endpoints.values():
            with contextlib.suppress(APIError):
                api.disconnect_container_from_network(endpoint["Name"], network, force=True)
        api.remove_network(network)


def _each(
    pool: ThreadPoolExecutor, items: list[dict[str, Any]], action: Callable[[dict[str, Any]], object], removed: Removed
) -> int:
    """Runs `action` on all items at once; returns how many went."""

    def attempt(item: dict[str, Any]) -> bool:
        try:
            action(item)
        except APIError as error:
            # 404: gone already; 409: another thread or the engine is removing it at this moment.
            if error.status_code not in (404, 409):
                removed.failures.append(str(error.explanation or error))
            return False
        return True

    gone = 0
    with contextlib.suppress(RuntimeError):  # the interpreter is shutting down: no new threads
        return sum(pool.map(attempt, items))
    for item in items:
        gone += attempt(item)
    return gone
