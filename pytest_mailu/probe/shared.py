"""What several behaviours need is done once: a message is sent, a session is held, a page is fetched.

What is sent and what is looked at is declared apart from the behaviours, as a function with `shared`; each of them
calls it and says what the answer means for it. So ids, verdicts and severities stay their own.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar

from pytest_mailu.wire.transport.errors import CannotAsk

if TYPE_CHECKING:
    from pytest_mailu.probe.probe import Probe

P = ParamSpec("P")
Value = TypeVar("Value")
Asker = TypeVar("Asker")

SECONDS = 60.0
"""How long what is shared may take, whatever the deadlines of those who wait for it."""


class Work(Generic[Asker, Value]):
    """What is being done, or was, for all who wait for it. `asker` is the probe that does it, `task` has the answer."""

    def __init__(self, asker: Asker, ask: Callable[[Asker], Awaitable[Value]], seconds: float) -> None:
        self.asker = asker
        self.task = asyncio.create_task(_within(seconds, ask(asker)))
        self.task.add_done_callback(self._done)
        self._began = time.monotonic()
        self._ended: float | None = None
        self._waiting = 0

    @property
    def seconds(self) -> float:
        """How long it has taken."""
        return (self._ended or time.monotonic()) - self._began

    @property
    def abandoned(self) -> bool:
        """Whether all who waited gave up before there was an answer, which ended it."""
        return self.task.cancelled() or bool(self.task.cancelling())

    async def wait(self) -> None:
        """Until there is an answer. It ends with the last one who waits for it: one who gives up takes it from no one.

        Raises only for cancellation.
        """
        self._waiting += 1
        try:
            await asyncio.wait([self.task])
        finally:
            self._waiting -= 1
            if not self._waiting and not self.task.done():
                self.task.cancel()
                await asyncio.gather(self.task, return_exceptions=True)

    def _done(self, _: asyncio.Task[Value]) -> None:
        self._ended = time.monotonic()


class SharedAnswers:
    """The answers of one stack by key. What was raised is an answer too."""

    def __init__(self) -> None:
        self._works: dict[Hashable, Work[Any, Any]] = {}

    def get(self, key: Hashable, begin: Callable[[], Work[Asker, Value]]) -> Work[Asker, Value]:
        """What was begun under this key, or what `begin` begins now."""
        work = self._works.get(key)
        if work is None or work.abandoned:
            work = self._works[key] = begin()
        return work

    @property
    def askers(self) -> tuple[Any, ...]:
        """Who did what is shared."""
        return tuple(work.asker for work in self._works.values())


async def _within(seconds: float, answer: Awaitable[Value]) -> Value:
    try:
        async with asyncio.timeout(seconds):
            return await answer
    except TimeoutError:
        raise CannotAsk(f"what several behaviours share was not done within {seconds:g} s") from None


def shared(
    function: Callable[Concatenate[Probe, P], Awaitable[Value]],
) -> Callable[Concatenate[Probe, P], Awaitable[Value]]:
    """Do what the function does once for all who call it with equal arguments, as `Probe.shared` has it.

    The arguments have to be hashable. What it gives back is shared, so it must not be changed.
    """

    async def once(probe: Probe, /, *args: P.args, **kwargs: P.kwargs) -> Value:
        key = (function, args, tuple(sorted(kwargs.items())))
        return await probe.shared(key, lambda own: function(own, *args, **kwargs))

    update_wrapper(once, function)
    return once
