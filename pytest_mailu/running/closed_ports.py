"""A closed port is confirmed by one look for all behaviours that found it closed: a connection that is refused again.

The look is later than each attempt that it confirms, by more than a server needs to restart. So a port that is closed
for a moment confirms nothing.
"""

from __future__ import annotations

import asyncio
import math

from pytest_mailu.behaviours.port_look import port_look
from pytest_mailu.core.model import Observation
from pytest_mailu.core.transcript import Connection
from pytest_mailu.sides.base import Side

APART = 5.0
"""Seconds between the attempt and the look at least: nginx and Dovecot of all releases restart in less."""
GRID = 2.5
"""Looks at one port are so many seconds apart, so that many behaviours share each of them."""


class ClosedPorts:
    """The looks of one run. `apart` and `grid`: see `APART` and `GRID`."""

    def __init__(self, apart: float = APART, grid: float = GRID) -> None:
        self._apart = apart
        self._grid = grid
        self._looks: dict[tuple[int, Connection, int], asyncio.Task[Observation | None]] = {}

    async def look(self, side: Side, port: Connection, closed: Observation) -> Observation:
        """Look at a port of a side, some time after an attempt that has just ended there; others may share the look."""
        loop = asyncio.get_running_loop()
        turn = math.ceil((loop.time() + self._apart) / self._grid) if self._grid else len(self._looks)
        key = (id(side), port, turn)
        if key not in self._looks:
            self._looks[key] = asyncio.create_task(self._later(side, port, turn * self._grid - loop.time()))
        return await asyncio.shield(self._looks[key]) or closed

    @staticmethod
    async def _later(side: Side, port: Connection, seconds: float) -> Observation | None:
        await asyncio.sleep(max(seconds, 0.0))
        return await side.observe(port_look(port), 0, shared=False)
