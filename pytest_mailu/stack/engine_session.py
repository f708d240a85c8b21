"""What the stacks of one run share: the Docker engine, the compose command, the labels and the free subnets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pytest_mailu.stack.compose.command import Compose
from pytest_mailu.stack.docker.engine import Engine
from pytest_mailu.stack.docker.labels import RunIdentity
from pytest_mailu.stack.docker.subnets import SubnetAllocator
from pytest_mailu.stack.docker.sweep import sweep
from pytest_mailu.stack.preflight import preflight


class EngineSession:
    """One run's use of the engine. `engine`, `compose` and `subnets` exist after the first `prepare`.

    `stacks` is how many stacks the run starts; `pull` whether it pulls every image; `keep` whether its stacks stay.
    """

    engine: Engine
    compose: Compose
    subnets: SubnetAllocator

    def __init__(self, *, stacks: int, pull: bool, keep: bool, notify: Callable[[str], None]) -> None:
        self.labels = RunIdentity.new(keep=keep)
        self._stacks = stacks
        self._pull = pull
        self._notify = notify
        self._preparing: asyncio.Task[None] | None = None

    async def prepare(self) -> None:
        """Connect, check memory and disk, and remove what dead runs left; once for all stacks.

        Raises StackError where the engine or the machine does not suffice.
        """
        if self._preparing is None:
            self._preparing = asyncio.create_task(self._prepare())
        await asyncio.shield(self._preparing)

    async def _prepare(self) -> None:
        self.engine = await asyncio.to_thread(Engine.connect)
        self.compose = await preflight(self.engine, self._stacks, pull=self._pull)
        self.subnets = SubnetAllocator(self.engine)
        removed = await self.engine.call(sweep, self.engine)
        if removed:
            self._notify(f"removed what an earlier run had left behind: {removed}")
        for complaint in removed.complaints:
            self._notify(complaint)
