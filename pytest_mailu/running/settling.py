"""Settles answers that waver by asking more: alone, then beside the behaviours that ran when they failed.

Behaviours that share a look are settled together: each round is one new look, which all of them share.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pytest_mailu.behaviours.declaration import Behaviour
from pytest_mailu.core.model import Comparison, Observation, Problem, SideName, Verdict, Why
from pytest_mailu.judging.judge import judge
from pytest_mailu.judging.wavering import LOOKS, STEADY, failing, more_often
from pytest_mailu.running.processor_watch import ProcessorWatch
from pytest_mailu.sides.base import Side

SECONDS = 120.0
"""How long one behaviour may be asked; several that share a look have as much together for each of them."""
SECONDS_IN_ALL = 300.0
"""How long a run may spend on it."""
NAMED = 0.15
"""A behaviour that ran beside every failure is named where the mid-p of that coincidence is below this."""
NAMING_ROUNDS = 12
"""How often it is asked for the name alone, once the verdict stands. These attempts do not count."""
KEPT = 3
"""Of how many failures of each side the transcript is kept, beside the first and the last attempts."""
AT_A_TIME = 6
"""How many behaviours that share a look are asked at a time."""
FIRST_ROUND = 1000
"""The number of the first round. It is above every attempt of a comparison, so that no round shares a look of one."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A behaviour with what came of it, and the looks that it shared with others."""

    behaviour: Behaviour
    comparison: Comparison
    looks: frozenset[Hashable] = frozenset()


def groups(asked: Iterable[Asked]) -> list[list[Asked]]:
    """Those that are settled together: whoever shares a look with a member of a group belongs to it; pure.

    What is asked alone, or disturbs something, is settled for itself.
    """
    found: list[list[Asked]] = []
    for each in asked:
        joined = [group for group in found if any(_share(each, member) for member in group)]
        found = [group for group in found if group not in joined]
        found.append([*itertools.chain.from_iterable(joined), each])
    return found


def _share(one: Asked, other: Asked) -> bool:
    free = not any(each.behaviour.alone or each.behaviour.disturbs for each in (one, other))
    return free and bool(one.looks & other.looks)


@dataclass(slots=True, eq=False)
class _Evidence:
    """What was asked of one behaviour so far; `suspects` ran when it failed.

    `beside` has, for each failure and each success beside others, which behaviours ran meanwhile. `steady` says whether
    no attempt failed since `before`, the number of attempts that raised the suspicion.
    """

    behaviour: Behaviour
    attempts: Mapping[SideName, list[Observation]]
    deadline: float
    suspects: tuple[Behaviour, ...] = ()
    beside: list[tuple[bool, frozenset[str]]] = field(default_factory=list)
    steady: bool = True
    before: int = 0

    @property
    def number(self) -> int:
        """How many attempts each side has answered at least."""
        return min(sum(seen.outcome is not None for seen in side) for side in self.attempts.values())

    @property
    def decided(self) -> bool:
        """Whether there is nothing more to ask: by a look at the evidence, by number, or by time."""
        if self.number >= LOOKS[-1] or self.out_of_time:
            return True
        return self.number in LOOKS and self.judged().verdict is not Verdict.UNSTABLE

    @property
    def enough_alone(self) -> bool:
        """Whether it need not be asked alone any more. After the first failure it goes on to the end."""
        until = STEADY if self.suspects else LOOKS[-1]
        return self.decided or (self.steady and self.number - self.before >= until)

    @property
    def out_of_time(self) -> bool:
        """Whether nothing more may be asked."""
        return asyncio.get_running_loop().time() >= self.deadline

    @property
    def failed_beside(self) -> bool:
        """Whether it failed beside other behaviours (which are asked only where it does not fail alone)."""
        return any(failure for failure, _ in self.beside)

    def judged(self) -> Comparison:
        old, new = self.attempts[SideName.OLD], self.attempts[SideName.NEW]
        return judge(self.behaviour.question, old, new, self.behaviour.volatile)

    def failing(self) -> Callable[[Observation], bool]:
        """Tells of an attempt whether it failed, by all attempts so far."""
        old, new = (
            [each for each in self.attempts[name] if each.outcome is not None] for name in (SideName.OLD, SideName.NEW)
        )
        fails = failing(self.behaviour.question, old, new, self.behaviour.volatile)
        return lambda seen: seen.outcome is not None and fails(seen)


class Settling:
    """Asks both sides of a run. The order of asking is drawn from `seed`."""

    def __init__(
        self,
        old: Side,
        new: Side,
        seed: int,
        *,
        seconds: float = SECONDS,
        seconds_in_all: float = SECONDS_IN_ALL,
        watch: ProcessorWatch | None = None,
    ) -> None:
        self._sides: Mapping[SideName, Side] = {SideName.OLD: old, SideName.NEW: new}
        self._seed = seed
        self._seconds = seconds
        self._left = seconds_in_all
        self._watch = watch or ProcessorWatch()
        self._rounds = itertools.count(FIRST_ROUND)

    def possible(self, comparison: Comparison) -> bool:
        """Whether asking more can settle it: a recording gives no more than it holds."""
        return all(
            side.behaviours is None and not side.recorded_attempts(comparison.question.id)
            for side in self._sides.values()
        )

    async def settle(
        self, group: Sequence[Asked], phase: Iterable[tuple[Behaviour, Comparison]] = ()
    ) -> list[Comparison]:
        """Ask until the evidence decides, or until there is no time left: then the comparison stays as it is.

        `group` is one behaviour, or several that share looks. Nothing else is asked meanwhile. `phase` are the
        behaviours that were asked at the same time.
        """
        loop = asyncio.get_running_loop()
        started = loop.time()
        deadline = started + min(self._seconds * len(group), self._left)
        ids = {each.behaviour.id for each in group}
        others = [(behaviour, comparison) for behaviour, comparison in phase if behaviour.id not in ids]
        evidences = [self._evidence(each, deadline, others) for each in group]
        rng = random.Random(f"{self._seed} {group[0].behaviour.id}")  # noqa: S311 - an order, not a secret
        try:
            await self._alone(evidences, rng)
            await self._beside([each for each in evidences if each.steady and each.suspects], rng)
        finally:
            self._left = max(self._left - (loop.time() - started), 0.0)
        return [_thinned(_explained(evidence)) for evidence in evidences]

    @staticmethod
    def _evidence(asked: Asked, deadline: float, others: Sequence[tuple[Behaviour, Comparison]]) -> _Evidence:
        attempts = {SideName.OLD: list(asked.comparison.old), SideName.NEW: list(asked.comparison.new)}
        evidence = _Evidence(asked.behaviour, attempts, deadline)
        evidence.before = evidence.number
        if not asked.behaviour.alone and not asked.behaviour.disturbs:
            evidence.suspects = tuple(_asked_meanwhile(evidence, others))
        return evidence

    async def _alone(self, evidences: Sequence[_Evidence], rng: random.Random) -> None:
        """Ask while nothing else is asked."""
        while asked := [each for each in evidences if not each.enough_alone]:
            await self._ask(asked, rng)

    async def _beside(self, evidences: Sequence[_Evidence], rng: random.Random) -> None:
        """Ask while a drawn half of the suspects is asked too, round by round; then some rounds to name the culprit."""
        while asked := [each for each in evidences if not each.decided]:
            await self._round(asked, rng)
        for _ in range(NAMING_ROUNDS):
            unnamed = [
                each for each in evidences if not each.out_of_time and each.failed_beside and not disturber(each.beside)
            ]
            if not unnamed:
                return
            await self._round(unnamed, rng, naming=True)

    async def _round(self, evidences: Sequence[_Evidence], rng: random.Random, *, naming: bool = False) -> None:
        suspects = list({suspect.id: suspect for each in evidences for suspect in each.suspects}.values())
        chosen = [suspect for suspect in suspects if rng.random() < 0.5] or [rng.choice(suspects)]
        running = {
            asyncio.create_task(side.observe(suspect, 0, shared=False)): suspect.id
            for suspect in chosen
            for side in self._sides.values()
        }
        try:
            while True:  # once in each round at least, and again as long as any suspect is being asked
                meanwhile = frozenset(id_ for task, id_ in running.items() if not task.done())
                for evidence, failure in await self._ask(evidences, rng, counts=not naming):
                    evidence.beside.append((failure, meanwhile))
                evidences = [each for each in evidences if not each.decided]
                if naming or not evidences or all(task.done() for task in running):
                    return
        except asyncio.CancelledError:
            for task in running:
                task.cancel()
            raise
        finally:
            # Otherwise they end by themselves: one that is cancelled could leave something that disturbs others.
            await asyncio.gather(*running, return_exceptions=True)

    async def _ask(
        self, evidences: Sequence[_Evidence], rng: random.Random, *, counts: bool = True
    ) -> list[tuple[_Evidence, bool]]:
        """Ask each side once, in a drawn order; who answered on both, and whether it failed on any.

        Who could not be asked is out of time.
        """
        number = next(self._rounds)
        failures: dict[_Evidence, bool] = dict.fromkeys(evidences, False)
        slots = asyncio.Semaphore(AT_A_TIME)

        async def one(evidence: _Evidence, name: SideName) -> None:
            async with slots:
                seen = await self._sides[name].observe(evidence.behaviour, number, shared=len(evidences) > 1)
            if seen is not None:
                seen = self._watch.judged(evidence.behaviour.question, seen)
            if seen is None or seen.outcome is None:
                evidence.deadline = 0.0
                del failures[evidence]
                return
            if counts:
                evidence.attempts[name].append(seen)
            if evidence.failing()(seen):
                failures[evidence] = True
                evidence.steady = evidence.steady and not counts

        for name in rng.sample(list(SideName), k=2):
            async with asyncio.TaskGroup() as group:
                for evidence in list(failures):
                    group.create_task(one(evidence, name))
        return list(failures.items())


def _asked_meanwhile(evidence: _Evidence, phase: Iterable[tuple[Behaviour, Comparison]]) -> list[Behaviour]:
    """The behaviours of which an attempt overlapped with a failure, on the same side."""
    fails = evidence.failing()
    times = [
        (name, seen.begun, seen.started + seen.seconds)
        for name, side in evidence.attempts.items()
        for seen in side
        if fails(seen)
    ]

    def overlaps(comparison: Comparison) -> bool:
        sides = {SideName.OLD: comparison.old, SideName.NEW: comparison.new}
        return any(
            seen.begun < ended and started < seen.started + seen.seconds
            for name, started, ended in times
            for seen in sides[name]
        )

    return [behaviour for behaviour, comparison in phase if overlaps(comparison)]


def _explained(evidence: _Evidence) -> Comparison:
    """The comparison. Where it failed only beside other behaviours, it says beside which."""
    comparison = evidence.judged()
    if not evidence.failed_beside:
        return comparison
    side = SideName.NEW if comparison.verdict is Verdict.REGRESSED else _failing_side(evidence)
    named = disturber(evidence.beside)
    detail = f"fails only while {f'{named} is' if named else 'other behaviours are'} asked at the same time"
    counts = f" ({comparison.why.detail})" if comparison.why is not None else ""
    return replace(comparison, why=Why(side, Problem.UNSTEADY, detail + counts))


def _failing_side(evidence: _Evidence) -> SideName:
    fails = evidence.failing()
    return next((name for name, side in evidence.attempts.items() if any(map(fails, side))), SideName.NEW)


def disturber(beside: Sequence[tuple[bool, frozenset[str]]]) -> str:
    """The behaviour that ran beside every failure, and hardly ever beside successes; empty where there is none.

    `beside` has for each attempt whether it failed, and the ids of what ran meanwhile.
    """
    failures = [ids for failure, ids in beside if failure]
    successes = [ids for failure, ids in beside if not failure]
    if not failures or not successes:
        return ""

    def chance(id_: str) -> float:
        return more_often(
            sum(id_ in ids for ids in failures), len(failures), sum(id_ in ids for ids in successes), len(successes)
        )

    candidates = sorted(frozenset.intersection(*failures))
    best = min(candidates, key=chance, default="")
    return best if best and chance(best) < NAMED else ""


def _thinned(comparison: Comparison) -> Comparison:
    """Dozens of attempts: only the first and last ones and some failures keep their transcripts."""

    def thinned(attempts: Sequence[Observation]) -> tuple[Observation, ...]:
        answered = [seen for seen in attempts if seen.outcome is not None]
        fails = failing(comparison.question, answered, answered)
        failures = [number for number, seen in enumerate(attempts) if fails(seen)]
        kept = {0, 1, len(attempts) - 1, *failures[:KEPT]}
        return tuple(
            seen if number in kept else replace(seen, transcript=(), logs=()) for number, seen in enumerate(attempts)
        )

    return replace(comparison, old=thinned(comparison.old), new=thinned(comparison.new))
