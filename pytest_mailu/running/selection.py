"""Which behaviours a run asks where none is named: without slow ones, and without those that no side knows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pytest_mailu.behaviours import Behaviour
from pytest_mailu.core.plan import Plan
from pytest_mailu.sides.base import Side


@dataclass(frozen=True, slots=True)
class Selection:
    """The matrix in three parts.

    `slow` is left to `--mailu-deep`; `newer` are behaviours that did not exist when both recordings were made.
    """

    chosen: tuple[Behaviour, ...] = ()
    slow: tuple[Behaviour, ...] = ()
    newer: tuple[Behaviour, ...] = ()


def select(matrix: Iterable[Behaviour], plan: Plan, old: Side, new: Side) -> Selection:
    """The selection of a run by default.

    A slow behaviour is asked with `--mailu-deep`, or where it costs no time: two recordings, of which one has it.
    """
    chosen, slow, newer = list[Behaviour](), list[Behaviour](), list[Behaviour]()
    for behaviour in matrix:
        recorded = any(side.recorded_attempts(behaviour.id) for side in (old, new))
        if all(is_newer(behaviour, side) for side in (old, new)):
            newer.append(behaviour)
        elif plan.deep or not behaviour.deep or (recorded and not plan.starts_stacks):
            chosen.append(behaviour)
        else:
            slow.append(behaviour)
    return Selection(tuple(chosen), tuple(slow), tuple(newer))


def is_newer(behaviour: Behaviour, side: Side) -> bool:
    """Whether a behaviour did not exist yet when the side was recorded."""
    return side.behaviours is not None and behaviour.id not in side.behaviours
