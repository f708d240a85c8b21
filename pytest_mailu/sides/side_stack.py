"""The stack of a side as probes use it: not started yet, running, or failed."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_mailu.core.errors import StackError
from pytest_mailu.core.model import Vantage
from pytest_mailu.core.releases import CORE_SERVICES, Release
from pytest_mailu.stack.service_access import ServiceAccess
from pytest_mailu.stack.stack import Stack
from pytest_mailu.stack.world.control import World
from pytest_mailu.wire.transport.connector import Connector
from pytest_mailu.wire.transport.errors import CannotAsk


class SideStack:
    """What `probe.running_stack.RunningStack` promises. The side sets `stack` and `failure`."""

    def __init__(self, release: Release) -> None:
        self.stack: Stack | None = None
        self.failure: StackError | None = None
        """Why the stack did not start or could not change; then nothing more can be asked."""
        self._release = release

    @property
    def release(self) -> Release:
        """What is under test."""
        return self._release

    @property
    def _running(self) -> Stack:
        if self.failure is not None:
            raise CannotAsk(self.failure.cause)
        if self.stack is None:
            raise CannotAsk("the stack is not running")
        return self.stack

    @property
    def connector(self) -> Connector:
        """How clients connect to the stack."""
        return self._running.world.proxy

    @property
    def world(self) -> World:
        """The control of the world around the stack."""
        return self._running.world

    @property
    def services(self) -> ServiceAccess:
        """The services from inside."""
        return self._running.services

    @property
    def addresses(self) -> Mapping[str, str]:
        """Addresses and their names, which are the same on both sides; empty where the stack did not start."""
        if self.stack is None:
            return {}
        layout = self.stack.layout
        return {
            **{str(layout.segment(vantage).client): str(vantage) for vantage in Vantage},
            **{str(layout.segment(vantage).front): "front" for vantage in Vantage},
            **{str(layout.service(name)): name for name in CORE_SERVICES if name != "front"},
        }

    async def exit_of(self, service: str) -> StackError | None:
        """How a service ended by its own doing, with its last log lines as details; None while it runs."""
        failure = self.failure
        if failure is not None and failure.own_doing and failure.service == service:
            return failure
        return await self._running.services.exit_of(service)

    async def disturbance(self) -> str:
        """What happened to the stack that no behaviour causes: containers changed from outside, or a service ended."""
        if self.stack is None:
            return ""
        if interference := await self.stack.external_interference():
            return f"the stack was disturbed: {interference}"
        try:
            await self.stack.check_alive()
        except StackError as error:
            return error.cause
        return ""

    @property
    def events_lost(self) -> bool:
        """Whether the engine stopped reporting events, so that a disturbance would go unnoticed."""
        return self.stack is not None and self.stack.events_lost
