"""Waiting for a condition, by looking again and again up to a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from pytest_mailu.wire.transport.errors import CannotAsk

Value = TypeVar("Value")

ARRIVAL_SECONDS = 12.0
"""How long a message may take to arrive: both sides share the machine, and Rspamd alone may take seconds."""


async def eventually(condition: Callable[[], Awaitable[bool]], seconds: float = ARRIVAL_SECONDS) -> bool:
    """Whether a condition is met within `seconds`; the last look is at the deadline."""
    loop = asyncio.get_running_loop()
    deadline, pause = loop.time() + seconds, 0.1
    while not await condition():
        left = deadline - loop.time()
        if left <= 0:
            return False
        await asyncio.sleep(min(pause, left))
        pause = min(pause * 2, 1.0)
    return True


async def until(condition: Callable[[], Awaitable[Value | None]], seconds: float, reason: str) -> Value:
    """The first value that `condition` gives; raises CannotAsk with `reason` when there is none after `seconds`."""
    pause = 0.05
    try:
        async with asyncio.timeout(seconds):
            while True:
                value = await condition()
                if value is not None:
                    return value
                await asyncio.sleep(pause)
                pause = min(pause * 2, 1.0)
    except TimeoutError:
        raise CannotAsk(f"{reason} within {seconds:g} s") from None
