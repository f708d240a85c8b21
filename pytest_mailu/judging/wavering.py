"""The rule that settles an answer that wavers: a sequential test over how often each side fails.

A side wavers where repeated attempts end differently, and new where some of its attempts lack a fact that old always
shows (see `losses`). Both sides are then asked again and again. Whenever each has as many attempts as one of `LOOKS`,
the rule is applied:

* new fails more often (Fisher's exact test, one-sided, with mid-p after Lancaster 1961, below `ERROR`): regressed; the
  other way round: gained;
* from `STEADY` attempts on, the same, where the upper limit of the difference of the rates (Newcombe 1998, method 10,
  one-sided 90 %) is below `MARGIN`;
* with the last of `LOOKS`, the same, where the mid-p is at least `DOUBT`; otherwise the evidence does not decide.

Error rates of the whole procedure, with all its looks and with the attempts that raised the suspicion
(`tests/judging/test_wavering.py` simulates them): two sides that fail equally often are called regressed in at most 3 %
of the cases, and stay open in at most 10 %. Where old never fails and new fails once in eight, that is called regressed
in at least 83 % and the same in at most 3 %; where new fails once in four, it is called regressed in at least 99 %.

Behaviours that share a look fail together. So a look counts once, however many behaviours share it, and those that
share one that wavers are settled together: each round is a new look for all of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from pytest_mailu.core.model import Observation, Outcome, Question, Stage, met
from pytest_mailu.judging.losses import losing

LOOKS = (6, 12, 20, 30, 40, 50, 60)
"""Attempts per side after which the evidence is looked at."""
ENOUGH = LOOKS[-1]
AGREEING = 4
"""After so many independent looks at each side that all agree, a difference has a mid-p below `ERROR`."""
STEADY = 20
ERROR = 0.0075
DOUBT = 0.1
MARGIN = 0.1
_Z = 1.2816
"""The 90 % quantile of the normal distribution."""


@dataclass(frozen=True, slots=True)
class Failures:
    """How many of the attempts of each side failed."""

    old: int
    old_attempts: int
    new: int
    new_attempts: int

    @property
    def attempts(self) -> int:
        """How many attempts each side has at least."""
        return min(self.old_attempts, self.new_attempts)

    @property
    def enough(self) -> bool:
        """Whether there are as many attempts as the first look needs."""
        return self.attempts >= LOOKS[0]

    def __str__(self) -> str:
        return f"new fails {self.new} of {self.new_attempts}, old {self.old} of {self.old_attempts}"


class Settled(Enum):
    """What the evidence says of two rates."""

    SAME = "same"
    REGRESSED = "regressed"
    GAINED = "gained"
    OPEN = "open"


def settled(failures: Failures) -> Settled:
    """What the failures of both sides amount to; pure."""
    worse = more_often(failures.new, failures.new_attempts, failures.old, failures.old_attempts)
    better = more_often(failures.old, failures.old_attempts, failures.new, failures.new_attempts)
    attempts = failures.attempts
    if not failures.enough:
        return Settled.OPEN
    if worse < ERROR:
        return Settled.REGRESSED
    if better < ERROR:
        return Settled.GAINED
    if attempts >= ENOUGH:
        return Settled.SAME if worse >= DOUBT else Settled.OPEN
    if attempts >= STEADY and upper_limit(failures) < MARGIN:
        return Settled.SAME
    return Settled.OPEN


def wavers(attempts: Sequence[Observation]) -> bool:
    """Whether a side differs from itself in how it ends."""
    return len({_end(attempt) for attempt in attempts if attempt.outcome is not None}) > 1


def failing(
    question: Question, old: Sequence[Observation], new: Sequence[Observation], volatile: Sequence[str] = ()
) -> Callable[[Observation], bool]:
    """Tells of an attempt whether it fails, given the answered attempts of both sides.

    It does where it is not as wanted, or, where nothing is wanted, does not end as usual; and where it lacks what old
    always shows.
    """
    usual = _end(usual_end((*old, *new)))
    loses = losing(question, old, volatile) if question.directions else None

    def fails(attempt: Observation) -> bool:
        if question.wanted is None or attempt.outcome is None:
            ends_badly = _end(attempt) != usual
        else:
            ends_badly = not met(question.wanted, attempt.outcome)
        return ends_badly or (loses is not None and loses(attempt))

    return fails


def usual_end(attempts: Sequence[Observation]) -> Observation:
    """The last of the attempts that end as most of them do."""
    ends = [_end(attempt) for attempt in attempts]
    return max(reversed(attempts), key=lambda attempt: ends.count(_end(attempt)))


def count(fails: Callable[[Observation], bool], old: Sequence[Observation], new: Sequence[Observation]) -> Failures:
    """The failures among the attempts that were answered."""
    return Failures(sum(map(fails, old)), len(old), sum(map(fails, new)), len(new))


def _end(attempt: Observation) -> tuple[Outcome | None, Stage]:
    return attempt.outcome, attempt.stage


def more_often(failed: int, attempts: int, other_failed: int, other_attempts: int) -> float:
    """The mid-p of Fisher's exact test: how likely so many failures, or more, are where both rates are equal."""
    total = failed + other_failed
    tables = math.comb(attempts + other_attempts, total)

    def probability(count: int) -> float:
        return math.comb(attempts, count) * math.comb(other_attempts, total - count) / tables

    return sum(probability(count) for count in range(failed + 1, min(total, attempts) + 1)) + probability(failed) / 2


def upper_limit(failures: Failures) -> float:
    """The upper limit of how much more often new fails than old."""
    old, new = failures.old / failures.old_attempts, failures.new / failures.new_attempts
    lowest_old = _wilson(old, failures.old_attempts, -_Z)
    highest_new = _wilson(new, failures.new_attempts, _Z)
    return new - old + math.hypot(highest_new - new, old - lowest_old)


def _wilson(rate: float, attempts: int, z: float) -> float:
    """One limit of Wilson's score interval."""
    centre = rate + z * z / (2 * attempts)
    spread = z * math.sqrt(rate * (1 - rate) / attempts + z * z / (4 * attempts * attempts))
    return (centre + spread) / (1 + z * z / attempts)
