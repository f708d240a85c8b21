"""The containers of one stack: found, checked, started, waited for, watched and removed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Any

from docker.errors import DockerException
from docker.models.containers import Container

from pytest_mailu.core.errors import StackError
from pytest_mailu.core.releases import Release
from pytest_mailu.stack.docker.engine import Engine
from pytest_mailu.stack.docker.events import SERVICE, ContainerExit, EventWatch
from pytest_mailu.stack.docker.heartbeat import Heartbeat
from pytest_mailu.stack.docker.isolation import WORLD, check_sealed
from pytest_mailu.stack.docker.labels import RUN, SIDE, RunIdentity
from pytest_mailu.stack.docker.sweep import Removed, remove
from pytest_mailu.stack.evidence.container_io import archive, log_lines
from pytest_mailu.stack.evidence.hints import hint
from pytest_mailu.stack.preflight import STARVED, cpu_pressure
from pytest_mailu.stack.readiness.conditions import Condition, NotReady, wait_for
from pytest_mailu.stack.world.plan import FOLDER as WORLD_FOLDER
from pytest_mailu.stack.world.plan import PROXY_PORT


class StackContainers:
    """Service → container, of one project. `release` is for messages."""

    def __init__(self, engine: Engine, run: RunIdentity, side: str, release: Release) -> None:
        self.project = run.project(side)
        self.containers: dict[str, Container] = {}
        self.watch = EventWatch(engine, self.project)
        self._heartbeat = Heartbeat(engine, self.project, run.labels(side))
        self._engine = engine
        self._run = run
        self._side = side
        self._release = release
        self._snapshot: dict[str, tuple[object, ...]] = {}
        self._since = 0.0

    def __getitem__(self, service: str) -> Container:
        """The container of a service. Raises StackError where there is none."""
        try:
            return self.containers[service]
        except KeyError:
            raise StackError(
                f"Mailu {self._release} has no service {service}",
                f"it has {', '.join(name for name in self.containers if name != WORLD)}",
            ) from None

    async def announce(self) -> None:
        """Begins to watch events, and to show on the engine that the run is alive."""
        await asyncio.to_thread(self.watch.start)
        self._heartbeat.start()

    async def discover(self, dns: str) -> None:
        """Finds the containers that compose created and checks that they are sealed. Nothing is started before that."""
        labels = (f"{RUN}={self._run.id}", f"{SIDE}={self._side}")
        found, networks, volumes = await asyncio.gather(
            self._engine.containers(*labels),
            self._engine.call(self._engine.networks_now, *labels),
            self._engine.call(self._engine.volumes_now, *labels),
        )
        self.containers = {container.labels[SERVICE]: container for container in found}
        check_sealed({name: c.attrs for name, c in self.containers.items()}, networks, volumes, self.project, dns)

    async def copy_in(self, files: Mapping[str, Mapping[str, bytes]]) -> None:
        """Copies files in: service → absolute path → content."""
        await asyncio.gather(*(asyncio.to_thread(self._put, name, those) for name, those in files.items() if those))

    def _put(self, service: str, files: Mapping[str, bytes]) -> None:
        # The world's own file system is read-only: its folder is a volume.
        folder = WORLD_FOLDER if service == WORLD else ""
        relative = {path.removeprefix(folder): content for path, content in files.items()}
        self.containers[service].put_archive(folder or "/", archive(relative))

    async def start(self, services: Iterable[str]) -> None:
        """Starts several containers at the same time. Raises StackError for one that the engine cannot start."""
        await asyncio.gather(*(self._start(name) for name in services))

    async def proxy_port(self) -> int:
        """The port on 127.0.0.1 that the engine chose for the world's SOCKS proxy."""
        container = self.containers[WORLD]
        await asyncio.to_thread(container.reload)
        bindings = container.attrs["NetworkSettings"]["Ports"].get(f"{PROXY_PORT}/tcp") or []
        if not bindings:
            raise await self.explain(NotReady(WORLD, "did not stay", own_doing=False))
        return int(bindings[0]["HostPort"])

    async def wait(self, conditions: Mapping[str, list[Condition]], seconds: float) -> None:
        """Waits until all conditions are met. Raises StackError when time is up, or at once when a container ends."""
        try:
            await wait_for(conditions, self.first_exit, seconds)
        except NotReady as error:
            raise await self.explain(error) from None

    def first_exit(self) -> ContainerExit | None:
        """How a container of the stack has ended, or None while all run."""
        return next((end for name in self.containers if (end := self.watch.exit_of(name))), None)

    async def first_exit_explained(self) -> StackError | None:
        """The same as an error with the last log lines."""
        end = self.first_exit()
        if end is None:
            return None
        return await self.explain(NotReady(end.service, end.reason, own_doing=end.own_doing))

    async def explain(self, error: NotReady) -> StackError:
        """The error with the last log lines of the service, and with a hint where one is known."""
        container = self.containers.get(error.service)
        lines = await asyncio.to_thread(log_lines, container, tail=15) if container else []
        # CPU starvation comes from the machine, not from the service.
        starved = cpu_pressure() if error.late else 0.0
        own = error.own_doing and error.service != WORLD and starved < STARVED
        return StackError(
            f"the service {error.service} of Mailu {self._release} {error.reason}",
            f"processes waited for a CPU {starved:.0f} % of the last minute: stop other programs, or raise "
            "--mailu-timeout"
            if starved >= STARVED
            else hint(error.service, lines, own_doing=own),
            tuple(lines),
            service=error.service,
            own_doing=own,
        )

    async def snapshot_baseline(self) -> None:
        """Notes the state of all containers. What changes from now on was not done by us."""
        self._snapshot = await asyncio.to_thread(self._states)
        self._since = time.time()

    async def external_interference(self) -> str:
        """What others did to the containers since `snapshot_baseline`; empty when nothing happened."""
        if self.watch.disconnected:
            return "the connection to the Docker engine was lost"
        if events := [str(event) for event in self.watch.external_events(self._since)]:
            return "; ".join(dict.fromkeys(events))
        now = await asyncio.to_thread(self._states)
        changed = [name for name, state in self._snapshot.items() if now.get(name) != state]
        own = {name for name in changed if (end := self.watch.exit_of(name)) and end.own_doing}
        return "; ".join(f"{name}: its state changed" for name in changed if name not in own)

    async def remove(self) -> Removed:
        """Removes everything of the stack, even if the caller is cancelled. Returns what was removed or stayed."""
        self.watch.stop()
        return await asyncio.shield(asyncio.to_thread(self._remove))

    def _remove(self) -> Removed:
        self._heartbeat.stop()
        return remove(self._engine, self._run.id, self._side)

    async def _start(self, service: str) -> None:
        try:
            await asyncio.to_thread(self.containers[service].start)
        except DockerException as error:
            raise StackError(
                f"the service {service} of Mailu {self._release} could not be started",
                "see the engine's message below",
                (str(error),),
                service=service,
            ) from error

    def _states(self) -> dict[str, tuple[object, ...]]:
        """The part of each container's state that must not change."""
        found: dict[str, tuple[object, ...]] = {}
        for name, container in self.containers.items():
            try:
                attributes: dict[str, Any] = self._engine.client.api.inspect_container(str(container.id))
            except DockerException:
                found[name] = ("gone",)
                continue
            state = attributes["State"]
            networks = attributes["NetworkSettings"]["Networks"]
            found[name] = (state["Status"], state["Pid"], state["StartedAt"], state["Paused"], tuple(sorted(networks)))
        return found
