"""Settles an answer that wavers by asking more: alone, then beside the behaviours that ran when it failed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pytest_mailu.behaviours.declaration import Behaviour
from pytest_mailu.core.model import Comparison, Observation, Problem, SideName, Verdict, Why
from pytest_mailu.judging.judge import judge
from pytest_mailu.judging.wavering import LOOKS, STEADY, failed, more_often, usual_end
from pytest_mailu.sides.base import Side

SECONDS = 120.0
"""How long one behaviour may be asked."""
SECONDS_IN_ALL = 300.0
"""How long a run may spend on it."""
NAMED = 0.15
"""A behaviour that ran beside every failure is named where the mid-p of that coincidence is below this."""
NAMING_ROUNDS = 12
"""How often it is asked for the name alone, once the verdict stands. These attempts do not count."""
KEPT = 3
"""Of how many failures of each side the transcript is kept, beside the first and the last attempts."""


@dataclass(slots=True)
class _Evidence:
    """What was asked so far. `beside` has, for each failure and each success, which behaviours ran meanwhile."""

    behaviour: Behaviour
    attempts: Mapping[SideName, list[Observation]]
    deadline: float
    beside: list[tuple[bool, frozenset[str]]] = field(default_factory=list)

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

    def failed(self, seen: Observation) -> bool:
        answered = [each for side in self.attempts.values() for each in side if each.outcome is not None]
        return seen.outcome is not None and failed(self.behaviour.question, seen, usual_end(answered))


class Settling:
    """Asks both sides of a run. The order of asking is drawn from `seed`."""

    def __init__(
        self, old: Side, new: Side, seed: int, *, seconds: float = SECONDS, seconds_in_all: float = SECONDS_IN_ALL
    ) -> None:
        self._sides: Mapping[SideName, Side] = {SideName.OLD: old, SideName.NEW: new}
        self._seed = seed
        self._seconds = seconds
        self._left = seconds_in_all

    def possible(self, comparison: Comparison) -> bool:
        """Whether asking more can settle it: a recording gives no more than it holds."""
        return comparison.verdict is Verdict.UNSTABLE and all(
            side.behaviours is None and not side.recorded_attempts(comparison.question.id)
            for side in self._sides.values()
        )

    async def settle(
        self, behaviour: Behaviour, comparison: Comparison, phase: Iterable[tuple[Behaviour, Comparison]] = ()
    ) -> Comparison:
        """Ask until the evidence decides, or until there is no time left: then the comparison stays unstable.

        Nothing else is asked meanwhile. `phase` are the behaviours that were asked at the same time as this one.
        """
        loop = asyncio.get_running_loop()
        started = loop.time()
        evidence = _Evidence(
            behaviour,
            {SideName.OLD: list(comparison.old), SideName.NEW: list(comparison.new)},
            deadline=started + min(self._seconds, self._left),
        )
        suspects = _asked_meanwhile(evidence, phase)
        rng = random.Random(f"{self._seed} {behaviour.id}")  # noqa: S311 - an order, not a secret
        try:
            steady = await self._alone(evidence, rng, until=STEADY if suspects else LOOKS[-1])
            if steady and suspects:
                await self._beside(evidence, suspects, rng)
        finally:
            self._left = max(self._left - (loop.time() - started), 0.0)
        return _thinned(_explained(evidence))

    async def _alone(self, evidence: _Evidence, rng: random.Random, until: int) -> bool:
        """Ask while nothing else is asked; whether no attempt failed. After the first failure it goes on to the end."""
        before = evidence.number
        steady = True
        while not evidence.decided and (evidence.number - before < until or not steady):
            failed_sides = await self._ask(evidence, rng)
            if failed_sides is None:
                return False
            steady = steady and not failed_sides
        return steady

    async def _beside(self, evidence: _Evidence, suspects: Sequence[Behaviour], rng: random.Random) -> None:
        """Ask while a drawn half of the suspects is asked too, round by round; then some rounds to name the culprit."""
        while not evidence.decided:
            await self._round(evidence, suspects, rng)
        for _ in range(NAMING_ROUNDS):
            if evidence.out_of_time or not evidence.failed_beside or disturber(evidence.beside):
                return
            await self._round(evidence, suspects, rng, naming=True)

    async def _round(
        self, evidence: _Evidence, suspects: Sequence[Behaviour], rng: random.Random, *, naming: bool = False
    ) -> None:
        chosen = [suspect for suspect in suspects if rng.random() < 0.5] or [rng.choice(suspects)]
        running = {
            asyncio.create_task(side.observe(suspect, 0)): suspect.id
            for suspect in chosen
            for side in self._sides.values()
        }
        try:
            while True:  # once in each round at least, and again as long as any suspect is being asked
                meanwhile = frozenset(id_ for task, id_ in running.items() if not task.done())
                failed_sides = await self._ask(evidence, rng, counts=not naming)
                if failed_sides is None:
                    return
                evidence.beside.append((bool(failed_sides), meanwhile))
                if naming or evidence.decided or all(task.done() for task in running):
                    return
        except asyncio.CancelledError:
            for task in running:
                task.cancel()
            raise
        finally:
            # Otherwise they end by themselves: one that is cancelled could leave something that disturbs others.
            await asyncio.gather(*running, return_exceptions=True)

    async def _ask(self, evidence: _Evidence, rng: random.Random, *, counts: bool = True) -> list[SideName] | None:
        """Ask each side once, in a drawn order; the sides that failed, or None where one could not be asked."""
        failed_sides = []
        for name in rng.sample(list(SideName), k=2):
            seen = await self._sides[name].observe(evidence.behaviour, len(evidence.attempts[name]))
            if seen is None or seen.outcome is None:
                evidence.deadline = 0.0
                return None
            if counts:
                evidence.attempts[name].append(seen)
            if evidence.failed(seen):
                failed_sides.append(name)
        return failed_sides


def _asked_meanwhile(evidence: _Evidence, phase: Iterable[tuple[Behaviour, Comparison]]) -> list[Behaviour]:
    """The behaviours of which an attempt overlapped with a failure, on the same side."""
    times = [
        (name, seen.started, seen.started + seen.seconds)
        for name, side in evidence.attempts.items()
        for seen in side
        if evidence.failed(seen)
    ]

    def overlaps(comparison: Comparison) -> bool:
        sides = {SideName.OLD: comparison.old, SideName.NEW: comparison.new}
        return any(
            seen.started < ended and started < seen.started + seen.seconds
            for name, started, ended in times
            for seen in sides[name]
        )

    return [other for other, comparison in phase if other.id != evidence.behaviour.id and overlaps(comparison)]


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
    return next((name for name, side in evidence.attempts.items() if any(map(evidence.failed, side))), SideName.NEW)


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
        usual = usual_end([seen for seen in attempts if seen.outcome is not None])
        failures = [number for number, seen in enumerate(attempts) if failed(comparison.question, seen, usual)]
        kept = {0, 1, len(attempts) - 1, *failures[:KEPT]}
        return tuple(
            seen if number in kept else replace(seen, transcript=(), logs=()) for number, seen in enumerate(attempts)
        )

    return replace(comparison, old=thinned(comparison.old), new=thinned(comparison.new))
