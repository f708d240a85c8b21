"""Asks both sides one behaviour, and again where they differ: a difference that is not confirmed is no finding."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

from pytest_mailu.behaviours.declaration import Behaviour
from pytest_mailu.behaviours.port_look import closed_port
from pytest_mailu.core.model import Comparison, Observation, Problem, SideName, Verdict, met
from pytest_mailu.core.transcript import Connection
from pytest_mailu.judging.judge import judge, looks_needed
from pytest_mailu.running.closed_ports import ClosedPorts
from pytest_mailu.running.processor_watch import ProcessorWatch
from pytest_mailu.running.selection import is_newer
from pytest_mailu.sides.base import Side

Break = Callable[[], AbstractContextManager[None]]


SHARED = 2
"""How many attempts share looks with other behaviours, unless more are asked for. Further ones are on their own."""


class Comparing:
    """Compares `old` and `new`. `repeat` is how many times each behaviour is asked at least."""

    def __init__(
        self,
        old: Side,
        new: Side,
        *,
        repeat: int = 1,
        ports: ClosedPorts | None = None,
        watch: ProcessorWatch | None = None,
    ) -> None:
        self._old = old
        self._new = new
        self._repeat = repeat
        self._ports = ports or ClosedPorts()
        self._watch = watch or ProcessorWatch()

    async def compare(self, behaviour: Behaviour, waiting: Break = nullcontext) -> Comparison:
        """Ask both sides until the comparison is confirmed. In `waiting` it stays while nothing is asked."""
        old: list[Observation] = []
        new: list[Observation] = []
        recorded = max(side.recorded_attempts(behaviour.id) for side in (self._old, self._new))
        at_least = max(self._repeat, recorded)
        while True:
            answered = await self._ask(behaviour, old, new, shared=max(len(old), len(new)) < max(at_least, SHARED))
            if answered and max(len(old), len(new)) < at_least:
                continue
            comparison = judge(behaviour.question, old, new, behaviour.volatile)
            needed = _attempts_needed(comparison, shared=bool(self.shared_looks(comparison)))
            if not answered or max(len(old), len(new)) >= max(at_least, needed):
                return self._explained(comparison, behaviour)
            if at_least == 1 and (confirmed := await self._confirmed_by_port(comparison, waiting)):
                return confirmed

    async def again(self, behaviour: Behaviour, comparison: Comparison, usual: float) -> Comparison:
        """The comparison with one more attempt on each side, on its own.

        The behaviour has a longer deadline than its `usual` one, in seconds: see `judging.starvation.in_time`.
        """
        old, new = list(comparison.old), list(comparison.new)
        await self._ask(behaviour, old, new, shared=False)
        for attempts, before in ((old, comparison.old), (new, comparison.new)):
            attempts[len(before) :] = [self._watch.in_time(seen, usual) for seen in attempts[len(before) :]]
        return judge(behaviour.question, old, new, behaviour.volatile)

    def shared_looks(self, comparison: Comparison) -> frozenset[Hashable]:
        """What the comparison rests on that other behaviours share; nothing where it is that a port is closed."""
        if any(attempts and closed_port(attempts[-1]) for attempts in (comparison.old, comparison.new)):
            return frozenset()
        id_ = comparison.question.id
        return self._old.shared_looks(id_) | self._new.shared_looks(id_)

    async def _confirmed_by_port(self, comparison: Comparison, waiting: Break) -> Comparison | None:
        """The comparison with a look at the port that one side does not serve, where that is enough to confirm it.

        It is where the other side did what is wanted: that it was served there once, and that nobody listens here both
        times, is all that the comparison says. Otherwise both sides have to be asked again.
        """
        found = _one_closed_port(comparison)
        if found is None:
            return None
        name, port = found
        side = self._old if name is SideName.OLD else self._new
        if side.behaviours is not None:
            return None
        (closed,) = comparison.old if name is SideName.OLD else comparison.new
        with waiting():
            look = await self._ports.look(side, port, closed)
        if closed_port(look) != port:
            return None
        again = (closed, replace(closed, transcript=look.transcript, started=look.started, seconds=look.seconds))
        old, new = (again, comparison.new) if name is SideName.OLD else (comparison.old, again)
        return replace(comparison, old=old, new=new)

    def _explained(self, comparison: Comparison, behaviour: Behaviour) -> Comparison:
        """A recording that is older than the behaviour lacks nothing: the comparison says so."""
        why = comparison.why
        if why is None or why.problem is not Problem.NOT_RECORDED:
            return comparison
        side = self._old if why.side is SideName.OLD else self._new
        if not is_newer(behaviour, side):
            return comparison
        return replace(comparison, why=replace(why, detail="the behaviour is newer than this recording"))

    async def _ask(self, behaviour: Behaviour, old: list[Observation], new: list[Observation], *, shared: bool) -> bool:
        """One more attempt on each side that has an answer; whether any had."""
        answers = await asyncio.gather(
            self._old.observe(behaviour, len(old), shared=shared), self._new.observe(behaviour, len(new), shared=shared)
        )
        for attempts, answer in zip((old, new), answers, strict=True):
            if answer is not None:
                attempts.append(self._watch.judged(behaviour.question, answer))
        return any(answer is not None for answer in answers)


def _attempts_needed(comparison: Comparison, *, shared: bool) -> int:
    """How many attempts settle a comparison. One that failed confirms nothing, so it is followed by one more."""
    looks = looks_needed(comparison, shared=shared)
    failed = any(attempt.outcome is None for attempt in (*comparison.old, *comparison.new))
    return looks + 1 if failed and looks > 1 and comparison.verdict is not Verdict.INCONCLUSIVE else looks


def _one_closed_port(comparison: Comparison) -> tuple[SideName, Connection] | None:
    """The side that ended at a closed port when it was asked once, where the other side did what is wanted."""
    if len(comparison.old) != 1 or len(comparison.new) != 1:
        return None
    ends = {SideName.OLD: comparison.old[0], SideName.NEW: comparison.new[0]}
    closed = {name: port for name, seen in ends.items() if (port := closed_port(seen))}
    if len(closed) != 1:
        return None
    [(name, port)] = closed.items()
    other = ends[SideName.NEW if name is SideName.OLD else SideName.OLD]
    if other.outcome is None or not met(comparison.question.wanted, other.outcome):
        return None
    return name, port
