"""One running Mailu in its sealed world: started, changed for a variant, and removed."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from docker.errors import DockerException

from pytest_mailu.core.commands import CommandResult
from pytest_mailu.core.database_schema import CURRENT_SCHEMA, is_newest_schema
from pytest_mailu.core.databases import ADMIN, POSTGRESQL
from pytest_mailu.core.errors import StackError, unwrap_single
from pytest_mailu.core.in_place import CopiedData
from pytest_mailu.core.model import SideInfo
from pytest_mailu.core.optional_services import ANTIVIRUS, ASKED_BY_OTHERS, STARTED, WEBMAIL, has_mailu_image
from pytest_mailu.core.releases import Release
from pytest_mailu.stack import rspamd_state
from pytest_mailu.stack.accounts import import_accounts, import_export
from pytest_mailu.stack.compose.antivirus import signature_files
from pytest_mailu.stack.compose.command import Compose
from pytest_mailu.stack.compose.databases import new_password
from pytest_mailu.stack.container_files import files_for
from pytest_mailu.stack.data import copier, overlay, room, server_survey
from pytest_mailu.stack.data.copier import Sources
from pytest_mailu.stack.data.helper import Helper
from pytest_mailu.stack.data.own import Survey, of_server, survey
from pytest_mailu.stack.docker import images
from pytest_mailu.stack.docker.engine import Engine
from pytest_mailu.stack.docker.images import Image, Progress
from pytest_mailu.stack.docker.isolation import INGRESS, WORLD
from pytest_mailu.stack.docker.labels import RunIdentity
from pytest_mailu.stack.docker.networks import Layout
from pytest_mailu.stack.docker.subnets import SubnetAllocator
from pytest_mailu.stack.evidence.container_io import execute, log_lines, read_file
from pytest_mailu.stack.plan import Inherited, StackPlan
from pytest_mailu.stack.project import ComposeProject
from pytest_mailu.stack.readiness.services import ServiceReadiness
from pytest_mailu.stack.service_access import ServiceAccess
from pytest_mailu.stack.settings.variants import MX, Variant
from pytest_mailu.stack.world.control import World
from pytest_mailu.wire.transport.connector import SocksConnector

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_STARTED_FIRST = (INGRESS, WORLD, "redis")
"""`admin` needs these and its database; the others ask the world for names, and wait for `admin`."""
_STOPPED_LAST = ("front", "admin", "redis")
"""In this order, after those that depend on them (setup/flavors/compose/docker-compose.yml, `depends_on`)."""
_LOG_LINES = 20
"""Of `admin`, where its tables are not there."""
_COPY_FACTOR = 30
"""How many times as long as any other step the copying of data may take."""


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
        self.taken_over = CopiedData()
        self.survey = Survey()
        """What a look at the user's own data found."""
        self._run = run
        self._images: dict[str, Image] = {}
        self._version = ""
        self._looked_at_database = False
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
            await self._come_up()
        except BaseException:
            await self.down()
            raise

    async def _come_up(self) -> None:
        """What fails because the disk is full is no fault of a service. Raises StackError."""
        try:
            await self._fetch_images()
            await self._containers.announce()
            await self._lay_over()
            await self._create()
            await self._take_over()
            await self._copy_files_in((WORLD, *self.project.services))
            await self._start()
            await self._make_ready()
            await self._containers.snapshot_baseline()
        except (StackError, DockerException) as error:
            if self.plan.inherited is not None and (full := await self._no_room_at_rest()):
                raise full from error
            if isinstance(error, StackError):
                raise
            raise StackError("the Docker engine failed", "see its message below", (str(error)[:500],)) from error

    async def no_room(self) -> StackError | None:
        """The error that the engine's disk is full; None while it is not, or while `admin` does not run."""
        try:
            return room.told(await asyncio.to_thread(execute, self._containers["admin"], room.LOOK))
        except (StackError, OSError):
            return None

    async def check_room(self) -> None:
        """Raises StackError where the engine's disk is full, whether the stack runs or is at rest."""
        if full := await self._no_room_at_rest():
            raise full

    async def _no_room_at_rest(self) -> StackError | None:
        volume = f"{self.project.name}_{overlay.ABOVE}"
        return await asyncio.to_thread(room.look, self._helper, volume, self.plan.seconds)

    async def rest(self) -> float:
        """Stops Mailu's services as `docker compose stop` does: first those that depend on others. Takes how many
        seconds. The data and the world stay. Nothing can be asked after that, until `wake`."""
        began = time.monotonic()
        names = self.project.services
        self._containers.watch.expect_restart(names)
        first = tuple(name for name in names if name not in {*_STOPPED_LAST, *self.databases})
        for group in (first, *((name,) for name in _STOPPED_LAST), self.databases):
            await asyncio.gather(*(asyncio.to_thread(self._containers[name].stop) for name in group))
        return time.monotonic() - began

    @property
    def databases(self) -> tuple[str, ...]:
        """The services with the databases of `admin` and web mail; none with SQLite."""
        return tuple(dict.fromkeys(database.service for database in self.project.databases))

    async def wake(self) -> None:
        """Starts the services again after `rest`, on the same data, in containers made anew, as of a changed compose
        file: in the old one, a Dovecot that was killed takes its pid file for another Dovecot (1.9.50).

        Raises StackError where one does not come back.
        """
        services = self.project.services
        async with self._changing, self._containers.changing(services):
            await self.project.recreate(services, self.variant.changes)
            await self._copy_files_in(services)
            await self._start_services()
            await self._containers.wait(self._readiness.conditions(), self.plan.seconds)
        await self._containers.snapshot_baseline()

    def bequest(self) -> Inherited:
        """What the next release takes over from this stack."""
        volumes = self.project.volumes
        layers = {
            name: self.project.overlay.layers.get(name) or self._folder(volume) for name, volume in volumes.items()
        }
        keeps = any(database.kept for database in self.project.databases)
        return Inherited(Sources(volumes, layers), self.project.secret_key, keeps_database=keeps)

    def _folder(self, volume: str) -> tuple[str, ...]:
        """The folder of a volume on the engine's machine. Blocking, for a moment."""
        try:
            return (str(self._engine.client.api.inspect_volume(volume)["Mountpoint"]),)
        except DockerException:
            return ()

    async def own_data_untouched(self) -> bool | None:
        """Whether the user's own data is as it was when this stack took it over; None for a stack without such data.

        Raises StackError where that cannot be told.
        """
        inherited = self.plan.inherited
        if inherited is None or inherited.own is None:
            return None
        seconds = self.plan.seconds * _COPY_FACTOR
        now = await asyncio.to_thread(copier.measured, self._helper, self._source(inherited), seconds)
        return dict(now.digests) == dict(self.taken_over.digests)

    async def data_digests(self) -> dict[str, str]:
        """The fingerprints of this stack's data; only at rest do they mean anything. Raises StackError."""
        found = await asyncio.to_thread(
            copier.measured, self._helper, Sources(self.project.volumes), self.plan.seconds * _COPY_FACTOR
        )
        return dict(found.digests)

    async def down(self) -> None:
        """Removes everything of this stack. Never raises but for cancellation; what stays is in the next sweep."""
        for complaint in (await self._containers.remove()).complaints:
            self._progress(complaint)

    async def apply(self, variant: Variant) -> None:
        """Makes the services anew that read what `variant` changes. Data and queue stay.

        Nothing may be asked while this runs that needs one of them. Raises StackError.
        """
        async with self._changing:
            if variant.name == self.variant.name:
                return
            services = tuple(dict.fromkeys((*self.variant.services, *variant.services)))
            self._progress(f"{self.release}: making {', '.join(services)} anew for {variant.name}")
            self._last = time.monotonic()
            async with self._containers.changing(services):
                await self._make_anew(services, variant)
            self.variant = variant
            self._record_timing(f"variant {variant.name}")

    async def _make_anew(self, services: tuple[str, ...], variant: Variant) -> None:
        await self.project.recreate(services, variant.changes)
        await self._copy_files_in(services)
        await self._containers.start(services)
        conditions = self._readiness.conditions()
        await self._containers.wait({name: conditions.get(name, []) for name in services}, self.plan.seconds)

    @property
    def secrets(self) -> frozenset[str]:
        """What was made up for this stack and must not be shown."""
        return frozenset({self.project.settings.values["SECRET_KEY"], self.project.database_password, self._token})

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
        if self.project.unchecked:
            self._progress(
                "this machine takes packets from any address (rp_filter is 0), so a hostile image could send it single "
                "ones; cure: sysctl net.ipv4.conf.default.rp_filter=1"
            )
        self._record_timing("created")

    async def _lay_over(self) -> None:
        """Has our volumes show the data of the stack before this one, where the engine can do that."""
        inherited = self.plan.inherited
        if inherited is None:
            return
        seconds = self.plan.seconds * _COPY_FACTOR
        if inherited.own is not None:
            self._progress(f"{self.release}: looking at your data")
            servers = (database.server.words for database in self.project.databases if database.whose == ADMIN)
            self.survey = await asyncio.to_thread(
                survey,
                self._helper,
                inherited.own,
                inherited.releases,
                seconds,
                self.project.services,
                server=next(servers, ""),
                carried=bool(self.project.own_database),
            )
        self._progress(f"{self.release}: taking over the data")
        source = self._source(inherited)
        self.project.overlay = await asyncio.to_thread(
            overlay.prepare, self._helper, self.project.name, source, self.plan.seconds
        )
        if self.project.overlay:
            self.taken_over = await asyncio.to_thread(copier.measured, self._helper, source, seconds)
        self._record_timing("data laid over")

    def _source(self, inherited: Inherited) -> Sources:
        """Where the data comes from that this stack takes over. Raises UsageError where the user's is not there."""
        if inherited.own is None:
            return inherited.data
        return inherited.own.sources(self.project.volume_names, self.project.own_database)

    async def _take_over(self) -> None:
        """Copies the data of the stack before this one into our volumes, where they do not show it already."""
        inherited = self.plan.inherited
        if inherited is None or self.project.overlay:
            return
        targets = self.project.volumes
        self.taken_over = await asyncio.to_thread(
            copier.copy, self._helper, self._source(inherited), targets, self.plan.seconds * _COPY_FACTOR
        )
        self._record_timing("data copied")

    @property
    def _helper(self) -> Helper:
        image = self.project.image_names()["admin"]
        return Helper(self._engine, image, f"{self.project.name}-data", self._run.labels(self.plan.side))

    async def _copy_files_in(self, services: Iterable[str]) -> None:
        """Copies in what a bind mount would bring elsewhere."""
        plan = self.plan
        flavour = self.project.settings.values.get("TLS_FLAVOR", "")
        given = (self.release, self.layout, plan.overrides, self._token)
        files = {
            name: {
                **plan.files.get(name, {}),
                **self.project.files.get(name, {}),
                **await asyncio.to_thread(files_for, name, *given, flavour=flavour, databases=self.databases),
                **(signature_files(self.project.image_names()[name]) if name == ANTIVIRUS else {}),
            }
            for name in services
        }
        await self._containers.copy_in(files)
        if "antispam" in files:
            tables = await asyncio.to_thread(rspamd_state.cached_tables, self._image("antispam"))
            if tables:
                await asyncio.to_thread(self._containers.put, "antispam", "/", tables)
        if not self._version:
            self._version = await asyncio.to_thread(read_file, self._containers["admin"], "/version")
        self._record_timing("files copied")

    async def _start(self) -> None:
        """Starts all services, in an order in which each finds what it looks for at once."""
        self._progress(f"{self.release}: starting")
        # Without a database to wait for, `admin` starts at once as well.
        await self._containers.start((*_STARTED_FIRST, *self.databases, *(() if self.databases else ("admin",))))
        await self.project.give_addresses()
        self.world = World(SocksConnector(await self._containers.proxy_port(), self._token))
        images = self.project.image_names()
        # What another image listens on is not known.
        optional = [name for name in STARTED & images.keys() if has_mailu_image(name, images[name])]
        self._readiness = ServiceReadiness(
            self.release, self.world, self._check_front, self._sockets, optional, self.project.databases
        )
        self.services = ServiceAccess(
            self._containers,
            self.project.services,
            self._readiness,
            self._changing,
            self.plan.seconds,
            make_anew=lambda service: self._make_anew((service,), self.variant),
        )
        await self._start_services()
        self._record_timing("started")

    async def _start_services(self) -> None:
        """Starts those of Mailu's services that do not run, in an order in which each finds the others."""
        await self._containers.start((*(name for name in _STARTED_FIRST if name != WORLD), *self.databases))
        if self.databases:
            await self._containers.wait(self._readiness.database_conditions(), self.plan.seconds)
            await self._enter_kept_database()
        await self._containers.start(["admin"])
        last = {"front"} if self.release.addresses_are_resolved_at_start else {"front", WEBMAIL}
        # As `depends_on` has it: Rspamd looks its scanners up when it starts.
        asked = [name for name in self.project.services if name in ASKED_BY_OTHERS]
        await self._containers.start(asked)
        others = [name for name in self.project.services if name not in {*_STARTED_FIRST, "admin", *last, *asked}]
        await self._containers.start(others)
        # nginx ends at once where a name it proxies to is unknown (2.0), and compose would just start it again.
        await self._containers.start(["front"])
        # And so does that of web mail, which asks for `front` (2.0: webmails/nginx-webmail.conf).
        await self._containers.start(last & {WEBMAIL} & set(self.project.services))

    async def _enter_kept_database(self) -> None:
        """Gives a copy of the user's own database the run's password, and looks at it once, before `admin` starts."""
        password, inherited = self.project.database_password, self.plan.inherited
        for database in self.project.databases:
            if database.kept is None:
                continue
            container = self._containers[database.service]
            if database.server is POSTGRESQL:
                ran = await asyncio.to_thread(execute, container, new_password(database, password))
                if ran.code:
                    raise StackError(
                        f"--mailu-data: the copy of your {database.server.words} lets nobody in",
                        "see its message below: DB_USER and DB_NAME have to be those of the folder, and the image that "
                        "of your server",
                        tuple(ran.errors.splitlines()[-5:]),
                    )
            if inherited is not None and inherited.own is not None and not self._looked_at_database:
                self._looked_at_database = True
                ran = await asyncio.to_thread(
                    execute,
                    container,
                    server_survey.command(database),
                    environment=server_survey.environment(password),
                )
                found = server_survey.answered(ran.output)
                self.survey = of_server(self.survey, inherited.own, inherited.releases, database.server.words, found)

    async def _make_ready(self) -> None:
        """Imports the accounts as soon as `admin` answers, and waits until all services are ready."""
        conditions = self._readiness.conditions()
        await self._containers.wait({"admin": conditions["admin"]}, self.plan.seconds)
        self._record_timing("admin answers")
        if self.databases:
            await self._check_schema()
        if self.plan.inherited is None or self.plan.inherited.add_accounts:
            kept = self.plan.inherited is not None
            admin = self._containers["admin"]
            if not await asyncio.to_thread(import_accounts, self.release, admin, self.plan.seed, keep=kept):
                self._progress(f"{self.release}: its database takes no emoji: names and automatic replies go without")
            if self.plan.export is not None:
                await asyncio.to_thread(import_export, self.release, admin, self.plan.export)
        await self._containers.wait({"admin": [self._readiness.has_handled_a_login()]}, self.plan.seconds)
        self._record_timing("accounts")
        await self._containers.wait(conditions, self.plan.seconds)
        await self._wait_for_anti_spoofing()
        self.services.mark_ready()
        self._record_timing("ready")
        await asyncio.to_thread(rspamd_state.cache_tables, self._image("antispam"), self._containers["antispam"])

    async def _check_schema(self) -> None:
        """Sees to it that `admin` has made its tables: it goes on without (core/admin/start.py). Raises StackError."""
        ran = await asyncio.to_thread(execute, self._containers["admin"], CURRENT_SCHEMA, user=self.release.admin_user)
        if is_newest_schema(ran.output):
            return
        said = [line for line in (ran.output + ran.errors).splitlines() if line.strip()][-_LOG_LINES:]
        lines = [*await asyncio.to_thread(log_lines, self._containers["admin"], tail=_LOG_LINES), *said]
        raise StackError(
            f"the service admin of Mailu {self.release} has not brought its tables up to date",
            "see its last lines below; MariaDB 11 before 11.4.5 needs ?collation=utf8mb4_unicode_ci in its URL",
            tuple(lines),
            service="admin",
            own_doing=True,
        )

    async def _wait_for_anti_spoofing(self) -> None:
        """Waits until Rspamd's milter knows the domains. A Rspamd that does not take our store of them reads its own
        anew on SIGHUP: half a second instead of 40. Where the user's RELAYNETS has the stranger, nothing is refused."""
        stranger = self.layout.stranger.client
        if not self.release.stops_spoofing_in_rspamd or self.project.settings.relays_for(stranger):
            return
        refused = self._readiness.refuses_spoofed_mail(str(stranger))
        if await refused():
            await asyncio.to_thread(self._containers["antispam"].kill, "HUP")
            self._record_timing("Rspamd reloaded")
            await self._containers.wait({"antispam": [refused]}, self.plan.seconds)

    async def _check_front(self) -> CommandResult | None:
        check = self._image("front").healthcheck
        return await asyncio.to_thread(execute, self._containers["front"], check) if check else None

    async def _sockets(self, service: str) -> CommandResult:
        tables = ("/proc/net/tcp", "/proc/net/tcp6")
        return await asyncio.to_thread(execute, self._containers[service], ("cat", *tables))

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
