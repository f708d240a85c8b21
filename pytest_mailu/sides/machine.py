"""The machine that the stacks of one run share: its engine, compose command and subnets, looked over once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pytest_mailu.core.plan import Plan, ReleaseSpec
from pytest_mailu.stack.compose.command import Compose
from pytest_mailu.stack.docker.engine import Engine
from pytest_mailu.stack.docker.labels import RunIdentity
from pytest_mailu.stack.docker.subnets import SubnetAllocator
from pytest_mailu.stack.docker.sweep import sweep
from pytest_mailu.stack.preflight import preflight


class Machine:
    """Ready after the first `prepare`; what dead runs have left is gone then."""

    engine: Engine
    compose: Compose
    subnets: SubnetAllocator

    def __init__(self, plan: Plan, tell: Callable[[str], None]) -> None:
        self.labels = RunIdentity.new(keep=plan.keep)
        self._stacks = sum(isinstance(spec, ReleaseSpec) for _, spec in plan.specs)
        self._pull = plan.pull == "always"
        self._tell = tell
        self._preparing: asyncio.Task[None] | None = None

    async def prepare(self) -> None:
        """Look the machine over, once for both sides. Raises StackError where it will not do."""
        if self._preparing is None:
            self._preparing = asyncio.create_task(self._prepare())
        await asyncio.shield(self._preparing)

    async def _prepare(self) -> None:
        self.engine = await asyncio.to_thread(Engine.connect)
        self.compose = await preflight(self.engine, self._stacks, pull=self._pull)
        self.subnets = SubnetAllocator(self.engine)
        removed = await self.engine.call(sweep, self.engine)
        if removed:
            self._tell(f"removed what an earlier run had left behind: {removed}")
