"""The services of one running stack from inside: commands, logs, how they ended; paused or stopped for a while."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from docker.errors import DockerException
from docker.models.containers import Container
from testinfra.host import Host

from pytest_mailu.core.commands import CommandResult, Usage
from pytest_mailu.core.errors import StackError
from pytest_mailu.stack.containers import StackContainers
from pytest_mailu.stack.docker.images import health_command
from pytest_mailu.stack.evidence.container_io import execute, log_lines, testinfra_host
from pytest_mailu.stack.evidence.log_line import LogLine
from pytest_mailu.stack.evidence.logs import parse
from pytest_mailu.stack.readiness.services import ServiceReadiness

WAITS_FOR_ANOTHER = 30.0
"""Seconds after which a service that is not ready is taken to wait for one that is stopped."""


class ServiceAccess:
    """What a behaviour may do with the services of a stack beside connecting to them.

    `services` are Mailu's (and the user's own), without the world. Every method raises StackError for a service that
    the stack does not have.
    """

    def __init__(
        self,
        containers: StackContainers,
        services: tuple[str, ...],
        readiness: ServiceReadiness,
        changing: asyncio.Lock,
        seconds: float,
        *,
        make_anew: Callable[[str], Awaitable[None]],
    ) -> None:
        self.services = services
        self._containers = containers
        self._readiness = readiness
        self._changing = changing
        self._seconds = seconds
        self._make_anew = make_anew
        self._ready_at = time.time()
        self.commands = 0
        """How many commands were run in containers."""

    @property
    def restarts(self) -> int:
        """How many containers were started since the stack was ready."""
        return sum(event.action == "start" for event in self._containers.watch.since(self._ready_at))

    def mark_ready(self) -> None:
        """From now on the stack answers: `startup_log` ends here."""
        self._ready_at = time.time()

    async def exec(
        self, service: str, *command: str, user: str = "", environment: Mapping[str, str] | None = None
    ) -> CommandResult:
        """Runs a command in the service's container. Raises StackError where it is not running."""
        self.commands += 1
        return await asyncio.to_thread(execute, self._containers[service], command, user=user, environment=environment)

    def environment(self, service: str) -> dict[str, str]:
        """The environment that commands in the service's container find: the settings, and what its image sets."""
        assignments: list[str] = self._containers[service].attrs["Config"]["Env"] or []
        return dict(assignment.split("=", 1) for assignment in assignments if "=" in assignment)

    def testinfra(self, service: str) -> Host:
        """The service's container for testinfra (blocking calls)."""
        self.commands += 1
        return testinfra_host(self._containers[service])

    async def log_since(self, service: str, moment: float) -> list[str]:
        """What the service has logged since a moment (seconds since the epoch)."""
        return await asyncio.to_thread(log_lines, self._containers[service], moment)

    async def startup_log(self, service: str) -> list[str]:
        """What the service had logged when the stack was ready; of a container that was made anew later, nothing."""
        return await asyncio.to_thread(log_lines, self._containers[service], None, self._ready_at)

    async def all_logs_since(self, moment: float) -> list[LogLine]:
        """What all services have logged since a moment (seconds since the epoch)."""
        logs = await asyncio.gather(
            *(asyncio.to_thread(log_lines, self._containers[name], moment, stamped=True) for name in self.services)
        )
        return [line for name, lines in zip(self.services, logs, strict=True) for line in parse(name, lines)]

    async def exit_of(self, service: str) -> StackError | None:
        """How the service ended by its own doing, with its last log lines as details; None while it runs."""
        error = await self._containers.exit_explained(service)
        return error if error is not None and error.own_doing else None

    @asynccontextmanager
    async def paused(self, service: str) -> AsyncIterator[None]:
        """Pauses the service while the block runs: its name and address stay, and it answers nothing.

        Nothing may be asked meanwhile that needs it. What is done here does not count as external interference.
        """
        container = self._containers[service]
        async with self._changing, self._containers.changing((service,)):
            await asyncio.to_thread(container.pause)
            async with _restored(lambda: asyncio.to_thread(container.unpause)):
                yield

    @asynccontextmanager
    async def stopped(self, service: str, *, restarting: str = "") -> AsyncIterator[None]:
        """Stops the service while the block runs, so that its name is gone from the engine's DNS; then starts it again.

        The service `restarting` is started anew at the beginning, and finds the other one down. Where it waits for that
        one (Rspamd of 1.9 does), the block runs before it is ready; it is ready at the end.
        As `docker compose stop` does it, with SIGTERM and the engine's ten seconds: a Dovecot that was killed takes its
        old pid file for another Dovecot (1.9.50) and does not come back. Otherwise as `paused`.
        """
        container = self._containers[service]
        others = (restarting,) if restarting else ()
        async with self._changing, self._containers.changing((service, *others)):
            self._containers.watch.expect_restart((service, *others))
            await asyncio.to_thread(container.stop)
            async with _restored(lambda: self._restart(service, container, then=others)):
                for other in others:
                    await asyncio.to_thread(self._containers[other].stop)
                    await self._start_without(other)
                yield

    async def health_check(self, service: str) -> CommandResult | None:
        """Runs the health check of the service's image, whatever a compose file says; None where it has none."""
        image = await asyncio.to_thread(lambda: self._containers[service].image)
        config = (image.attrs.get("Config") or {}) if image is not None else {}
        command = health_command((config.get("Healthcheck") or {}).get("Test") or [])
        return await self.exec(service, *command) if command else None

    async def usage(self, service: str) -> Usage:
        """What the service has used so far, from the engine. Raises StackError where that is not known."""
        container = self._containers[service]
        try:
            return usage_in(await asyncio.to_thread(_statistics, container))
        except (DockerException, KeyError, TypeError) as error:
            raise StackError(
                f"the engine does not tell what {service} uses", "see `docker stats`", (str(error),)
            ) from error

    async def start_again(self, service: str, *, kill: bool, seconds: float) -> StackError | None:
        """Stops the service, or kills it as a loss of power does, and starts the same container again.

        None when it answers within `seconds`. Otherwise how it failed; the container is then made anew, so that the
        rest of the run has the service. Raises StackError where that fails as well, or the fault is not the service's.
        What is done here does not count as external interference.
        """
        container = self._containers[service]
        async with self._changing, self._containers.changing((service,)):
            failure: StackError | None = None
            self._containers.watch.expect_restart((service,))
            await asyncio.to_thread(_end, container, kill=kill)
            await asyncio.to_thread(container.start)
            try:
                await self._wait(service, seconds)
            except StackError as error:
                if not error.own_doing or error.service != service:
                    raise
                failure = error
                await self._make_anew(service)
        return failure

    @asynccontextmanager
    async def started_over(self, service: str) -> AsyncIterator[None]:
        """Stops the service and starts the same container, and runs the block without waiting for it to be ready.

        It may end by itself meanwhile. After the block it is made anew, with the files of a stack that starts, whatever
        became of it. Raises StackError where that fails. What is done here does not count as external interference.
        """
        container = self._containers[service]
        async with self._changing, self._containers.changing((service,)):
            self._containers.watch.expect_restart((service,))
            await asyncio.to_thread(container.stop)
            await asyncio.to_thread(container.start)
            async with _restored(lambda: self._make_anew(service)):
                yield

    async def _restart(self, service: str, container: Container, *, then: Sequence[str] = ()) -> None:
        await asyncio.to_thread(container.start)
        for name in (service, *then):
            await self._wait(name, self._seconds)

    async def _start_without(self, service: str) -> None:
        """Starts a service while another one is down; returns when it is ready, or seems to wait for that one."""
        await asyncio.to_thread(self._containers[service].start)
        try:
            await self._wait(service, WAITS_FOR_ANOTHER)
        except StackError:
            if await self._containers.exit_explained(service) is not None:
                raise

    async def _wait(self, service: str, seconds: float) -> None:
        await self._containers.wait({service: self._readiness.conditions().get(service, [])}, seconds)


def _statistics(container: Container) -> Any:
    """The engine's statistics of this moment. Without `one_shot` the engine waits a second for a second look."""
    assert container.client is not None  # noqa: S101 - it comes from a client
    return container.client.api.stats(str(container.id), stream=False, one_shot=True)


def usage_in(stats: Mapping[str, Any]) -> Usage:
    """From the engine's statistics (Docker's API, `containers/ID/stats`). Raises KeyError where they lack something."""
    memory = stats["memory_stats"]
    details = memory.get("stats") or {}
    cache = details.get("inactive_file", details.get("total_inactive_file", 0))
    return Usage(stats["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9, int(memory["usage"]) - int(cache))


def _end(container: Container, *, kill: bool) -> None:
    """Ends a container. Blocking; the engine's ten seconds before SIGKILL, as with `docker compose stop`."""
    if kill:
        container.kill()
        container.wait(timeout=30)
    else:
        container.stop()


@asynccontextmanager
async def _restored(restore: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Runs `restore` to its end when the block ends, even if the caller is cancelled meanwhile."""
    try:
        yield
    finally:
        task = asyncio.ensure_future(restore())
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            await task
            raise
