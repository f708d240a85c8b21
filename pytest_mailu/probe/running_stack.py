"""What a probe needs of the stack that it asks: a small interface that a side implements."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from testinfra.host import Host

from pytest_mailu.core.commands import CommandResult
from pytest_mailu.core.errors import StackError
from pytest_mailu.core.releases import Release
from pytest_mailu.stack.world.control import World
from pytest_mailu.wire.transport.connector import Connector

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

        Only for behaviours that are asked `alone`.
        """

    def stopped(self, service: str) -> AbstractAsyncContextManager[None]:
        """Stop a service while the block runs, so that its name leaves the engine's DNS; then start it again.

        Only for behaviours that are asked `alone`.
        """


class RunningStack(Protocol):
    """One side's stack.

    Where it is not running, everything but `release`, `addresses` and `exit_of` raises CannotAsk.
    """

    @property
    def release(self) -> Release:
        """What is under test."""

    @property
    def connector(self) -> Connector:
        """How clients connect to it."""

    @property
    def world(self) -> World:
        """The control of the world around it: scripted replies, arrivals, DNS."""

    @property
    def services(self) -> Services:
        """Its services from inside."""

    @property
    def addresses(self) -> Mapping[str, str]:
        """Addresses of this stack and their names in observations: `198.18.4.10` is `stranger`."""

    async def exit_of(self, service: str) -> StackError | None:
        """How a service ended by its own doing, with its last log lines as details; None while it runs."""
