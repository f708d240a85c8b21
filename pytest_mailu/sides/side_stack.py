"""The stack of a side as probes use it: not started yet, running, or failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, MutableMapping

from pytest_mailu.core.errors import StackError
from pytest_mailu.core.releases import CORE_SERVICES, Release
from pytest_mailu.core.setups import DEFAULT, SetUp
from pytest_mailu.probe.running_stack import FRONT
from pytest_mailu.probe.shared import SharedAnswers
from pytest_mailu.stack.service_access import ServiceAccess
from pytest_mailu.stack.stack import Stack
from pytest_mailu.stack.world.control import World
from pytest_mailu.wire.transport.connector import Connector
from pytest_mailu.wire.transport.errors import CannotAsk
from pytest_mailu.wire.transport.proxy_protocol import ThroughProxy


class SideStack:
    """What `probe.running_stack.RunningStack` promises. The side sets `stack` and `failure`."""

    def __init__(
        self,
        release: Release,
        *,
        setup: SetUp = DEFAULT,
        upgraded: bool = False,
        memory: MutableMapping[str, str] | None = None,
    ) -> None:
        self.setup = setup
        self.upgraded = upgraded
        self.memory: MutableMapping[str, str] = {} if memory is None else memory
        self.stack: Stack | None = None
        self.failure: StackError | None = None
        """Why the stack did not start or could not change; then nothing more can be asked."""
        self.databases: tuple[str, ...] = ()
        """The services with databases, also of a stack that did not start."""
        self.shared = SharedAnswers()
        self.looks: dict[str, set[Hashable]] = {}
        """What each behaviour shared with others, in all its attempts: see `Side.shared_looks`."""
        self.effort: Counter[str] = Counter()
        """What it took to ask behaviours so far, without what they share."""
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
    def seed(self) -> int:
        """Where drawn values come from."""
        return self._running.plan.seed

    @property
    def connector(self) -> Connector:
        """How clients connect to the stack: through the proxies of the set-up, where the release knows such."""
        ports = self.setup.proxies.ports
        if not ports or not self._release.reads_proxy_protocol:
            return self.direct
        layout = self._running.layout
        addresses = {vantage: str(layout.segment(vantage).client) for vantage in layout.vantages}
        return ThroughProxy(self.direct, FRONT, str(layout.stranger.front), ports, addresses)

    @property
    def direct(self) -> Connector:
        """How clients connect that go round the proxies."""
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
            **{str(layout.segment(vantage).client): str(vantage) for vantage in layout.vantages},
            **{str(layout.segment(vantage).front): "front" for vantage in layout.vantages},
            **{str(layout.service(name)): name for name in CORE_SERVICES if name != "front"},
            **layout.drawn_hosts(),
        }

    async def exit_of(self, service: str) -> StackError | None:
        """How a service ended by its own doing, with its last log lines as details; None while it runs."""
        failure = self.failure
        if failure is not None and failure.own_doing and failure.service == service:
            return failure
        return await self._running.services.exit_of(service)

    async def disturbance(self) -> StackError | None:
        """What happened to the stack that no behaviour causes: containers changed from outside, the disk got full, or a
        service ended.

        The details of the error are the last log lines of a service that ended.
        """
        if self.stack is None:
            return None
        if interference := await self.stack.external_interference():
            return StackError(
                f"the stack was disturbed: {interference}", "leave its containers alone, and run it again"
            )
        if full := await self.stack.no_room():
            return full
        try:
            await self.stack.check_alive()
        except StackError as error:
            return error
        return None

    @property
    def events_lost(self) -> bool:
        """Whether the engine stopped reporting events, so that a disturbance would go unnoticed."""
        return self.stack is not None and self.stack.events_lost
