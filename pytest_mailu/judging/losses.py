"""Which differences are losses: those that go against the direction in which a fact serves people."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pytest_mailu.core.globs import matches
from pytest_mailu.core.model import Difference, Direction, Observation, Outcome, Question
from pytest_mailu.core.text import whole_number
from pytest_mailu.judging.compare import differences, noise

SERVED = frozenset({Outcome.DELIVERED, Outcome.ACCEPTED, Outcome.ALTERED})
"""What somebody who tried a function without a wanted outcome can live with."""


def lost_facts(question: Question, found: Iterable[Difference]) -> tuple[Difference, ...]:
    """The differences that go against the direction in which a fact serves people."""
    return tuple(
        difference
        for difference in found
        if any(
            _is_loss(difference, direction)
            for path, direction in question.directions.items()
            if matches(path, difference.path) or matches(path, difference.path.partition("[")[0])
        )
    )


def losing(
    question: Question, old: Sequence[Observation], volatile: Sequence[str] = ()
) -> Callable[[Observation], bool]:
    """Tells of an attempt whether it lacks a fact that old shows in every one of its own."""
    unsteady = noise(old)

    def loses(attempt: Observation) -> bool:
        found = differences(old[-1], attempt, volatile)
        return bool(lost_facts(question, (each for each in found if each.path not in unsteady)))

    return loses


def _is_loss(difference: Difference, direction: Direction) -> bool:
    match direction:
        case Direction.KEPT:
            return difference.kind == "removed"
        case Direction.TRUE:
            return difference.old is True and difference.new is not True
        case Direction.MORE:
            return difference.kind == "removed" or _less(difference.new, difference.old)
        case Direction.FEWER:
            return difference.kind == "added" or _less(difference.old, difference.new)
        case Direction.FIXED:
            return difference.kind != "added"
        case Direction.SERVED:
            return difference.old in SERVED and difference.new not in SERVED


def _less(left: Any, right: Any) -> bool:
    """Whether a number is less than another; servers write some of them as text (`SIZE 50000000`)."""
    numbers: list[Any] = [whole_number(value) if isinstance(value, str) else value for value in (left, right)]
    return all(isinstance(number, int | float) for number in numbers) and numbers[0] < numbers[1]
