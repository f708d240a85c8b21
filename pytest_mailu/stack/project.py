"""The compose project of one stack: its networks and containers are created, and services made anew, by compose."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from pytest_mailu.core.errors import StackError
from pytest_mailu.core.releases import CORE_SERVICES
from pytest_mailu.stack.compose.command import (
    Compose,
    Model,
    explain,
    parse_version,
    sealed,
    subnet_was_taken,
    template,
    variables,
)
from pytest_mailu.stack.containers import StackContainers
from pytest_mailu.stack.docker.engine import Engine
from pytest_mailu.stack.docker.isolation import WORLD, seal_options
from pytest_mailu.stack.docker.labels import RunIdentity
from pytest_mailu.stack.docker.networks import Layout
from pytest_mailu.stack.docker.outside import add_addresses, create_outside, join_outside
from pytest_mailu.stack.docker.subnets import SubnetAllocator
from pytest_mailu.stack.docker.sweep import remove
from pytest_mailu.stack.plan import StackPlan
from pytest_mailu.stack.settings.environment import Settings, settings_for

_SUBNET_ATTEMPTS = 4
"""How often other subnets are chosen when somebody took ours between the choice and the making."""


class ComposeProject:
    """`layout` and `settings` are there after `create`. `containers` is what compose has made."""

    layout: Layout
    settings: Settings

    def __init__(
        self, plan: StackPlan, run: RunIdentity, engine: Engine, compose: Compose, subnets: SubnetAllocator
    ) -> None:
        self.name = run.project(plan.side)
        self.containers = StackContainers(engine, run, plan.side, plan.release)
        self._plan = plan
        self._run = run
        self._engine = engine
        self._compose = compose
        self._subnets = subnets
        self._core: Model = plan.core or template("mailu")
        self._secret_key = secrets.token_hex(8)

    @property
    def services(self) -> tuple[str, ...]:
        """Mailu's services and the user's own, without the world."""
        return tuple(name for name in self._core["services"] if name != WORLD)

    def image_names(self) -> dict[str, str]:
        """Service → the name of its image."""
        names = {name: str(service.get("image", "")) for name, service in self._core["services"].items()}
        if self._plan.core is None:
            names |= {name: self._plan.release.image(name) for name in CORE_SERVICES}
        return names | {WORLD: names["admin"]}

    async def create(self) -> None:
        """Chooses subnets, creates networks and containers, and checks that they are sealed. Raises StackError."""
        plan = self._plan
        for attempt in range(1, _SUBNET_ATTEMPTS + 1):
            self.layout = await self._subnets.allocate()
            self.settings = settings_for(plan.release, self.layout, self._secret_key, plan.user, services=self.services)
            try:
                await self._create()
            except StackError as error:
                if not subnet_was_taken(error) or attempt == _SUBNET_ATTEMPTS:
                    raise
                await self._engine.call(remove, self._engine, self._run.id, plan.side)
            else:
                return

    async def _create(self) -> None:
        labels = self._run.labels(self._plan.side)
        await self._engine.call(create_outside, self._engine, self.name, self.layout, labels)
        arguments = ("create", "--no-build", "--pull", "never")
        result = await self._compose(
            self.name,
            self._model(self.settings),
            *arguments,
            variables=self._variables(),
            seconds=self._plan.seconds,
        )
        await self.containers.discover(self._dns)
        if set(self.containers.containers) != {WORLD, *self.services}:
            raise explain("create", result)

    async def recreate(self, services: tuple[str, ...], changes: Mapping[str, str]) -> None:
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
        await self.containers.discover(self._dns)
        if any(self.containers.containers[name].id == before[name] for name in services):
            raise explain("up", result)

    async def open_world(self) -> None:
        """Gives the running world its clients' addresses and its published port. Raises StackError."""
        world = self.containers[WORLD]
        labels = self._run.labels(self._plan.side)
        await self._engine.call(add_addresses, self._engine, world, self.name, labels)
        await self._engine.call(join_outside, self._engine, world, self.name)

    @property
    def _dns(self) -> str:
        return str(self.layout.service(WORLD))

    def _variables(self) -> dict[str, str]:
        return variables(self._plan.release, self.layout, self.image_names()[WORLD])

    def _model(self, settings: Settings) -> Model:
        labels = self._run.labels(self._plan.side)
        options = seal_options(parse_version(self._engine.version))
        return sealed(self._core, settings.values, labels, self._plan.configured, options)
