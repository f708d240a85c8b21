"""One running Mailu in its sealed world: started, changed for a variant, and removed."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from pytest_mailu.core.commands import CommandResult
from pytest_mailu.core.errors import unwrap_single
from pytest_mailu.core.model import SideInfo
from pytest_mailu.core.releases import Release
from pytest_mailu.stack import rspamd_state
from pytest_mailu.stack.accounts import import_accounts
from pytest_mailu.stack.compose.command import Compose
from pytest_mailu.stack.container_files import files_for
from pytest_mailu.stack.docker import images
from pytest_mailu.stack.docker.engine import Engine
from pytest_mailu.stack.docker.images import Image, Progress
from pytest_mailu.stack.docker.isolation import WORLD
from pytest_mailu.stack.docker.labels import RunIdentity
from pytest_mailu.stack.docker.networks import Layout
from pytest_mailu.stack.docker.subnets import SubnetAllocator
from pytest_mailu.stack.evidence.container_io import execute, read_file
from pytest_mailu.stack.plan import StackPlan
from pytest_mailu.stack.project import ComposeProject
from pytest_mailu.stack.readiness.services import ServiceReadiness
from pytest_mailu.stack.service_access import ServiceAccess
from pytest_mailu.stack.settings.variants import MX, Variant
from pytest_mailu.stack.world.control import World
from pytest_mailu.wire.transport.connector import SocksConnector

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_STARTED_FIRST = (WORLD, "redis", "admin")
"""The others ask the world for names, and wait for `admin`."""


class Stack:
    """A stack from `up` to `down`. `world` and `services` are there once it is up, `info` and `layout` then as well."""

    world: World
    services: ServiceAccess

    def __init__(  # noqa: PLR0917 - each of them once, in the order in which they come about
        self,
        plan: StackPlan,
        run: RunIdentity,
        engine: Engine,
        compose: Compose,
        subnets: SubnetAllocator,
        progress: Progress = lambda _: None,
    ) -> None:
        self.plan = plan
        self.project = ComposeProject(plan, run, engine, compose, subnets)
        self.variant: Variant = MX
        self.timings: dict[str, float] = {}
        self._containers = self.project.containers
        self._engine = engine
        self._progress = progress
        self._images: dict[str, Image] = {}
        self._version = ""
        self._changing = asyncio.Lock()
        self._token = secrets.token_urlsafe(24)
        self._last = time.monotonic()

    @property
    def release(self) -> Release:
        """What runs here."""
        return self.plan.release

    @property
    def layout(self) -> Layout:
        """The networks and addresses."""
        return self.project.layout

    async def up(self) -> None:
        """From nothing to ready. Where that fails, everything is removed. Raises StackError."""
        try:
            await self._fetch_images()
            await self._containers.announce()
            await self._create()
            await self._copy_files_in((WORLD, *self.project.services))
            await self._start()
            await self._make_ready()
            await self._containers.snapshot_baseline()
        except BaseException:
            await self.down()
            raise

    async def down(self) -> None:
        """Removes everything of this stack. Never raises but for cancellation; what stays is in the next sweep."""
        for complaint in (await self._containers.remove()).complaints:
            self._progress(complaint)

    async def apply(self, variant: Variant) -> None:
        """Makes the services anew that read what `variant` changes. Data and queue stay.

        Nothing else may be asked while this runs. Raises StackError.
        """
        async with self._changing:
            if variant.name == self.variant.name:
                return
            services = tuple(dict.fromkeys((*self.variant.services, *variant.services)))
            self._progress(f"{self.release}: making {', '.join(services)} anew for {variant.name}")
            self._last = time.monotonic()
            await self.project.recreate(services, variant.changes)
            await self._copy_files_in(services)
            await self._containers.start(services)
            conditions = self._readiness.conditions()
            await self._containers.wait({name: conditions[name] for name in services}, self.plan.seconds)
            self.variant = variant
            self._record_timing(f"variant {variant.name}")
            await self._containers.snapshot_baseline()

    @property
    def secrets(self) -> frozenset[str]:
        """What was made up for this stack and must not be shown."""
        return frozenset({self.project.settings.values["SECRET_KEY"], self._token})

    async def external_interference(self) -> str:
        """What happened to the containers from outside since the stack was ready; empty when nothing did."""
        return await self._containers.external_interference()

    @property
    def events_lost(self) -> bool:
        """Whether the engine no longer tells what happens to the containers, so that nothing proves anything."""
        return self._containers.watch.disconnected

    async def check_alive(self) -> None:
        """Raises StackError, with `own_doing`, when a service has ended since the stack was ready."""
        if error := await self._containers.first_exit_explained():
            raise error

    def info(self) -> SideInfo:
        """Where this side comes from, for reports and recordings."""
        settings = self.project.settings
        return SideInfo(
            release=str(self.release),
            version=self._version,
            provenance=images.provenance(self._images.values()),
            images={
                service: self._images[image].identity
                for service, image in self.project.image_names().items()
                if image in self._images
            },
            settings=settings.shown(),
            replaced=dict(settings.replaced),
        )

    # Coming up, step by step

    async def _fetch_images(self) -> None:
        names = self.project.image_names().values()
        self._images = await images.ensure(self._engine, names, self.plan.pull, self._progress)
        self._record_timing("images")

    def _image(self, service: str) -> Image:
        return self._images[self.project.image_names()[service]]

    async def _create(self) -> None:
        self._progress(f"{self.release}: creating networks and containers")
        await self.project.create()
        self._record_timing("created")

    async def _copy_files_in(self, services: Iterable[str]) -> None:
        """Copies in what a bind mount would bring elsewhere."""
        plan = self.plan
        files = {
            name: {
                **plan.files.get(name, {}),
                **await asyncio.to_thread(files_for, name, self.release, self.layout, plan.overrides, self._token),
            }
            for name in services
        }
        await self._containers.copy_in(files)
        if "antispam" in files:
            tables = await asyncio.to_thread(rspamd_state.cached_tables, self._image("antispam"))
            if tables:
                await asyncio.to_thread(self._containers["antispam"].put_archive, "/", tables)
        if not self._version:
            self._version = await asyncio.to_thread(read_file, self._containers["admin"], "/version")
        self._record_timing("files copied")

    async def _start(self) -> None:
        """Starts all services, in an order in which each finds what it looks for at once."""
        self._progress(f"{self.release}: starting")
        await self._containers.start(_STARTED_FIRST)
        await self.project.open_world()
        self.world = World(SocksConnector(await self._containers.proxy_port(), self._token))
        self._readiness = ServiceReadiness(self.release, self.world, self._check_front)
        self.services = ServiceAccess(
            self._containers, self.project.services, self._readiness, self._changing, self.plan.seconds
        )
        others = [name for name in self.project.services if name not in (*_STARTED_FIRST, "front")]
        await self._containers.start(others)
        # nginx ends at once where a name it proxies to is unknown (2.0), and compose would just start it again.
        await self._containers.start(["front"])
        self._record_timing("started")

    async def _make_ready(self) -> None:
        """Imports the accounts as soon as `admin` answers, and waits until all services are ready."""
        conditions = self._readiness.conditions()
        await self._containers.wait({"admin": conditions["admin"]}, self.plan.seconds)
        self._record_timing("admin answers")
        await asyncio.to_thread(import_accounts, self.release, self._containers["admin"])
        await self._containers.wait({"admin": [self._readiness.has_handled_a_login()]}, self.plan.seconds)
        self._record_timing("accounts")
        await self._containers.wait(conditions, self.plan.seconds)
        await self._wait_for_anti_spoofing()
        self.services.mark_ready()
        self._record_timing("ready")
        await asyncio.to_thread(rspamd_state.cache_tables, self._image("antispam"), self._containers["antispam"])

    async def _wait_for_anti_spoofing(self) -> None:
        """Waits until Rspamd's milter knows the domains. A Rspamd that does not take our store of them reads its own
        anew on SIGHUP: half a second instead of 40."""
        if not self.release.stops_spoofing_in_rspamd:
            return
        refused = self._readiness.refuses_spoofed_mail(str(self.layout.stranger.client))
        if await refused():
            await asyncio.to_thread(self._containers["antispam"].kill, "HUP")
            self._record_timing("Rspamd reloaded")
            await self._containers.wait({"antispam": [refused]}, self.plan.seconds)

    async def _check_front(self) -> CommandResult | None:
        check = self._image("front").healthcheck
        return await asyncio.to_thread(execute, self._containers["front"], check) if check else None

    def _record_timing(self, what: str) -> None:
        now = time.monotonic()
        self.timings[what] = round(now - self._last, 2)
        self._last = now


@asynccontextmanager
async def running(stacks: Iterable[Stack]) -> AsyncIterator[None]:
    """All stacks up at once, and all down at the end, whatever happens. Raises the first StackError."""
    several = list(stacks)
    try:
        try:
            async with asyncio.TaskGroup() as group:
                for stack in several:
                    group.create_task(stack.up())
        except BaseExceptionGroup as errors:
            raise unwrap_single(errors) from None
        yield
    finally:
        await asyncio.gather(*(stack.down() for stack in several))
