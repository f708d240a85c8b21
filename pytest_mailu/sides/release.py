"""A side that is a release: starts its stack, asks it, and removes it."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, MutableMapping, Sequence
from dataclasses import replace

from pytest_mailu.behaviours.declaration import Behaviour
from pytest_mailu.behaviours.inbound_own import EXPORTED
from pytest_mailu.core.errors import StackError
from pytest_mailu.core.export_file import Export
from pytest_mailu.core.model import Observation, SideInfo
from pytest_mailu.core.plan import Plan
from pytest_mailu.core.releases import Release
from pytest_mailu.core.secrets import Redactor, secrets_in, secrets_in_text
from pytest_mailu.core.setups import DEFAULT, SetUp
from pytest_mailu.probe.probe import Probe
from pytest_mailu.sides.observe import observe
from pytest_mailu.sides.side_stack import SideStack
from pytest_mailu.stack.compose.user_file import read_user_compose
from pytest_mailu.stack.compose.user_folder import read_tree
from pytest_mailu.stack.data.own import Survey
from pytest_mailu.stack.docker.images import Pull
from pytest_mailu.stack.engine_session import EngineSession
from pytest_mailu.stack.evidence.logs import SLACK, lines_of
from pytest_mailu.stack.plan import Inherited, StackPlan
from pytest_mailu.stack.service_access import ServiceAccess
from pytest_mailu.stack.settings.environment import read_env
from pytest_mailu.stack.settings.variants import VARIANTS
from pytest_mailu.stack.stack import Stack

OLD = "old"
"""The label of the release in use; every other one is a new one."""
DOWNGRADED = "downgraded"
"""The label of the release in use on the data of the new one: whoever goes back takes the old compose file again."""
_VARIANTS = {variant.name: variant for variant in VARIANTS}


class ReleaseSide:
    """One release under test; with `inherited`, on the data of another one. Its `label` names its stack.

    `memory` is shared by the sides of an upgrade in place; `setup` is the set-up of the run.

    Raises UsageError for settings that cannot be read.
    """

    def __init__(
        self,
        label: str,
        release: Release,
        plan: Plan,
        session: EngineSession,
        notify: Callable[[str], None],
        *,
        setup: SetUp = DEFAULT,
        inherited: Inherited | None = None,
        memory: MutableMapping[str, str] | None = None,
        export: Export | None = None,
    ) -> None:
        self._export = export
        self._label = label
        self._release = release
        self._plan = plan
        self._session = session
        self._notify = notify
        self._inherited = inherited
        new = label not in (OLD, DOWNGRADED)
        self._compose_file = plan.compose_of(new=new)
        setup = setup.of_side(new=new)
        upgraded = inherited is not None and inherited.own is None
        self._side_stack = SideStack(release, setup=setup, upgraded=upgraded, memory=memory)
        self.survey = Survey()
        """What a look at the user's own data found, before anything was started on it."""
        self._setup = setup
        self._info = SideInfo(str(release), setup=setup.name)
        self._redactor = Redactor()
        self._user_settings: dict[str, str] = {}
        for path in (plan.env, plan.env_new if label != OLD else None):
            if path is not None:
                self._user_settings |= read_env(path)
        self._redactor |= secrets_in(self._user_settings, (str(release),))
        if export is not None:
            self.mask_people_of(export.domains)
            self._side_stack.memory[EXPORTED] = json.dumps(export.addresses)

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
        self._side_stack.databases = stack.databases
        started = time.monotonic()
        try:
            await stack.up()
        except StackError as error:
            self._learn(stack.survey)
            self._side_stack.failure = self._redacted(error)
            raise self._side_stack.failure from None
        self._learn(stack.survey)
        self._side_stack.stack = stack
        self._redactor |= stack.secrets
        self._info = replace(self._redactor.value(stack.info()), setup=self._setup.name)
        self._notify(f"ready after {time.monotonic() - started:.1f} s")

    def _learn(self, survey: Survey) -> None:
        """From now on nobody is shown who the user's own data names."""
        self.survey = survey
        if not self._plan.data_names:
            self.mask_people_of(survey.domains)

    def mask_people_of(self, domains: Iterable[str]) -> None:
        """Mask all addresses in these domains, and the domains, wherever they turn up."""
        self._redactor = self._redactor.with_people_of(domains)

    async def _stack_plan(self) -> StackPlan:
        """The stack by the user's settings and compose file. Raises UsageError for a broken file."""
        plan = StackPlan(
            self._label,
            self._release,
            user=self._setup.over(self._user_settings),
            overrides=self._plan.overrides,
            pull=Pull(self._plan.pull),
            seconds=self._plan.timeout,
            seed=self._plan.seed,
            inherited=self._inherited,
            export=self._export,
            added=self._setup.added,
            removed=self._setup.removed,
            brings_database=self._setup.brings_database,
            brings_authorities=self._setup.brings_authorities,
        )
        if plan.overrides is not None:
            files = await asyncio.to_thread(read_tree, plan.overrides, "given to --mailu-overrides")
            texts = (content.decode(errors="replace") for content in files.values())
            self._redactor |= frozenset().union(*map(secrets_in_text, texts))
        if self._compose_file is None:
            return plan
        theirs = await read_user_compose(
            self._compose_file, self._release, self._session.compose, meant_for=self._plan.compose
        )
        self._redactor |= theirs.secrets
        # The settings named on the command line are meant for this run, so they win over the compose file's own.
        user = self._setup.over({**theirs.environment, **self._user_settings})
        return replace(
            plan,
            core=theirs.core,
            configured=theirs.configured,
            user=user,
            files=theirs.files,
            aliases=theirs.aliases,
            sources=theirs.sources,
        )

    @property
    def running(self) -> bool:
        """Whether the stack has started and can be asked."""
        return self._side_stack.stack is not None and self._side_stack.failure is None

    @property
    def stack(self) -> Stack:
        """The running stack. Raises StackError before `open`, after `close`, and where it did not start."""
        stack = self._side_stack.stack
        if stack is None:
            raise self._side_stack.failure or StackError(f"Mailu {self._release} is not running", "start it first")
        return stack

    def probe(self) -> Probe:
        """What a behaviour works with; for what is done to a side beside asking it."""
        return Probe(self._side_stack, time.time())

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

    def restarts(self, variant: str) -> frozenset[str]:
        """The services that read what the variant changes."""
        return frozenset(_VARIANTS[variant].services) if variant in _VARIANTS else frozenset()

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

    def shared_looks(self, id: str) -> frozenset[Hashable]:
        """What its answers rest on that other behaviours share."""
        return frozenset(self._side_stack.looks.get(id, ()))

    async def evidence(self, observations: Sequence[Observation]) -> list[Observation]:
        """The same observations with the log lines of their moments, where the stack still runs."""
        stack = self._side_stack.stack
        if stack is None or not observations:
            return list(observations)
        logs = await stack.services.all_logs_since(min(seen.begun for seen in observations) - SLACK)
        names = self._side_stack.addresses
        return [
            seen if seen.logs else replace(seen, logs=self._redactor.value(lines_of(seen, logs, names)))
            for seen in observations
        ]

    @property
    def services(self) -> ServiceAccess:
        """The services from inside. Raises CannotAsk where the stack does not run."""
        return self._side_stack.services

    @property
    def effort(self) -> Counter[str]:
        """What it took to ask so far: connections, messages, logins, looks into mailboxes, commands, restarts."""
        found = self._side_stack.effort.copy()
        for asker in self._side_stack.shared.askers:
            found.update(asker.transcript.effort)
        if stack := self._side_stack.stack:
            found.update(commands=stack.services.commands, restarts=stack.services.restarts)
        return found

    async def observe(self, behaviour: Behaviour, attempt: int, *, shared: bool = True) -> Observation:
        """Ask once. What is seen holds no secret of the user's."""
        circle = (behaviour.variant, attempt) if shared else None
        return self._redactor.value(await observe(behaviour, self._side_stack, circle))
