"""Clean-up by label: removes what a run created, whether or not compose, or the run itself, is still there.

Each container, network and volume is judged by its own labels. Plain functions without asyncio: signal handlers and
atexit call them, too.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, TypeAlias

from docker.api.client import APIClient
from docker.errors import APIError, DockerException

from pytest_mailu.core.errors import UsageError
from pytest_mailu.stack.docker.engine import Engine
from pytest_mailu.stack.docker.heartbeat import BEAT, FRESH
from pytest_mailu.stack.docker.labels import CREATED, KEPT, OWNER, RUN, SIDE, Liveness, Owner

Labels: TypeAlias = Mapping[str, str]

AT_ONCE = 16
"""How many containers, networks or volumes are removed at the same time."""
_SECONDS = 20.0
"""How long what is just being created or started may keep its network: the engine refuses to remove that meanwhile."""
_STUCK_SECONDS = 3.0
"""How long a network in which nothing is any more may take to go."""
_PAUSE = 0.2
_SHOWN = 5
"""How many of the objects that are left alone are named."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What a sweep removes beside what dead runs left: a run by its id, or everything older than `older` seconds."""

    run: str = ""
    older: float | None = None

    @classmethod
    def read(cls, text: str) -> Choice:
        """`4f3a9c12` is the id of a run, `36h` and `7d` are ages. Raises UsageError for anything else."""
        if age := re.fullmatch(r"([0-9]{1,5})([hd])", text):
            return cls(older=int(age[1]) * (3600 if age[2] == "h" else 86400))
        if re.fullmatch(r"[0-9a-f]{8}", text):
            return cls(run=text)
        raise UsageError(
            f"--mailu-sweep {text}: this is neither the id of a run nor an age",
            "an id is the eight characters in mailu-<id>-old; an age is for example 36h or 7d",
        )


@dataclass(slots=True)
class Removed:
    """What was removed, by kind, and what was not and why. `stuck` are networks in which nothing is any more.

    Docker 20.10 sometimes miscounts what is in a network when many containers start and end at once, and keeps the
    empty network until it is restarted (seen with 20.10.24).
    """

    containers: int = 0
    networks: int = 0
    volumes: int = 0
    failures: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

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
            *(f"left alone: {name}" for name in self.skipped[:_SHOWN]),
            *([f"left alone: {len(self.skipped) - _SHOWN} more"] if len(self.skipped) > _SHOWN else []),
        ]


def remove(engine: Engine, run_id: str, side: str = "") -> Removed:
    """Removes everything of our own run, or of one of its sides. Never raises: what stays is in `failures`."""
    labels = (f"{RUN}={run_id}", *([f"{SIDE}={side}"] if side else []))
    return _remove(engine, lambda: _labelled(engine, *labels))


def sweep(engine: Engine, choice: Choice | None = None) -> Removed:
    """Removes what dead runs left, and what `choice` names. Spares what may belong to a run that is alive.

    Kept stacks are only removed by the id of their run. A run that is alive is never removed.
    """
    judge = _Judge(choice or Choice(), {}, time.time())
    skipped: dict[str, None] = {}

    def chosen() -> _Objects:
        found = _labelled(engine, RUN)
        judge.learn(found.volumes)
        return found.filtered(lambda thing: judge.removes(thing, skipped))

    removed = _remove(engine, chosen)
    removed.skipped += skipped
    return removed


@dataclass(frozen=True, slots=True)
class _Thing:
    """A container, network or volume. `nameless` are a container's volumes that the engine gave a name of 64 digits."""

    id: str
    name: str
    labels: Labels
    nameless: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Judge:
    """Decides by an object's own labels. `beats` has the time of each run's last heartbeat."""

    choice: Choice
    beats: dict[str, float]
    now: float

    def learn(self, volumes: Iterable[_Thing]) -> None:
        """Reads the heartbeats."""
        for volume in volumes:
            if beat := _seconds(volume.labels.get(BEAT, "")):
                run = volume.labels.get(RUN, "")
                self.beats[run] = max(beat, self.beats.get(run, 0.0))

    def removes(self, thing: _Thing, skipped: dict[str, None]) -> bool:
        """Whether an object is to be removed; one that cannot be judged is named in `skipped`."""
        labels = thing.labels
        run = labels.get(RUN, "")
        named = bool(run) and run == self.choice.run
        owner = Owner.read(labels.get(OWNER, ""))
        if not run or owner is None:
            skipped[f"{thing.name}, whose labels are broken (remove it by hand if you know it)"] = None
            return False
        life = owner.liveness()
        # Of a process that ran before the last boot, another machine with the same name and id may know more.
        certain = life is Liveness.DEAD and owner.of_this_boot
        if life is Liveness.ALIVE or (self._beats(run) and not certain):
            if named:
                skipped[f"{thing.name}: its run is alive (process {owner.pid} on {owner.host})"] = None
            return False
        if named:
            return True
        if labels.get(KEPT) == "yes":
            return False
        if life is Liveness.DEAD:
            return True
        created = _seconds(labels.get(CREATED, ""))
        return self.choice.older is not None and 0 < created < self.now - self.choice.older

    def _beats(self, run: str) -> bool:
        return abs(self.now - self.beats.get(run, 0.0)) < FRESH


def _seconds(text: str) -> float:
    """Seconds since the epoch in a label; 0 where it has none."""
    return float(text) if re.fullmatch(r"[0-9]{1,12}", text) else 0.0


@dataclass(frozen=True, slots=True)
class _Objects:
    """What is there of a run."""

    containers: tuple[_Thing, ...] = ()
    networks: tuple[_Thing, ...] = ()
    volumes: tuple[_Thing, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.containers or self.networks or self.volumes)

    def filtered(self, wanted: Callable[[_Thing], bool]) -> _Objects:
        """Those that are wanted."""
        kinds = (self.containers, self.networks, self.volumes)
        return _Objects(*(tuple(thing for thing in things if wanted(thing)) for things in kinds))


def _labelled(engine: Engine, *labels: str) -> _Objects:
    """Everything with these labels (`name` or `name=value`)."""
    containers = engine.client.api.containers(all=True, filters={"label": list(labels)})
    return _Objects(
        tuple(_thing(item, str((item.get("Names") or [item["Id"][:12]])[0]).lstrip("/")) for item in containers),
        tuple(_thing(item, str(item["Name"])) for item in engine.networks_now(*labels)),
        tuple(_thing({**item, "Id": item["Name"]}, str(item["Name"])) for item in engine.volumes_now(*labels)),
    )


def _thing(item: Mapping[str, Any], name: str) -> _Thing:
    mounts = [str(mount.get("Name", "")) for mount in item.get("Mounts") or [] if isinstance(mount, Mapping)]
    nameless = tuple(mount for mount in mounts if re.fullmatch(r"[0-9a-f]{64}", mount))
    return _Thing(str(item["Id"]), name, item.get("Labels") or {}, nameless)


def _remove(engine: Engine, chosen: Callable[[], _Objects]) -> Removed:
    """Removes what `chosen` gives until it gives nothing more, or for a while."""
    removed = Removed()
    deadline = time.monotonic() + _SECONDS
    left = _Objects()
    while True:
        removed.failures.clear()
        try:
            _remove_once(engine, chosen(), removed)
            left = chosen()
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
        removed.stuck += [network.name for network in left.networks]
    return removed


def _remove_once(engine: Engine, objects: _Objects, removed: Removed) -> None:
    """Containers first, with the volumes that have no name; then networks and volumes."""
    api = engine.client.api
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        removed.containers += _each(
            pool, objects.containers, lambda thing: api.remove_container(thing.id, v=True, force=True), removed
        )
        # Compose hands them on to the container that it makes anew, and the engine calls them named then.
        for volume in {volume for thing in objects.containers for volume in thing.nameless}:
            with contextlib.suppress(APIError):  # gone with its container, or in use by another one
                api.remove_volume(volume)
        removed.networks += _each(pool, objects.networks, lambda thing: _remove_network(api, thing.id), removed)
        removed.volumes += _each(pool, objects.volumes, lambda thing: api.remove_volume(thing.id, force=True), removed)


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
    pool: ThreadPoolExecutor, items: Iterable[_Thing], action: Callable[[_Thing], object], removed: Removed
) -> int:
    """Runs `action` on all items at once; returns how many went.

    Raises what it raises where the engine does not answer; then no further item is tried, each of which would wait too.
    """
    silent = threading.Event()

    def attempt(item: _Thing) -> bool:
        if silent.is_set():
            return False
        try:
            action(item)
        except APIError as error:
            # 404: gone already; 409: another thread or the engine is removing it at this moment.
            if error.status_code not in (404, 409):
                removed.failures.append(str(error.explanation or error))
            return False
        except (DockerException, OSError):
            silent.set()
            raise
        return True

    gone = 0
    with contextlib.suppress(RuntimeError):  # the interpreter is shutting down: no new threads
        return sum(pool.map(attempt, items))
    for item in items:
        gone += attempt(item)
    return gone
