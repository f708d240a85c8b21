"""Which behaviours a run asks where none is named: without slow ones, and without those that no side knows."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from pytest_mailu.behaviours import Behaviour, Matrix
from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.model import LeftOut
from pytest_mailu.core.optional_services import service_words
from pytest_mailu.core.plan import Plan
from pytest_mailu.core.setups import DEFAULT, SetUp, words_of
from pytest_mailu.sides.base import Side


@dataclass(frozen=True, slots=True)
class Selection:
    """The matrix in its parts.

    `slow` is left to `--mailu-deep`, `in_place` to `--mailu-in-place`, `own` to the option that each names; `newer` are
    behaviours that did not exist when both recordings were made; `unanswered` are those that the set-up cannot answer,
    `unserved` those that need an optional service which it does not start.
    """

    chosen: tuple[Behaviour, ...] = ()
    slow: tuple[Behaviour, ...] = ()
    newer: tuple[Behaviour, ...] = ()
    in_place: tuple[Behaviour, ...] = ()
    own: tuple[Behaviour, ...] = ()
    unanswered: tuple[Behaviour, ...] = ()
    unserved: tuple[Behaviour, ...] = ()

    @property
    def left(self) -> dict[LeftOut, tuple[str, ...]]:
        """The ids of what a run could compare and does not, by reason."""
        parts = {
            LeftOut.SLOW: self.slow,
            LeftOut.IN_PLACE: self.in_place,
            LeftOut.OWN: self.own,
            LeftOut.NEWER: self.newer,
        }
        return {reason: tuple(behaviour.id for behaviour in part) for reason, part in parts.items()}


def select(matrix: Iterable[Behaviour], plan: Plan, old: Side, new: Side) -> Selection:
    """The selection of a run by default.

    A slow behaviour is asked with `--mailu-deep`, or where it costs no time: two recordings, of which one has it.
    """
    chosen, slow, newer = list[Behaviour](), list[Behaviour](), list[Behaviour]()
    in_place, own = list[Behaviour](), list[Behaviour]()
    for behaviour in matrix:
        recorded = any(side.recorded_attempts(behaviour.id) for side in (old, new))
        if behaviour.in_place and not (plan.in_place or recorded):
            in_place.append(behaviour)
        elif behaviour.option and getattr(plan, behaviour.option) is None and not recorded:
            own.append(behaviour)
        elif all(is_newer(behaviour, side) for side in (old, new)):
            newer.append(behaviour)
        elif plan.deep or not behaviour.deep or (recorded and not plan.starts_stacks):
            chosen.append(behaviour)
        else:
            slow.append(behaviour)
    return Selection(tuple(chosen), tuple(slow), tuple(newer), tuple(in_place), tuple(own))


def named(matrix: Matrix, names: Iterable[str], default: Selection, setup: SetUp = DEFAULT) -> tuple[Behaviour, ...]:
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
            raise _not_in_setup(name, default, setup) or _unknown(name, matrix)
        usual = [behaviour for behaviour in default.chosen if behaviour in below]
        found |= {behaviour.id: behaviour for behaviour in usual or below}
    return tuple(found.values())


def _not_in_setup(name: str, default: Selection, setup: SetUp) -> UsageError | None:
    """The error for a name that means behaviours which the set-up cannot answer."""
    for behaviour in (*default.unserved, *default.unanswered):
        if behaviour.id == name or behaviour.id.startswith(f"{name.rstrip('/')}/"):
            cannot = f"the set-up {setup.name} cannot answer {name}: it needs"
            if missing := behaviour.services - setup.services:
                add = f"--mailu-with {','.join(sorted(missing))}"
                return UsageError(f"{cannot} {service_words(missing)}", f"Add {add}; a recording keeps its services.")
            needs = words_of(behaviour.of_setup - setup.features_at(behaviour.question.endpoint))
            return UsageError(f"{cannot} {needs}", "Choose another --mailu-setup.")
    return None


def _unknown(name: str, matrix: Matrix) -> UsageError:
    beginnings = {"/".join(parts[:number]) for each in matrix for parts in [each.id.split("/")] for number in (1, 2)}
    nearest = difflib.get_close_matches(name, [*beginnings, *(behaviour.id for behaviour in matrix)], n=1)
    hint = f"Did you mean mailu::{nearest[0]}? " if nearest else ""
    listing = "See the ids with: pytest --mailu-from … --mailu-to … --collect-only -q"
    return UsageError(f"there is no behaviour {name}", f"{hint}{listing}")


def is_newer(behaviour: Behaviour, side: Side) -> bool:
    """Whether a behaviour did not exist yet when the side was recorded."""
    return side.behaviours is not None and behaviour.id not in side.behaviours
