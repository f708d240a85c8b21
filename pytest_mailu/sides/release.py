"""A side that is a running stack: asks it through its world, and tells trouble from behaviour."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from pytest_mailu.behaviours.declaration import Behaviour
from pytest_mailu.core.errors import StackError
from pytest_mailu.core.model import Observation, SideInfo, Stage, Vantage, met
from pytest_mailu.core.plan import Plan
from pytest_mailu.core.releases import Release
from pytest_mailu.probe.probe import Probe
from pytest_mailu.stack.compose.user_file import read_user_compose
from pytest_mailu.stack.docker.images import Pull
from pytest_mailu.stack.engine_session import EngineSession
from pytest_mailu.stack.evidence.logs import SLACK, lines_of
from pytest_mailu.stack.plan import StackPlan
from pytest_mailu.stack.service_access import ServiceAccess
from pytest_mailu.stack.settings.environment import read_env
from pytest_mailu.stack.settings.variants import VARIANTS
from pytest_mailu.stack.stack import Stack
from pytest_mailu.stack.world.control import World
from pytest_mailu.wire.transport.connector import Connector, SocksConnector
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed

_VARIANTS = {variant.name: variant for variant in VARIANTS}


class ReleaseSide:
    """One release under test. It is also the stack that its probes ask (`probe.running_stack`).

    Raises UsageError for settings that cannot be read.
    """

    def __init__(
        self, label: str, release: Release, plan: Plan, session: EngineSession, notify: Callable[[str], None]
    ) -> None:
        self.release = release
        self._label = label
        self._plan = plan
        self._session = session
        self._notify = notify
        self._stack: Stack | None = None
        self._failure: StackError | None = None
        self._info = SideInfo(str(release))
        files = [path for path in (plan.env, plan.env_new if label == "new" else None) if path is not None]
        self._user: dict[str, str] = {}
        for path in files:
            self._user |= read_env(path)

    # The side

    @property
    def info(self) -> SideInfo:
        """What is known of it so far; images and version once it is up."""
        return self._info

    @property
    def behaviours(self) -> None:
        """It can be asked anything."""

    async def open(self) -> None:
        """Start the stack. A StackError with `own_doing` is an observation as well: the side goes on answering."""
        await self._session.prepare()
        session = self._session
        plan = await self._stack_plan()
        stack = Stack(plan, session.labels, session.engine, session.compose, session.subnets, self._notify)
        started = time.monotonic()
        try:
            await stack.up()
        except StackError as error:
            self._failure = error
            raise
        self._stack = stack
        self._info = stack.info()
        self._notify(f"ready after {time.monotonic() - started:.1f} s")

    async def _stack_plan(self) -> StackPlan:
        """What the stack is to be, by the user's settings and compose file. Raises UsageError for a broken file."""
        plan = StackPlan(
            self._label,
            self.release,
            user=self._user,
            overrides=self._plan.overrides,
            pull=Pull(self._plan.pull),
            seconds=self._plan.timeout,
        )
        if self._plan.compose is None:
            return plan
        brought = await read_user_compose(self._plan.compose, self.release, self._session.compose)
        # The settings named on the command line are meant for this run, so they win over the compose file's own.
        user = {**brought.environment, **self._user}
        return replace(plan, core=brought.core, configured=brought.configured, user=user, files=brought.files)

    async def close(self) -> None:
        """Remove the stack, unless it is to be kept."""
        stack, self._stack = self._stack, None
        if stack is None:
            return
        if self._plan.keep:
            self._notify(
                f"kept. A way in: curl --socks5-hostname stranger:-@127.0.0.1:{stack.world.proxy_port} smtp://front:25"
            )
            self._notify(f"kept. Remove it with: docker compose -p {stack.project.name} down -v -t 0")
        else:
            await stack.down()

    async def prepare(self, variant: str) -> None:
        """Make the services anew that the variant is about. Where that fails, all further answers say so."""
        if self._stack is None or self._failure is not None:
            return
        try:
            await self._stack.apply(_VARIANTS[variant])
        except StackError as error:
            self._failure = error

    def recorded_attempts(self, id: str) -> int:
        """None: it can be asked any time."""
        return 0

    async def evidence(self, observations: Sequence[Observation]) -> list[Observation]:
        """The same with the log lines of their moments, where the stack still runs."""
        if self._stack is None or not observations:
            return list(observations)
        logs = await self._stack.services.all_logs_since(min(seen.started for seen in observations) - SLACK)
        return [
            seen if seen.logs else replace(seen, logs=lines_of(seen, logs, self.addresses)) for seen in observations
        ]

    async def observe(self, behaviour: Behaviour, attempt: int) -> Observation:
        """Ask once. An exception is data: what the server did is an outcome, all else is trouble."""
        probe = Probe(self, time.time())
        clock = time.monotonic()
        started = time.time()
        try:
            async with asyncio.timeout(behaviour.timeout):
                seen = await behaviour.ask(probe)
        except NotServed as end:
            seen = probe.not_served(end)
        except CannotAsk as trouble:
            seen = _trouble(trouble.reason)
        except StackError as error:
            seen = _trouble(error.cause)
        except TimeoutError:
            seen = _trouble(f"not done within {behaviour.timeout:g} s")
        except Exception as error:  # a mistake in one behaviour must not end the run
            seen = _trouble(f"the behaviour itself failed: {error!r}", *traceback.format_exc().splitlines())
        events_lost = self._stack is not None and self._stack.events_lost
        if events_lost or seen.outcome is None or not met(behaviour.question.wanted, seen.outcome):
            seen = await self._explained(seen)
        return replace(
            seen,
            transcript=seen.transcript or probe.transcript.lines,
            started=started,
            seconds=round(time.monotonic() - clock, 3),
        )

    async def _explained(self, seen: Observation) -> Observation:
        """The observation, or trouble where something happened to the stack that no behaviour is to blame for."""
        if self._stack is None or seen.stage is Stage.SETTINGS:
            return seen
        if interference := await self._stack.external_interference():
            return replace(seen, outcome=None, trouble=f"the stack was disturbed: {interference}")
        try:
            await self._stack.check_alive()
        except StackError as error:
            return replace(seen, outcome=None, trouble=error.cause)
        return seen

    # The stack that probes ask

    @property
    def _running(self) -> Stack:
        if self._failure is not None:
            raise CannotAsk(self._failure.cause)
        if self._stack is None:
            raise CannotAsk("the stack is not running")
        return self._stack

    @property
    def connector(self) -> Connector:
        """The way in."""
        return SocksConnector(self._running.world.proxy_port)

    @property
    def world(self) -> World:
        """The world's control."""
        return self._running.world

    @property
    def addresses(self) -> Mapping[str, str]:
        """Addresses by what both sides call them; none where the stack never came up."""
        if self._stack is None:
            return {}
        layout = self._stack.layout
        return {
            **{str(layout.segment(vantage).client): str(vantage) for vantage in Vantage},
            **{str(layout.segment(vantage).front): "front" for vantage in Vantage},
            **{str(layout.service(name)): name for name in ("admin", "imap", "smtp", "antispam", "redis")},
        }

    @property
    def services(self) -> ServiceAccess:
        """The services from inside."""
        return self._running.services

    async def exit_of(self, service: str) -> StackError | None:
        """How a service ended by its own doing, with its last log lines as details; None while it runs."""
        failure = self._failure
        if failure is not None and failure.own_doing and failure.service == service:
            return failure
        return await self._running.services.exit_of(service)


def _trouble(reason: str, *transcript: str) -> Observation:
    return Observation(None, Stage.CONNECT, trouble=reason, transcript=transcript)
