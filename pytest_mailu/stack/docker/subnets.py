"""Layouts for the stacks of one run: each is given once, and none overlaps what the machine or its engine uses."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from pytest_mailu.stack.docker.engine import Engine
from pytest_mailu.stack.docker.networks import (
    Layout,
    choose_layout,
    choose_layout6,
    engine_networks,
    engine_networks6,
)
from pytest_mailu.stack.docker.routes import routes, routes6


class SubnetAllocator:
    """Allocates layouts. Both sides share one, so that they never choose the same subnet."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._given: list[Layout] = []

    async def allocate(self, *, six: bool = False) -> Layout:
        """A layout for one stack, with subnets of IPv6 or without. Raises StackError where there is no room."""
        used, known = await asyncio.gather(asyncio.to_thread(routes), self._engine.call(self._engine.networks_now))
        mine = [network for layout in self._given for network in layout.networks]
        layout = choose_layout([*used, *engine_networks(known), *mine])
        if six:
            mine6 = [network for given in self._given if given.six is not None for network in given.six.networks]
            used6 = await asyncio.to_thread(routes6)
            layout = replace(layout, six=choose_layout6([*used6, *engine_networks6(known), *mine6]))
        self._given.append(layout)
        return layout
