"""A side that is a release: starts its stack, asks it, and removes it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from pytest_mailu.behaviours.declaration import Behaviour
from pytest_mailu.core.errors import StackError
from pytest_mailu.core.model import Observation, SideInfo
from pytest_mailu.core.plan import Plan
from pytest_mailu.core.releases import Release
from pytest_mailu.core.secrets import Redactor, secrets_in, secrets_in_text
from pytest_mailu.sides.observe import observe
from pytest_mailu.sides.side_stack import SideStack
from pytest_mailu.stack.compose.user_file import read_user_compose
from pytest_mailu.stack.compose.user_folder import read_tree
from pytest_mailu.stack.docker.images import Pull
from pytest_mailu.stack.engine_session import EngineSession
from pytest_mailu.stack.evidence.logs import SLACK, lines_of
from pytest_mailu.stack.plan import StackPlan
from pytest_mailu.stack.settings.environment import read_env
from pytest_mailu.stack.settings.variants import VARIANTS
from pytest_mailu.stack.stack import Stack

_VARIANTS = {variant.name: variant for variant in VARIANTS}


class ReleaseSide:
    """One release under test. Raises UsageError for settings that cannot be read."""

    def __init__(
        self, label: str, release: Release, plan: Plan, session: EngineSession, notify: Callable[[str], None]
    ) -> None:
        self._label = label
        self._release = release
        self._plan = plan
        self._session = session
        self._notify = notify
        self._side_stack = SideStack(release)
        self._info = SideInfo(str(release))
        self._redactor = Redactor()
        self._user_settings: dict[str, str] = {}
        for path in (plan.env, plan.env_new if label == "new" else None):
            if path is not None:
                self._user_settings |= read_env(path)
        self._redactor |= secrets_in(self._user_settings, (str(release),))

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
        stack = Stack(plan, session.labels, session.engine, session.compose, session.subnets, self._tell)
        started = time.monotonic()
        try:
            await stack.up()
        except StackError as error:
            self._side_stack.failure = self._redacted(error)
            raise self._side_stack.failure from None
        self._side_stack.stack = stack
        self._redactor |= stack.secrets
        self._info = self._redactor.value(stack.info())
        self._notify(f"ready after {time.monotonic() - started:.1f} s")

    async def _stack_plan(self) -> StackPlan:
        """The stack by the user's settings and compose file. Raises UsageError for a broken file."""
        plan = StackPlan(
            self._label,
            self._release,
            user=self._user_settings,
            overrides=self._plan.overrides,
            pull=Pull(self._plan.pull),
            seconds=self._plan.timeout,
        )
        if plan.overrides is not None:
            files = await asyncio.to_thread(read_tree, plan.overrides, "given to --mailu-overrides")
            texts = (content.decode(errors="replace") for content in files.values())
            self._redactor |= frozenset().union(*map(secrets_in_text, texts))
        if self._plan.compose is None:
            return plan
        theirs = await read_user_compose(self._plan.compose, self._release, self._session.compose)
        self._redactor |= theirs.secrets
        # The settings named on the command line are meant for this run, so they win over the compose file's own.
        user = {**theirs.environment, **self._user_settings}
        return replace(plan, core=theirs.core, configured=theirs.configured, user=user, files=theirs.files)

    async def close(self) -> None:
        """Remove the stack, unless it is to be kept."""
        stack, self._side_stack.stack = self._side_stack.stack, None
        if stack is None:
            return
        if self._plan.keep:
            proxy = f"stranger:{stack.world.proxy.token}@127.0.0.1:{stack.world.proxy.port}"
            self._notify(f"kept. Connect to it with: curl --socks5-hostname {proxy} smtp://front:25")
            self._notify(f"kept. Remove it with: pytest --mailu-sweep {self._session.labels.id}")
        else:
            await stack.down()

    async def prepare(self, variant: str) -> None:
        """Recreate the services that the variant is about. Where that fails, all further answers say so."""
        stack = self._side_stack.stack
        if stack is None or self._side_stack.failure is not None:
            return
        try:
            await stack.apply(_VARIANTS[variant])
        except StackError as error:
            self._side_stack.failure = self._redacted(error)

    def _tell(self, line: str) -> None:
        self._notify(self._redactor.text(line))

    def _redacted(self, error: StackError) -> StackError:
        """The error without secrets: logs and the engine's messages quote settings."""
        text = self._redactor.text
        details = tuple(text(line) for line in error.details)
        return StackError(
            text(error.cause), text(error.remedy), details, service=error.service, own_doing=error.own_doing
        )

    def recorded_attempts(self, id: str) -> int:
        """None: it can be asked any time."""
        return 0

    async def evidence(self, observations: Sequence[Observation]) -> list[Observation]:
        """The same observations with the log lines of their moments, where the stack still runs."""
        stack = self._side_stack.stack
        if stack is None or not observations:
            return list(observations)
        logs = await stack.services.all_logs_since(min(seen.started for seen in observations) - SLACK)
        names = self._side_stack.addresses
        return [
            seen if seen.logs else replace(seen, logs=self._redactor.value(lines_of(seen, logs, names)))
            for seen in observations
        ]

    async def observe(self, behaviour: Behaviour, attempt: int) -> Observation:
        """Ask once. What is seen holds no secret of the user's."""
        return self._redactor.value(await observe(behaviour, self._side_stack))
