"""One running Mailu in its sealed world: up, changed for a variant, looked into, and down."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from docker.models.containers import Container
from testinfra.host import Host

from pytest_mailu.core.commands import CommandResult
from pytest_mailu.core.errors import StackError, only
from pytest_mailu.core.model import SideInfo
from pytest_mailu.core.releases import CORE_SERVICES, Release
from pytest_mailu.stack import accounts, rspamd_state
from pytest_mailu.stack.compose.command import (
    CONFIGURED,
    Compose,
    Model,
    explain,
    sealed,
    subnet_was_taken,
    template,
    variables,
)
from pytest_mailu.stack.container_files import files_for
from pytest_mailu.stack.containers import StackContainers
from pytest_mailu.stack.docker import images
from pytest_mailu.stack.docker.engine import Engine
from pytest_mailu.stack.docker.images import Image, Progress, Pull
from pytest_mailu.stack.docker.isolation import WORLD
from pytest_mailu.stack.docker.labels import RunIdentity
from pytest_mailu.stack.docker.networks import Layout
from pytest_mailu.stack.docker.subnets import SubnetAllocator
from pytest_mailu.stack.docker.sweep import remove
from pytest_mailu.stack.evidence.container_io import (
    archive,
    execute,
    log_lines,
    read_file,
    testinfra_host,
)
from pytest_mailu.stack.evidence.logs import LogLine, parse
from pytest_mailu.stack.readiness.conditions import NotReady
from pytest_mailu.stack.readiness.services import ServiceReadiness
from pytest_mailu.stack.settings.environment import Settings, settings_for
from pytest_mailu.stack.settings.variants import MX, Variant
from pytest_mailu.stack.world.control import PORTS, World
from pytest_mailu.stack.world.dkim import private_key
from pytest_mailu.stack.world.zones import RELAYED_HOST

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_SUBNET_ATTEMPTS = 4
"""How often other subnets are chosen when somebody took ours between the choice and the making."""


@dataclass(frozen=True, slots=True)
class StackPlan:
    """What one stack is to be. `side` is `old` or `new`; `user` the user's settings.

    `core`, `configured` and `files` come from `read_user_compose`: the model, the services that read mailu.env, and
    what is copied into each container.
    """

    side: str
    release: Release
    user: Mapping[str, str] = field(default_factory=dict)
    overrides: Path | None = None
    core: Model | None = None
    configured: tuple[str, ...] = CONFIGURED
    files: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict)
    pull: Pull = Pull.MISSING
    seconds: float = 120.0


class Stack:
    """A stack from `up` to `down`. Ready means: `world`, `door`, `layout`, `settings` and `info` may be used."""

    world: World
    layout: Layout
    settings: Settings

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
        self.run = run
        self.project = run.project(plan.side)
        self.variant: Variant = MX
        self.timings: dict[str, float] = {}
        self._engine = engine
        self._compose = compose
        self._subnets = subnets
        self._progress = progress
        self._containers = StackContainers(engine, run, plan.side, plan.release)
        self._core: Model = plan.core or template("mailu")
        self._images: dict[str, Image] = {}
        self._version = ""
        self._changing = asyncio.Lock()
        self._secret_key = secrets.token_hex(8)
        self._last = time.monotonic()

    @property
    def release(self) -> Release:
        """What runs here."""
        return self.plan.release

    @property
    def door(self) -> int:
        """The world's port on 127.0.0.1."""
        return self.world.door

    @property
    def services(self) -> tuple[str, ...]:
        """Mailu's services (and the user's own), without the world."""
        return tuple(name for name in self._core["services"] if name != WORLD)

    async def up(self) -> None:
        """From nothing to ready. Whatever goes wrong, nothing is left behind. Raises StackError."""
        try:
            await self._fetch()
            await self._engine.call(self._containers.watch.start)
            await self._create()
            await self._copy_files_in(self._containers.containers)
            await self._start()
            await self._containers.snapshot_baseline()
        except BaseException:
            await self.down()
            raise

    async def down(self) -> None:
        """Removes everything of this stack. Never raises but for cancellation; what stays is in the next sweep."""
        for complaint in (await self._containers.remove()).complaints:
            self._progress(complaint)

    async def apply(self, variant: Variant) -> None:
        """Puts the stack into `variant`: makes the services anew that read what changed. Data and queue stay.

        Raises StackError; `own_doing` as ever. Nobody else may ask the stack while this runs.
        """
        async with self._changing:
            if variant.name == self.variant.name:
                return
            services = tuple(dict.fromkeys((*self.variant.services, *variant.services)))
            model = self._model(self.settings.with_changes(variant.changes))
            self._progress(f"{self.release}: making {', '.join(services)} anew for {variant.name}")
            self._last = time.monotonic()
            self._containers.watch.expect_restart(services)
            before = {name: self._containers.containers[name].id for name in services}
            answer = await self._compose(
                self.project,
                model,
                *("up", "--no-start", "--no-deps", "--force-recreate", "--no-build", "--pull", "never", "-t", "0"),
                *services,
                variables=self._variables(),
                seconds=self.plan.seconds,
            )
            await self._containers.discover()
            if any(self._containers.containers[name].id == before[name] for name in services):
                raise explain("up", answer)
            await self._copy_files_in(services)
            await self._containers.start(services)
            conditions = self._readiness.conditions()
            await self._containers.wait({name: conditions[name] for name in services}, self.plan.seconds)
            self.variant = variant
            self._record_timing(f"variant {variant.name}")
            await self._containers.snapshot_baseline()

    @asynccontextmanager
    async def without(self, service: str, *, gone: bool = False) -> AsyncIterator[None]:
        """Holds a service still while the block runs, or with `gone` stops it; at the end it is back and ready.

        Nobody else may ask the stack meanwhile. What was done here counts as no disturbance. Raises StackError.
        """
        container = self.container(service)

        async def restore() -> None:
            await asyncio.to_thread(container.start if gone else container.unpause)
            if gone:
                await self._containers.wait({service: self._readiness.conditions()[service]}, self.plan.seconds)
            await self._containers.snapshot_baseline()

        async with self._changing:
            if gone:
                self._containers.watch.expect_restart((service,))
            # As `docker compose stop` does it, with a word of warning and the engine's ten seconds: a Dovecot that was
            # killed takes its old pid file for another Dovecot (1.9.50) and does not come back.
            await asyncio.to_thread(container.stop if gone else container.pause)
            try:
                yield
            finally:
                # Whoever gives up waiting still leaves the stack as it was.
                task = asyncio.create_task(restore())
                try:
                    await asyncio.shield(task)
                except asyncio.CancelledError:
                    await task
                    raise

    # Looking in

    def container(self, service: str) -> Container:
        """The container of a service (or of the world)."""
        try:
            return self._containers.containers[service]
        except KeyError:
            raise StackError(f"{self.release} has no service {service}", f"it has {', '.join(self.services)}") from None

    def containers(self) -> dict[str, Container]:
        """All containers by service."""
        return dict(self._containers.containers)

    def environment(self, service: str) -> dict[str, str]:
        """The environment that commands in a service's container find: the settings, and what its image sets."""
        assignments: list[str] = self.container(service).attrs["Config"]["Env"] or []
        return dict(assignment.split("=", 1) for assignment in assignments if "=" in assignment)

    async def exec(
        self, service: str, *command: str, user: str = "", environment: Mapping[str, str] | None = None
    ) -> CommandResult:
        """Runs a command in a service's container."""
        return await asyncio.to_thread(execute, self.container(service), command, user=user, environment=environment)

    def testinfra(self, service: str) -> Host:
        """The service's container for testinfra (blocking calls)."""
        return testinfra_host(self.container(service))

    async def logs(self, service: str, since: float | None = None, until: float | None = None) -> tuple[str, ...]:
        """Log lines of a service between two moments (seconds since the epoch)."""
        return tuple(await asyncio.to_thread(log_lines, self.container(service), since, until))

    async def all_logs(self, since: float) -> list[LogLine]:
        """What all of Mailu's services have logged since a moment (seconds since the epoch)."""
        logs = await asyncio.gather(
            *(asyncio.to_thread(log_lines, self.container(name), since, stamped=True) for name in self.services)
        )
        return [line for name, lines in zip(self.services, logs, strict=True) for line in parse(name, lines)]

    def info(self) -> SideInfo:
        """Where this side comes from, for reports and recordings."""
        return SideInfo(
            release=str(self.release),
            version=self._version,
            provenance=self._provenance(),
            images={
                service: self._images[image].identity
                for service, image in self._image_names().items()
                if image in self._images
            },
            settings=self.settings.shown(),
            replaced=dict(self.settings.replaced),
        )

    def _provenance(self) -> str:
        """What the images are; where they never saw a registry, with what they say of themselves."""
        local = [image for image in self._images.values() if not image.digest]
        if not local:
            return "images as the registry gives them out"
        said = dict.fromkeys(image.description for image in local if image.description)
        return "; ".join(["images that exist on this machine only", *said])

    async def external_interference(self) -> str:
        """What happened to the containers from outside since the stack was ready; empty when nothing did."""
        return await self._containers.external_interference()

    @property
    def events_lost(self) -> bool:
        """Whether the engine no longer tells what happens to the containers, so that nothing proves anything."""
        return self._containers.watch.disconnected

    async def check_alive(self) -> None:
        """Raises StackError, with `own_doing`, when a service has ended since the stack was ready."""
        if death := self._containers.death():
            raise await self._containers.explain(NotReady(death.service, death.words, own_doing=death.own_doing))

    # Coming up, step by step

    async def _fetch(self) -> None:
        self._images = await images.ensure(self._engine, self._image_names().values(), self.plan.pull, self._progress)
        self._record_timing("images")

    def _image_names(self) -> dict[str, str]:
        names = {name: str(service.get("image", "")) for name, service in self._core["services"].items()}
        if self.plan.core is None:
            names |= {name: self.release.image(name) for name in CORE_SERVICES}
        return names | {WORLD: names["admin"]}

    def _image(self, service: str) -> Image:
        return self._images[self._image_names()[service]]

    async def _create(self) -> None:
        self._progress(f"{self.release}: creating networks and containers")
        for attempt in range(1, _SUBNET_ATTEMPTS + 1):
            self.layout = await self._subnets.allocate()
            self.settings = settings_for(
                self.release, self.layout, self._secret_key, self.plan.user, services=self.services
            )
            try:
                answer = await self._compose(
                    self.project,
                    self._model(self.settings),
                    *("create", "--no-build", "--pull", "never"),
                    variables=self._variables(),
                    seconds=self.plan.seconds,
                )
                await self._containers.discover()
                if set(self._containers.containers) != {WORLD, *self.services}:
                    raise explain("create", answer)
                break
            except StackError as error:
                if not subnet_was_taken(error) or attempt == _SUBNET_ATTEMPTS:
                    raise
                await self._engine.call(remove, self._engine, self.run.id, self.plan.side)
        self._record_timing("created")

    def _variables(self) -> dict[str, str]:
        return variables(self.release, self.layout, self._image_names()[WORLD])

    def _model(self, settings: Settings) -> Model:
        return sealed(self._core, settings.values, self.run.labels(self.plan.side), self.plan.configured)

    async def _copy_files_in(self, services: Iterable[str]) -> None:
        """Copies in what a bind mount would bring elsewhere."""
        plan = self.plan
        files = {
            name: {**plan.files.get(name, {}), **files_for(name, self.release, self.layout, plan.overrides)}
            for name in services
        }
        await self._containers.copy_in(files)
        if "antispam" in files and (
            warm := await asyncio.to_thread(rspamd_state.cached_tables, self._image("antispam"))
        ):
            await asyncio.to_thread(self.container("antispam").put_archive, "/", warm)
        if not self._version:
            self._version = await asyncio.to_thread(read_file, self.container("admin"), "/version")
        self._record_timing("furnished")

    async def _start(self) -> None:
        """The world first, since the others ask it for names; `admin` next to it, since everybody waits for it."""
        self._progress(f"{self.release}: starting")
        first = (WORLD, "redis", "admin")
        await self._containers.start(first)
        self.world = World(await self._containers.door())
        self._readiness = ServiceReadiness(self.release, self.world, self._check_front)
        await self._containers.start(name for name in self.services if name not in (*first, "front"))
        # nginx ends at once where a name it proxies to is unknown (2.0), and compose would just start it again.
        await self._containers.start(["front"])
        self._record_timing("started")
        conditions = self._readiness.conditions()
        await self._containers.wait({"admin": conditions["admin"]}, self.plan.seconds)
        self._record_timing("admin answers")
        await self._import_accounts()
        await self._containers.wait({"admin": [self._readiness.has_handled_a_login()]}, self.plan.seconds)
        self._record_timing("accounts")
        await self._containers.wait(conditions, self.plan.seconds)
        await self._stop_spoofing()
        self._record_timing("ready")
        await asyncio.to_thread(rspamd_state.cache_tables, self._image("antispam"), self.container("antispam"))

    async def _stop_spoofing(self) -> None:
        """Waits until Rspamd's milter knows the domains. A Rspamd that does not take our store of them reads its own
        anew when it is hung up on: half a second instead of 40."""
        if not self.release.stops_spoofing_in_rspamd:
            return
        refused = self._readiness.refuses_spoofed_mail(str(self.layout.stranger.client))
        if await refused():
            await asyncio.to_thread(self.container("antispam").kill, "HUP")
            self._record_timing("hung up")
            await self._containers.wait({"antispam": [refused]}, self.plan.seconds)

    async def _check_front(self) -> CommandResult | None:
        check = self._image("front").healthcheck
        return await self.exec("front", *check) if check else None

    async def _import_accounts(self) -> None:
        path = "/tmp/population.json"  # noqa: S108 - inside the container
        text = accounts.document(self.release, private_key(), f"{RELAYED_HOST}:{PORTS['relayed']}")
        await asyncio.to_thread(self._containers.containers["admin"].put_archive, "/", archive({path: text.encode()}))
        ran = await self.exec(
            "admin",
            *accounts.import_command(path),
            user=self.release.admin_user,
            environment=accounts.IMPORT_ENVIRONMENT,
        )
        if ran.code:
            lines = tuple((ran.output + ran.errors).strip().splitlines()[-12:])
            raise StackError(
                f"Mailu {self.release} did not take the accounts of the test (flask mailu config-import)",
                "see what it says below; a release whose import differs needs a newer pytest-mailu",
                lines,
                service="admin",
            )

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
            raise only(errors) from None
        yield
    finally:
        await asyncio.gather(*(stack.down() for stack in several))
