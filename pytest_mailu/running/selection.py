"""Which behaviours a run asks where none is named: without slow ones, and without those that no side knows."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from pytest_mailu.behaviours import Behaviour, Matrix
from pytest_mailu.core.errors import UsageError
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


def named(matrix: Matrix, names: Iterable[str], default: Selection) -> tuple[Behaviour, ...]:
    """The behaviours that `names` mean: ids, or beginnings of ids up to a slash, such as a family.

    Of a family it is what is compared by default, or everything where that is nothing. Raises UsageError, with the
    nearest name, where there is none.
    """
    found: dict[str, Behaviour] = {}
    for name in names:
        if name in matrix:
            found[name] = matrix[name]
            continue
        below = [behaviour for behaviour in matrix if behaviour.id.startswith(f"{name.rstrip('/')}/")]
        if not below:
            raise _unknown(name, matrix)
        usual = [behaviour for behaviour in default.chosen if behaviour in below]
        found |= {behaviour.id: behaviour for behaviour in usual or below}
    return tuple(found.values())


def _unknown(name: str, matrix: Matrix) -> UsageError:
    beginnings = {"/".join(parts[:number]) for each in matrix for parts in [each.id.split("/")] for number in (1, 2)}
    nearest = difflib.get_close_matches(name, [*beginnings, *(behaviour.id for behaviour in matrix)], n=1)
    hint = f"Did you mean mailu::{nearest[0]}? " if nearest else ""
    listing = "See the ids with: pytest --mailu-from … --mailu-to … --collect-only -q"
    return UsageError(f"there is no behaviour {name}", f"{hint}{listing}")


def is_newer(behaviour: Behaviour, side: Side) -> bool:
    """Whether a behaviour did not exist yet when the side was recorded."""
    return side.behaviours is not None and behaviour.id not in side.behaviours
