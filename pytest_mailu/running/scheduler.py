"""Asks two sides the same behaviours, concurrently where that is harmless, and again where they differ."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeAlias

from pytest_mailu.behaviours.declaration import ANY_VARIANT, BASE_VARIANT, Behaviour
from pytest_mailu.core.model import Comparison, Observation, Outcome, Problem, SideName, Verdict
from pytest_mailu.judging.judge import judge, needs_confirmation
from pytest_mailu.running.selection import is_newer
from pytest_mailu.running.settling import Settling
from pytest_mailu.sides.base import Side

Asked: TypeAlias = tuple[Behaviour, Comparison]

CONCURRENCY = 12
"""How many behaviours are asked at a time.

On two cores, more does not end sooner, and slow deliveries exceed their timeout and look lost. Behaviours that end in
a failed login have as many slots of their own: servers delay such clients for seconds (Dovecot's `auth_failure_delay`,
Mailu's nginx and limiter), and use no processor time meanwhile.
"""


class Scheduler:
    """Asks `old` and `new`. `repeat` is how many times each behaviour is asked at least.

    `settling` settles what wavers, once nothing else is asked; without it, that stays unstable.
    """

    def __init__(
        self,
        old: Side,
        new: Side,
        *,
        repeat: int = 1,
        concurrency: int = CONCURRENCY,
        settling: Settling | None = None,
    ) -> None:
        self._settling = settling
        self._old = old
        self._new = new
        self._repeat = repeat
        self._concurrency = concurrency

    async def run(self, behaviours: Iterable[Behaviour], publish: Callable[[Comparison], None]) -> None:
        """Ask all of them, and hand each comparison to `publish` as soon as it is settled.

        Variant by variant, since each costs a restart: first what may run concurrently, then what runs alone.
        Behaviours marked `last` come after everything else.
        """
        for phase in phases(behaviours):
            if phase[0].variant != ANY_VARIANT:
                await asyncio.gather(*(side.prepare(phase[0].variant) for side in (self._old, self._new)))
            asked = await self._ask_phase(phase, publish)
            for behaviour, comparison in asked:
                if self._settling is not None and self._settling.possible(comparison):
                    beside = [] if behaviour.alone else asked
                    publish(await self._settling.settle(behaviour, comparison, beside))

    async def _ask_phase(self, phase: Sequence[Behaviour], publish: Callable[[Comparison], None]) -> list[Asked]:
        """Ask a phase, and publish what is settled by that."""
        asked: list[Asked] = []

        async def ask(behaviour: Behaviour) -> None:
            comparison = await self.compare(behaviour)
            asked.append((behaviour, comparison))
            if self._settling is None or not self._settling.possible(comparison):
                publish(comparison)

        if phase[0].alone:
            for behaviour in phase:
                await ask(behaviour)
        else:
            await self._concurrently(phase, ask)
        return asked

    async def _concurrently(self, behaviours: Sequence[Behaviour], ask: Callable[[Behaviour], Awaitable[None]]) -> None:
        slots = {login_fails: asyncio.Semaphore(self._concurrency) for login_fails in (True, False)}

        async def in_slot(behaviour: Behaviour) -> None:
            async with slots[behaviour.question.wanted is Outcome.AUTH_FAILED]:
                await ask(behaviour)

        async with asyncio.TaskGroup() as group:
            for behaviour in behaviours:
                group.create_task(in_slot(behaviour))

    async def compare(self, behaviour: Behaviour) -> Comparison:
        """Ask both sides, and again where they differ: a difference that is not confirmed is no finding."""
        old: list[Observation] = []
        new: list[Observation] = []
        recorded = max(side.recorded_attempts(behaviour.id) for side in (self._old, self._new))
        at_least = max(self._repeat, recorded)
        while True:
            answered = await self._ask(behaviour, old, new)
            comparison = judge(behaviour.question, old, new, behaviour.volatile)
            if not answered or max(len(old), len(new)) >= max(at_least, _attempts_needed(comparison)):
                return self._explained(comparison, behaviour)

    def _explained(self, comparison: Comparison, behaviour: Behaviour) -> Comparison:
        """A recording that is older than the behaviour lacks nothing: the comparison says so."""
        why = comparison.why
        if why is None or why.problem is not Problem.NOT_RECORDED:
            return comparison
        side = self._old if why.side is SideName.OLD else self._new
        if not is_newer(behaviour, side):
            return comparison
        return replace(comparison, why=replace(why, detail="the behaviour is newer than this recording"))

    async def _ask(self, behaviour: Behaviour, old: list[Observation], new: list[Observation]) -> bool:
        """One more attempt on each side that has an answer; whether any had."""
        answers = await asyncio.gather(self._old.observe(behaviour, len(old)), self._new.observe(behaviour, len(new)))
        for attempts, answer in zip((old, new), answers, strict=True):
            if answer is not None:
                attempts.append(answer)
        return any(answer is not None for answer in answers)


def _attempts_needed(comparison: Comparison) -> int:
    """How many attempts settle a comparison. One that failed confirms nothing, so it is followed by a third."""
    if not needs_confirmation(comparison):
        return 1
    failed = any(attempt.outcome is None for attempt in (*comparison.old, *comparison.new))
    return 3 if failed and comparison.verdict is not Verdict.INCONCLUSIVE else 2


def phases(behaviours: Iterable[Behaviour]) -> list[list[Behaviour]]:
    """The behaviours in groups that may be asked together, in the order in which to ask the groups."""
    groups: dict[tuple[bool, bool, str, bool], list[Behaviour]] = {}
    for behaviour in behaviours:
        key = (behaviour.last, behaviour.variant != BASE_VARIANT, behaviour.variant, behaviour.alone)
        groups.setdefault(key, []).append(behaviour)
    return [groups[key] for key in sorted(groups)]
