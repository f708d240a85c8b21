"""The compose project of one stack: its networks and containers are created, and services made anew, by compose."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from string import Template

from pytest_mailu.core.databases import KNOWN_IMAGES, Database, server_in
from pytest_mailu.core.errors import StackError
from pytest_mailu.stack.compose.acme import with_authorities
from pytest_mailu.stack.compose.command import (
    Compose,
    Model,
    explain,
    image_variables,
    parse_version,
    sealed,
    subnet_was_taken,
    template,
    variables,
)
from pytest_mailu.stack.compose.databases import first_statements, with_databases, without_database
from pytest_mailu.stack.compose.optional import configured_among, with_services
from pytest_mailu.stack.containers import StackContainers
from pytest_mailu.stack.data.overlay import Overlay
from pytest_mailu.stack.docker.bridges import check_sources, take_ipv6_away
from pytest_mailu.stack.docker.engine import Engine
from pytest_mailu.stack.docker.isolation import INGRESS, SURROUNDINGS, WORLD, isolates, seal_options
from pytest_mailu.stack.docker.labels import RunIdentity
from pytest_mailu.stack.docker.networks import Layout
from pytest_mailu.stack.docker.subnets import SubnetAllocator
from pytest_mailu.stack.docker.sweep import remove
from pytest_mailu.stack.docker.world import add_addresses, make_folder
from pytest_mailu.stack.plan import StackPlan
from pytest_mailu.stack.settings.databases import databases_of, password_of, service_of_theirs
from pytest_mailu.stack.settings.environment import Settings, settings_for
from pytest_mailu.stack.world.plan import INGRESS_SOCKET, INGRESS_USER

_SUBNET_ATTEMPTS = 4
"""How often other subnets are chosen when somebody took ours between the choice and the making."""


class ComposeProject:
    """`layout` and `settings` are there after `create`. `containers` is what compose has made."""

    layout: Layout
    settings: Settings
    unchecked: Sequence[str] = ()
    """Bridges on which this machine does not check source addresses."""

    def __init__(
        self, plan: StackPlan, run: RunIdentity, engine: Engine, compose: Compose, subnets: SubnetAllocator
    ) -> None:
        self.name = run.project(plan.side)
        self.containers = StackContainers(engine, run, plan.side, plan.release)
        self.overlay = Overlay()
        """The volumes that show the data of another stack; set before `create`."""
        self._plan = plan
        self._run = run
        self._engine = engine
        self._compose = compose
        self._subnets = subnets
        core: Model = with_services(plan.core or template("mailu"), plan.release, plan.added, plan.removed)
        self.secret_key = secrets.token_hex(8) if plan.inherited is None else plan.inherited.secret_key
        if plan.brings_database and (theirs := service_of_theirs(plan.user, core["services"], plan.aliases)):
            core = without_database(core, theirs)
        self.own_database = self._own_database(core)
        """The folder of the user's own database by the name of its volume; empty where none is taken over."""
        kept = bool(self.own_database) or (plan.inherited is not None and plan.inherited.keeps_database)
        self.databases: tuple[Database, ...] = databases_of(
            plan.user, core["services"], plan.aliases, brought=plan.brings_database, kept=kept
        )
        """Those that `admin` and web mail use; none with SQLite."""
        core = with_databases(core, self.databases, self.database_password)
        self._core: Model = with_authorities(core) if plan.brings_authorities else core

    def _own_database(self, core: Model) -> dict[str, str]:
        """Where the user's own database is in the user's own data: of an image that is known, in a folder beside."""
        plan = self._plan
        own = plan.inherited.own if plan.inherited is not None else None
        service = service_of_theirs(plan.user, core["services"], plan.aliases)
        server = server_in(plan.user)
        if own is None or plan.brings_database or not service or server is None:
            return {}
        image = str(core["services"][service].get("image", ""))
        if image.partition("@")[0].rpartition("/")[2].partition(":")[0] not in KNOWN_IMAGES:
            return {}
        named = _mounted(core)
        data = plan.sources.get(named.get(("admin", "/data"), ""), "")
        wanted = PurePosixPath(server.data)
        for (mounted_by, target), volume in named.items():
            place = PurePosixPath(target)
            if mounted_by == service and (place == wanted or place in wanted.parents) and data:
                folder = own.below(plan.sources.get(volume, ""), data)
                return {volume: folder} if folder else {}
        return {}

    @property
    def database_password(self) -> str:
        """That of the databases, made up for this run."""
        return password_of(self.secret_key)

    @property
    def files(self) -> dict[str, dict[str, bytes]]:
        """What is copied into services beside what the plan and the release say."""
        return first_statements(self.databases, self.database_password)

    @property
    def services(self) -> tuple[str, ...]:
        """Mailu's services and the user's own, without the world and its ingress."""
        return tuple(name for name in self._core["services"])

    def image_names(self) -> dict[str, str]:
        """Service → the name of its image."""
        given = image_variables(self._plan.release, self._web_mail)
        names = {
            name: Template(str(service.get("image", ""))).safe_substitute(given)
            for name, service in self._core["services"].items()
        }
        return names | dict.fromkeys(SURROUNDINGS, names["admin"])

    @property
    def _web_mail(self) -> str:
        return self._plan.user.get("WEBMAIL", "")

    @property
    def volumes(self) -> dict[str, str]:
        """The volumes with data of Mailu: name in the compose file → name on the engine."""
        return {name: f"{self.name}_{name}" for name in self._core.get("volumes") or {}}

    @property
    def volume_names(self) -> dict[tuple[str, str], str]:
        """Service and place in its container → the name in the compose file of the volume that is mounted there."""
        return _mounted(self._core)

    async def create(self) -> None:
        """Chooses subnets, creates networks and containers, and checks that they are sealed. Raises StackError."""
        plan = self._plan
        for attempt in range(1, _SUBNET_ATTEMPTS + 1):
            self.layout = await self._subnets.allocate(six=self._six)
            self.settings = settings_for(
                plan.release,
                self.layout,
                self.secret_key,
                plan.user,
                services=self.services,
                databases=self.databases,
                database_password=self.database_password,
            )
            balanced = plan.release.reads_proxy_protocol and self.settings.is_balanced
            self.layout = replace(self.layout, balanced=balanced)
            try:
                await self._create()
            except StackError as error:
                if not subnet_was_taken(error) or attempt == _SUBNET_ATTEMPTS:
                    raise
                await self._engine.call(remove, self._engine, self._run.id, plan.side)
            else:
                return

    async def _create(self) -> None:
        arguments = ("create", "--no-build", "--pull", "never")
        result = await self._compose(
            self.name,
            self._model(self.settings),
            *arguments,
            variables=self._variables(),
            seconds=self._plan.seconds,
        )
        await self.containers.discover(self._dns, self._overlays, six=self._six)
        if set(self.containers.containers) != {*SURROUNDINGS, *self.services}:
            raise explain("create", result)
        if self._six:
            await self._close_bridges()
        self.unchecked = await self._engine.call(check_sources, self.containers.internal_networks)
        folder = INGRESS_SOCKET.rpartition("/")[0]
        await self._engine.call(make_folder, self.containers[INGRESS], folder, INGRESS_USER)

    async def recreate(self, services: tuple[str, ...], changes: Mapping[str, str | None]) -> None:
        """Makes the containers of `services` anew, with `changes` to the settings. They are not started.

        Raises StackError.
        """
        self.containers.watch.expect_restart(services)
        before = {name: self.containers.containers[name].id for name in services}
        result = await self._compose(
            self.name,
            self._model(self.settings.with_changes(changes)),
            *("up", "--no-start", "--no-deps", "--force-recreate", "--no-build", "--pull", "never", "-t", "0"),
            *services,
            variables=self._variables(),
            seconds=self._plan.seconds,
        )
        await self.containers.discover(self._dns, self._overlays, six=self._six)
        if any(self.containers.containers[name].id == before[name] for name in services):
            raise explain("up", result)

    async def give_addresses(self) -> None:
        """Gives the running world the addresses that clients come from. Raises StackError."""
        labels = self._run.labels(self._plan.side)
        await self._engine.call(add_addresses, self._engine, self.containers[WORLD], self.name, labels)

    @property
    def _overlays(self) -> dict[str, Mapping[str, str]]:
        return {self.volumes[name]: options for name, options in self.overlay.options.items()}

    @property
    def _six(self) -> bool:
        """Whether the networks have IPv6 beside IPv4."""
        return bool(self._plan.user.get("SUBNET6"))

    async def _close_bridges(self) -> None:
        """Sees to it that this machine has no address of IPv6 in a network of the stack. Raises StackError."""
        left = await self._engine.call(take_ipv6_away, self.containers.internal_networks)
        version = parse_version(self._engine.version)
        if left and not isolates(version):
            raise StackError(
                f"networks with IPv6 cannot be sealed in: this machine may have an address on {', '.join(left)}",
                "run as root on the engine's machine, use Docker 28, or go without IPv6 (--mailu-setup default)",
            )

    @property
    def _dns(self) -> str:
        return str(self.layout.service(WORLD))

    def _variables(self) -> dict[str, str]:
        return variables(self._plan.release, self.layout, self.image_names()[WORLD], self._web_mail)

    def _model(self, settings: Settings) -> Model:
        labels = self._run.labels(self._plan.side)
        options = seal_options(parse_version(self._engine.version), six=self._six)
        configured = (*self._plan.configured, *configured_among(self._plan.added, self._plan.release))
        model = sealed(self._core, settings.values, labels, configured, options, shared=settings.shared, six=self._six)
        for name, driver_opts in self.overlay.options.items():
            model["volumes"][name] |= {"driver": "local", "driver_opts": dict(driver_opts)}
        return model


def _mounted(core: Model) -> dict[tuple[str, str], str]:
    named = set(core.get("volumes") or {})
    return {
        (service, target): source
        for service, settings in core["services"].items()
        for source, target in (str(mount).split(":")[:2] for mount in settings.get("volumes") or ())
        if source in named
    }
