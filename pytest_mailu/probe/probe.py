"""What a behaviour works with: sessions with one side's server, messages, evidence and observations."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Hashable, Mapping, MutableMapping
from typing import TypeVar

from pytest_mailu.core.drawn import Draw, draw
from pytest_mailu.core.releases import Release
from pytest_mailu.probe.evidence import Evidence
from pytest_mailu.probe.mail import Mail
from pytest_mailu.probe.observations import Observations
from pytest_mailu.probe.running_stack import RunningStack, Services
from pytest_mailu.probe.sessions import Sessions
from pytest_mailu.probe.shared import SECONDS, Work
from pytest_mailu.stack.world.control import World
from pytest_mailu.wire.transport.transcript import Transcript

Value = TypeVar("Value")


class Probe(Sessions, Observations):
    """Asks one behaviour of one side, once.

    `mail` sends messages and proves what became of them; `evidence` is what services logged; `stack` is the side's
    stack. `started` is when the probe began, in seconds since the epoch. Probes of one `circle` share what they ask
    with `shared`; without one, the probe does everything itself.
    """

    def __init__(self, stack: RunningStack, started: float, circle: Hashable = None) -> None:
        Sessions.__init__(self, stack, Transcript())
        Observations.__init__(self, stack)
        self.mail = Mail(self, self, started)
        self.evidence = Evidence(stack, started)
        self.seconds_before = 0.0
        """How long shared work took that was done before this probe asked for it."""
        self.looks: set[Hashable] = set()
        """The keys of what was shared with others."""
        self._started = started
        self._circle = circle
        self._taken_over: set[Probe] = set()

    @property
    def release(self) -> Release:
        """What is under test."""
        return self.stack.release

    def drawn(self, kinds: Mapping[str, Draw], kind: str) -> str:
        """The value of a class (`core.drawn`) in this run: the same on both sides."""
        return draw(kinds, kind, self.stack.seed)

    @property
    def memory(self) -> MutableMapping[str, str]:
        """What a behaviour about an upgrade in place keeps from before it for its look afterwards. Not shown."""
        return self.stack.memory

    @property
    def world(self) -> World:
        """The world's control: scripted replies, arrivals, DNS."""
        return self.stack.world

    @property
    def services(self) -> Services:
        """The stack's services from inside: commands, environment, logs; paused or stopped for a while."""
        return self.stack.services

    async def shared(
        self, key: Hashable, ask: Callable[[Probe], Awaitable[Value]], *, seconds: float = SECONDS
    ) -> Value:
        """What `ask` finds out, or raises, asked once for all probes of this circle that name the same key.

        `ask` gets a probe of its own. What was said meanwhile, its tokens and the log lines of that moment are this
        probe's as well. After `seconds` it ends with CannotAsk. See `probe.shared.shared` for a declaration.
        """
        if self._circle is None:
            return await ask(self)
        self.looks.add(key)
        work = self.stack.shared.get(
            (self._circle, key), lambda: Work(Probe(self.stack, time.time(), self._circle), ask, seconds)
        )
        asked = time.monotonic()
        try:
            await work.wait()
        finally:
            if work.asker not in self._taken_over:
                self._take_over(work.asker)
                before = work.seconds - (time.monotonic() - asked)
                self.seconds_before += work.asker.seconds_before + max(before, 0.0)
        return work.task.result()

    def _take_over(self, other: Probe) -> None:
        """What another probe did was done for this one."""
        self._taken_over |= {other, *other._taken_over}
        self.looks |= other.looks
        self.transcript.include(other.transcript)
        self.hide_tokens_of(other)
        self.mail.since(other._started)
        self.evidence.since(other._started)
