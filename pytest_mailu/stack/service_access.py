"""The services of one running stack from inside: commands, logs, how they ended; paused or stopped for a while."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from docker.models.containers import Container
from testinfra.host import Host

from pytest_mailu.core.commands import CommandResult
from pytest_mailu.core.errors import StackError
from pytest_mailu.stack.containers import StackContainers
from pytest_mailu.stack.evidence.container_io import execute, log_lines, testinfra_host
from pytest_mailu.stack.evidence.logs import LogLine, parse
from pytest_mailu.stack.readiness.services import ServiceReadiness


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
    ) -> None:
        self.services = services
        self._containers = containers
        self._readiness = readiness
        self._changing = changing
        self._seconds = seconds
        self._ready_at = time.time()

    def mark_ready(self) -> None:
        """From now on the stack answers: `startup_log` ends here."""
        self._ready_at = time.time()

    async def exec(
        self, service: str, *command: str, user: str = "", environment: Mapping[str, str] | None = None
    ) -> CommandResult:
        """Runs a command in the service's container. Raises StackError where it is not running."""
        return await asyncio.to_thread(execute, self._containers[service], command, user=user, environment=environment)

    def environment(self, service: str) -> dict[str, str]:
        """The environment that commands in the service's container find: the settings, and what its image sets."""
        assignments: list[str] = self._containers[service].attrs["Config"]["Env"] or []
        return dict(assignment.split("=", 1) for assignment in assignments if "=" in assignment)

    def testinfra(self, service: str) -> Host:
        """The service's container for testinfra (blocking calls)."""
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
        error = await self._containers.first_exit_explained()
        return error if error is not None and error.own_doing and error.service == service else None

    @asynccontextmanager
    async def paused(self, service: str) -> AsyncIterator[None]:
        """Pauses the service while the block runs: its name and address stay, and it answers nothing.

        Nothing else may be asked meanwhile. What is done here does not count as external interference.
        """
        container = self._containers[service]
        async with self._changing:
            await asyncio.to_thread(container.pause)
            async with _restored(lambda: self._resume(container)):
                yield

    @asynccontextmanager
    async def stopped(self, service: str) -> AsyncIterator[None]:
        """Stops the service while the block runs, so that its name is gone from the engine's DNS; then starts it again.

        As `docker compose stop` does it, with SIGTERM and the engine's ten seconds: a Dovecot that was killed takes its
        old pid file for another Dovecot (1.9.50) and does not come back. Otherwise as `paused`.
        """
        container = self._containers[service]
        async with self._changing:
            self._containers.watch.expect_restart((service,))
            await asyncio.to_thread(container.stop)
            async with _restored(lambda: self._restart(service, container)):
                yield

    async def _resume(self, container: Container) -> None:
        await asyncio.to_thread(container.unpause)
        await self._containers.snapshot_baseline()

    async def _restart(self, service: str, container: Container) -> None:
        await asyncio.to_thread(container.start)
        await self._containers.wait({service: self._readiness.conditions()[service]}, self._seconds)
        await self._containers.snapshot_baseline()


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
