"""The containers of one stack: found, checked, started, waited for, watched and removed."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from docker.errors import DockerException
from docker.models.containers import Container

from pytest_mailu.core.errors import StackError
from pytest_mailu.core.file_content import Content
from pytest_mailu.core.optional_services import STARTED
from pytest_mailu.core.releases import Release
from pytest_mailu.stack.docker.engine import Engine
from pytest_mailu.stack.docker.events import SERVICE, ContainerExit, EventWatch
from pytest_mailu.stack.docker.heartbeat import Heartbeat
from pytest_mailu.stack.docker.isolation import INGRESS, SURROUNDINGS, WORLD, check_sealed
from pytest_mailu.stack.docker.labels import RUN, SIDE, RunIdentity
from pytest_mailu.stack.docker.sweep import Removed, remove
from pytest_mailu.stack.evidence.container_io import archive, log_lines
from pytest_mailu.stack.evidence.hints import disk_is_full, hint
from pytest_mailu.stack.preflight import STARVED, cpu_pressure
from pytest_mailu.stack.readiness.conditions import Condition, NotReady, wait_for
from pytest_mailu.stack.world import acme
from pytest_mailu.stack.world.plan import FOLDER as WORLD_FOLDER
from pytest_mailu.stack.world.plan import PROXY_PORT


class StackContainers:
    """Service → container, of one project. `release` is for messages."""

    def __init__(self, engine: Engine, run: RunIdentity, side: str, release: Release) -> None:
        self.project = run.project(side)
        self.containers: dict[str, Container] = {}
        self.watch = EventWatch(engine, self.project)
        self.internal_networks: list[str] = []
        self._heartbeat = Heartbeat(engine, self.project, run.labels(side))
        self._engine = engine
        self._run = run
        self._side = side
        self._release = release
        self._snapshot: dict[str, tuple[object, ...]] = {}
        self._since: dict[str, float] = {}
        self._changing: Counter[str] = Counter()
        self._changes: Counter[str] = Counter()

    def __getitem__(self, service: str) -> Container:
        """The container of a service. Raises StackError where there is none."""
        try:
            return self.containers[service]
        except KeyError:
            raise StackError(
                f"Mailu {self._release} has no service {service}",
                f"it has {', '.join(name for name in self.containers if name not in SURROUNDINGS)}",
            ) from None

    async def announce(self) -> None:
        """Begins to watch events, and to show on the engine that the run is alive."""
        await asyncio.to_thread(self.watch.start)
        self._heartbeat.start()

    async def discover(
        self, dns: str, overlays: Mapping[str, Mapping[str, str]] | None = None, *, six: bool = False
    ) -> None:
        """Finds the containers that compose created and checks that they are sealed. Nothing is started before that.

        `overlays` are the options of the volumes that are overlays of ours; with `six`, networks may have IPv6.
        """
        labels = (f"{RUN}={self._run.id}", f"{SIDE}={self._side}")
        found, networks, volumes = await asyncio.gather(
            self._engine.containers(*labels),
            self._engine.call(self._engine.networks_now, *labels),
            self._engine.call(self._engine.volumes_now, *labels),
        )
        self.containers = {container.labels[SERVICE]: container for container in found}
        self.internal_networks = [str(network["Id"]) for network in networks if network["Internal"]]
        described = {name: container.attrs for name, container in self.containers.items()}
        check_sealed(described, networks, volumes, self.project, dns, overlays=overlays or {}, six=six)

    async def copy_in(self, files: Mapping[str, Mapping[str, Content]]) -> None:
        """Copies files in: service → absolute path → content."""
        await asyncio.gather(*(asyncio.to_thread(self._put, name, those) for name, those in files.items() if those))

    def _put(self, service: str, files: Mapping[str, Content]) -> None:
        # The world's own file system is read-only: its folder is a volume.
        folder = WORLD_FOLDER if service == WORLD else ""
        relative = {path.removeprefix(folder): content for path, content in files.items()}
        self.put(service, folder or "/", archive(relative))

    def put(self, service: str, folder: str, files: bytes) -> None:
        """Unpacks an archive in the container of a service. Blocking. Raises StackError where the engine cannot."""
        try:
            self.containers[service].put_archive(folder, files)
        except (DockerException, OSError) as error:
            full = disk_is_full([str(error)])
            raise StackError(
                "the disk of the Docker engine is full"
                if full
                else f"no files can be copied into the service {service} of Mailu {self._release}",
                "free some space (docker system df), and run again" if full else "see the engine's message below",
                (str(error)[:500],),
                service=service,
            ) from error

    async def start(self, services: Iterable[str]) -> None:
        """Starts several containers at the same time. Raises StackError for one that the engine cannot start."""
        await asyncio.gather(*(self._start(name) for name in services))

    async def proxy_port(self) -> int:
        """The port on 127.0.0.1 that the engine chose for the ingress, behind which is the world's SOCKS proxy."""
        container = self.containers[INGRESS]
        await asyncio.to_thread(container.reload)
        bindings = container.attrs["NetworkSettings"]["Ports"].get(f"{PROXY_PORT}/tcp") or []
        if not bindings:
            raise await self.explain(NotReady(INGRESS, "did not stay", own_doing=False))
        return int(bindings[0]["HostPort"])

    async def wait(self, conditions: Mapping[str, list[Condition]], seconds: float) -> None:
        """Waits until all conditions are met. Raises StackError when time is up, or at once when a container ends.

        An optional service that has ended is not waited for.
        """
        steps = {
            name: [self._unless_ended(name, condition) for condition in wanted] if name in STARTED else wanted
            for name, wanted in conditions.items()
        }
        try:
            await wait_for(steps, self.first_exit, seconds)
        except NotReady as error:
            raise await self.explain(error) from None

    def _unless_ended(self, service: str, condition: Condition) -> Condition:
        async def met() -> str:
            return "" if self.watch.exit_of(service) else await condition()

        return met

    def first_exit(self) -> ContainerExit | None:
        """How a container has ended without which the stack cannot be asked, or None while all run.

        Without web mail there still is mail: what becomes of an optional service says `exit_explained` alone.
        """
        return next(
            (end for name in self.containers if name not in STARTED and (end := self.watch.exit_of(name))), None
        )

    async def first_exit_explained(self) -> StackError | None:
        """The same as an error with the last log lines."""
        return await self._explained(self.first_exit())

    async def exit_explained(self, service: str) -> StackError | None:
        """How a service has ended, with its last log lines; None while it runs."""
        return await self._explained(self.watch.exit_of(service))

    async def _explained(self, end: ContainerExit | None) -> StackError | None:
        if end is None:
            return None
        return await self.explain(NotReady(end.service, end.reason, own_doing=end.own_doing))

    async def explain(self, error: NotReady) -> StackError:
        """The error with the last log lines of the service, and with a hint where one is known."""
        container = self.containers.get(error.service)
        lines = await asyncio.to_thread(log_lines, container, tail=15) if container else []
        # CPU starvation comes from the machine, not from the service.
        starved = cpu_pressure() if error.late else 0.0
        ours = error.service in {*SURROUNDINGS, *acme.SERVICES}
        own = error.own_doing and not ours and starved < STARVED
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

    async def snapshot_baseline(self, services: Collection[str] = ()) -> None:
        """Notes the state of these containers, or of all. What changes from now on was not done by us."""
        names = tuple(services) or tuple(self.containers)
        self._snapshot |= await asyncio.to_thread(self._states, names)
        self._since |= dict.fromkeys(names, time.time())

    @asynccontextmanager
    async def changing(self, services: Collection[str]) -> AsyncIterator[None]:
        """While the block runs, these services are changed by us; their state at its end is their new baseline."""
        self._changing.update(services)
        try:
            yield
        finally:
            try:
                await asyncio.shield(self.snapshot_baseline(services))
            finally:
                self._changing.subtract(services)
                self._changes.update(services)

    async def external_interference(self) -> str:
        """What others did to the containers since their baseline; empty when nothing happened.

        What we change, or changed while this was looking, is left out.
        """
        if self.watch.disconnected:
            return "the connection to the Docker engine was lost"
        before = self._changes.copy()
        now = await asyncio.to_thread(self._states, tuple(self._snapshot))
        ours = {name for name in now if self._changing[name] or self._changes[name] != before[name]}
        events = self.watch.external_events(min(self._since.values(), default=0.0))
        if told := [
            str(event)
            for event in events
            if event.service not in ours and event.when >= self._since.get(event.service, event.when)
        ]:
            return "; ".join(dict.fromkeys(told))
        changed = [name for name, state in self._snapshot.items() if name not in ours and now[name] != state]
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

    def _states(self, services: Iterable[str]) -> dict[str, tuple[object, ...]]:
        """The part of each container's state that must not change."""
        found: dict[str, tuple[object, ...]] = {}
        for name in services:
            container = self.containers[name]
            try:
                attributes: dict[str, Any] = self._engine.client.api.inspect_container(str(container.id))
            except DockerException:
                found[name] = ("gone",)
                continue
            state = attributes["State"]
            networks = attributes["NetworkSettings"]["Networks"]
            found[name] = (state["Status"], state["Pid"], state["StartedAt"], state["Paused"], tuple(sorted(networks)))
        return found
