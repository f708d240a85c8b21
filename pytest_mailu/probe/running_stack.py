"""What a probe needs of the stack that it asks: a small interface that a side implements."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Protocol

from pytest_mailu.core.commands import CommandResult, Usage
from pytest_mailu.core.errors import StackError
from pytest_mailu.core.releases import Release
from pytest_mailu.core.setups import SetUp
from pytest_mailu.probe.shared import SharedAnswers
from pytest_mailu.stack.world.control import World
from pytest_mailu.wire.transport.connector import Connector

if TYPE_CHECKING:
    from testinfra.host import Host

FRONT = "front"
"""The service that clients connect to."""


class Services(Protocol):
    """The services of a stack from inside. `pytest_mailu.stack.service_access` has it for a running stack."""

    async def exec(self, service: str, *command: str) -> CommandResult:
        """Run a command in a service's container."""

    def environment(self, service: str) -> Mapping[str, str]:
        """A service's environment, as commands in its container find it: the settings, and what its image sets."""

    def testinfra(self, service: str) -> Host:
        """A service's container for testinfra, whose calls block; see `Evidence.testinfra`."""

    async def log_since(self, service: str, moment: float) -> list[str]:
        """The lines a service has logged since a moment (seconds since the epoch)."""

    async def startup_log(self, service: str) -> list[str]:
        """The lines a service had logged when the stack was ready, before the first question."""

    def paused(self, service: str) -> AbstractAsyncContextManager[None]:
        """Pause a service while the block runs: its name and address stay, and it answers nothing.

        Only for behaviours that declare to disturb the service, or are asked `alone`.
        """

    def stopped(self, service: str, *, restarting: str = "") -> AbstractAsyncContextManager[None]:
        """Stop a service while the block runs, so that its name leaves the engine's DNS; then start it again.

        The service `restarting` is started anew meanwhile, and finds the other one down.
        Only for behaviours that declare to disturb the service, or are asked `alone`.
        """

    async def health_check(self, service: str) -> CommandResult | None:
        """Run the health check of a service's image; None where it has none."""

    async def usage(self, service: str) -> Usage:
        """What a service has used so far: processor time and memory."""

    async def start_again(self, service: str, *, kill: bool, seconds: float) -> StackError | None:
        """Stop a service, or kill it, and start it again: None, or how it failed to come back within `seconds`.

        It is there again in any case. Only for behaviours that are asked `alone`.
        """

    def started_over(self, service: str) -> AbstractAsyncContextManager[None]:
        """Stop a service, start it again, and run the block at once; then it is made anew.

        Only for behaviours that are asked `alone`.
        """


class RunningStack(Protocol):
    """One side's stack.

    Where it is not running, everything but `release`, `setup`, `shared`, `databases`, `addresses` and `exit_of` raises
    CannotAsk.
    """

    @property
    def release(self) -> Release:
        """What is under test."""

    @property
    def setup(self) -> SetUp:
        """The set-up of the run: where people connect."""

    @property
    def seed(self) -> int:
        """Where drawn values come from (`core.drawn`); the same on both sides."""

    @property
    def upgraded(self) -> bool:
        """Whether it runs on the data of an older release."""

    @property
    def memory(self) -> MutableMapping[str, str]:
        """What is kept from before an upgrade in place for the look afterwards."""

    @property
    def connector(self) -> Connector:
        """How clients connect to it, through the reverse proxies of the set-up."""

    @property
    def direct(self) -> Connector:
        """How clients connect that go round the proxies."""

    @property
    def world(self) -> World:
        """The control of the world around it: scripted replies, arrivals, DNS."""

    @property
    def services(self) -> Services:
        """Its services from inside."""

    @property
    def shared(self) -> SharedAnswers:
        """What several behaviours look at."""

    @property
    def databases(self) -> tuple[str, ...]:
        """The services with the databases of `admin` and web mail; none with SQLite."""

    @property
    def addresses(self) -> Mapping[str, str]:
        """Addresses of this stack and their names in observations: `198.18.4.10` is `stranger`."""

    async def exit_of(self, service: str) -> StackError | None:
        """How a service ended by its own doing, with its last log lines as details; None while it runs."""
