"""Layouts for the stacks of one run: each is given once, and none overlaps what the machine or its engine uses."""

from __future__ import annotations

import asyncio

from pytest_mailu.stack.docker.engine import Engine
from pytest_mailu.stack.docker.networks import Layout, choose_layout, engine_networks
from pytest_mailu.stack.docker.routes import routes


class SubnetAllocator:
    """Allocates layouts. Both sides share one, so that they never choose the same subnet."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._given: list[Layout] = []

    async def allocate(self) -> Layout:
        """A layout for one stack. Raises StackError where there is no room."""
        used, known = await asyncio.gather(asyncio.to_thread(routes), self._engine.call(self._engine.networks_now))
        mine = [network for layout in self._given for network in layout.networks]
        layout = choose_layout([*used, *engine_networks(known), *mine])
        self._given.append(layout)
        return layout
