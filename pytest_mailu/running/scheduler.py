"""Asks two sides the same behaviours, each as soon as nothing that goes on disturbs it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from enum import Enum, auto
from typing import TypeAlias

from pytest_mailu.behaviours.declaration import BASE_VARIANT, Behaviour
from pytest_mailu.core.model import Comparison, Outcome, Verdict
from pytest_mailu.judging.starvation import stuck
from pytest_mailu.running.closed_ports import ClosedPorts
from pytest_mailu.running.company import Claim, Waiting, claim_of, restart_claim
from pytest_mailu.running.comparing import Comparing
from pytest_mailu.running.processor_watch import ProcessorWatch
from pytest_mailu.running.settling import Asked, Settling, groups
from pytest_mailu.running.when_calm import WhenCalm
from pytest_mailu.sides.base import Side

Publish: TypeAlias = Callable[[Comparison], None]

CONCURRENCY = 12
"""How many behaviours are asked at a time.

On two cores, more does not end sooner, and slow deliveries exceed their timeout and look lost. Behaviours that end in
a failed login have as many slots of their own: servers delay such clients for seconds (Dovecot's `auth_failure_delay`,
Mailu's nginx and limiter), and use no processor time meanwhile. What disturbs something needs no slot.
"""


FEW = 8
"""Of more behaviours that hang, the release is the reason: they are told as they are."""


class Scheduler:
    """Asks `old` and `new`. `repeat` is how many times each behaviour is asked at least.

    `settling` settles what wavers, once nothing else is asked; without it, that stays unstable. `watch` says when this
    machine is too busy for deadlines to say anything.
    """

    def __init__(
        self,
        old: Side,
        new: Side,
        *,
        repeat: int = 1,
        concurrency: int = CONCURRENCY,
        settling: Settling | None = None,
        ports: ClosedPorts | None = None,
        watch: ProcessorWatch | None = None,
    ) -> None:
        self._sides = (old, new)
        self._watch = watch or ProcessorWatch()
        self._comparing = Comparing(old, new, repeat=repeat, ports=ports, watch=self._watch)
        self._when_calm = WhenCalm(self._comparing, self._watch)
        self._concurrency = concurrency
        self._settling = settling
        self._variant = BASE_VARIANT
        self._running: Counter[Claim] = Counter()
        self._busy: Counter[_Lane] = Counter()
        self._news = asyncio.Event()
        self._asked: list[tuple[Behaviour, Comparison]] = []
        self._wavering: list[Asked] = []
        self._starved: list[Asked] = []
        """What could not be told since this machine was too busy."""
        self._stuck: list[Asked] = []
        """What one side hung at, both times: asked once more when nothing else is, and what hung before may be over."""
        self._held: list[Asked] = []
        """Regressions that rest on shared looks: told when nothing can show any more that such a look wavers."""

    async def run(self, behaviours: Iterable[Behaviour], publish: Publish) -> None:
        """Ask all of them, and hand each comparison to `publish` as soon as it is settled.

        Each is asked as soon as nothing that goes on disturbs it, and under settings that suit it (see `company`); the
        change to another variant goes on beside what does not need the services that are made anew. Behaviours marked
        `last` come after everything else.
        """
        chosen = list(behaviours)
        if any(behaviour.variant == BASE_VARIANT for behaviour in chosen):
            await asyncio.gather(*(side.prepare(BASE_VARIANT) for side in self._sides))
        try:
            for last in (False, True):
                members = [behaviour for behaviour in chosen if behaviour.last is last]
                async with asyncio.TaskGroup() as group:
                    await self._ask_all(Waiting(members, self._restarts), group, publish)
        finally:
            self._release(publish)

    def _restarts(self, variant: str) -> frozenset[str]:
        return frozenset[str]().union(*(side.restarts(variant) for side in self._sides))

    async def _ask_all(self, waiting: Waiting, group: asyncio.TaskGroup, publish: Publish) -> None:
        while waiting or self._running or self._open:
            self._news.clear()
            target = waiting.next_variant(self._variant)
            settle_first = self._open and (target is not None or not waiting)
            if settle_first and not self._running:
                await self._settle(publish)
                continue
            if not settle_first:
                if target is not None and self._free(restart_claim((self._variant, target), self._restarts)):
                    self._release(publish)
                    self._change(target, group)
                while (behaviour := waiting.next(self._variant, self._running.keys(), self._has_room)) is not None:
                    self._start(behaviour, group, publish)
            if self._running:
                await self._news.wait()

    @property
    def _open(self) -> bool:
        """Whether anything is to be asked again when nothing else is asked."""
        return bool(self._wavering or self._starved or self._stuck)

    def _free(self, claim: Claim) -> bool:
        return all(claim.beside(other) for other in self._running)

    def _has_room(self, behaviour: Behaviour) -> bool:
        lane = _lane(behaviour)
        return lane is _Lane.FREE or self._busy[lane] < self._concurrency

    def _change(self, target: str, group: asyncio.TaskGroup) -> None:
        claim = restart_claim((self._variant, target), self._restarts)
        self._variant = target

        async def change() -> None:
            await asyncio.gather(*(side.prepare(target) for side in self._sides))
            self._end(claim)

        self._running[claim] += 1
        group.create_task(change())

    def _start(self, behaviour: Behaviour, group: asyncio.TaskGroup, publish: Publish) -> None:
        claim = claim_of(behaviour, self._restarts)
        lane = _lane(behaviour)

        @contextmanager
        def waiting() -> Iterator[None]:
            self._busy[lane] -= 1
            self._news.set()
            try:
                yield
            finally:
                self._busy[lane] += 1

        async def ask() -> None:
            comparison = await self._comparing.compare(behaviour, waiting)
            self._asked.append((behaviour, comparison))
            asked = Asked(behaviour, comparison, self._comparing.shared_looks(comparison))
            if self._settling is None or not self._settling.possible(comparison):
                publish(comparison)
            elif self._was_starved(comparison):
                self._starved.append(asked)
            elif stuck(comparison):
                self._stuck.append(asked)
            else:
                self._tell(asked, publish)
            self._busy[lane] -= 1
            self._end(claim)

        self._busy[lane] += 1
        self._running[claim] += 1
        group.create_task(ask())

    def _end(self, claim: Claim) -> None:
        self._running[claim] -= 1
        if not self._running[claim]:
            del self._running[claim]
        self._news.set()

    async def _settle(self, publish: Publish) -> None:
        """Settle what wavers under the present variant, and what shares its looks. Nothing else is asked meanwhile.

        What could not be told on a busy machine comes first, and what hung, since these may waver.
        """
        assert self._settling is not None  # noqa: S101 - without it nothing is kept to be settled
        starved, self._starved = self._starved, []
        for each in starved:
            comparison = await self._when_calm.ask(each.behaviour, each.comparison)
            if comparison.verdict is Verdict.UNSTABLE:
                self._wavering.append(replace(each, comparison=comparison))
            else:
                publish(comparison)
        hung, self._stuck = self._stuck, []
        for each in await self._once_more(hung) if len(hung) <= FEW else hung:
            self._tell(each, publish)
        kept = [*self._wavering, *self._held]
        self._wavering, self._held = [], []
        for group in groups(kept):
            wavers = any(each.comparison.verdict is Verdict.UNSTABLE for each in group)
            settled = await self._settling.settle(group, self._asked) if wavers else [each.comparison for each in group]
            for comparison in settled:
                publish(comparison)

    async def _once_more(self, hung: Sequence[Asked]) -> list[Asked]:
        """What hung, asked again: all at once, but for what has to be alone."""

        async def again(each: Asked) -> Asked:
            return replace(
                each, comparison=await self._comparing.again(each.behaviour, each.comparison, each.behaviour.timeout)
            )

        alone = [each for each in hung if each.behaviour.alone or each.behaviour.disturbs]
        beside = await asyncio.gather(*(again(each) for each in hung if each not in alone))
        return [*beside, *[await again(each) for each in alone]]

    def _tell(self, asked: Asked, publish: Publish) -> None:
        """Hand on what is settled; keep what wavers, and what others may show to waver."""
        if asked.comparison.verdict is Verdict.UNSTABLE:
            self._wavering.append(asked)
        elif asked.comparison.verdict is Verdict.REGRESSED and asked.looks:
            self._held.append(asked)
        else:
            publish(asked.comparison)

    def _was_starved(self, comparison: Comparison) -> bool:
        """Whether it is open on a busy machine: nothing is told, or nothing against new, which timed out then."""
        if comparison.verdict is Verdict.INCONCLUSIVE:
            return any(map(self._watch.left_open, (*comparison.old, *comparison.new)))
        told = (Verdict.REGRESSED, Verdict.UNSTABLE)
        return comparison.verdict not in told and self._watch.against_new(comparison)

    def _release(self, publish: Publish) -> None:
        """Tell the regressions of which no shared look wavered."""
        held, self._held = self._held, []
        for each in held:
            publish(each.comparison)


class _Lane(Enum):
    """Which slots a behaviour takes: see `CONCURRENCY`."""

    USUAL = auto()
    LOGIN_FAILS = auto()
    FREE = auto()


def _lane(behaviour: Behaviour) -> _Lane:
    if behaviour.disturbs:
        return _Lane.FREE
    return _Lane.LOGIN_FAILS if behaviour.question.wanted is Outcome.AUTH_FAILED else _Lane.USUAL


def phases(behaviours: Iterable[Behaviour]) -> list[list[Behaviour]]:
    """The behaviours in groups by what they have in common, in the order in which most of them are asked."""
    groups: dict[tuple[bool, bool, str, bool], list[Behaviour]] = {}
    for behaviour in behaviours:
        key = (behaviour.last, behaviour.variant != BASE_VARIANT, behaviour.variant, behaviour.alone)
        groups.setdefault(key, []).append(behaviour)
    return [groups[key] for key in sorted(groups)]
