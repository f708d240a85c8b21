"""Which behaviours a run asks by default."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_mailu.behaviours.declaration import Behaviour
from pytest_mailu.core.model import Observation, Outcome, Question, Recording, Severity, SideInfo, Stage
from pytest_mailu.core.plan import Plan, RecordedSpec, ReleaseSpec
from pytest_mailu.core.releases import Release
from pytest_mailu.core.serialization import SCHEMA
from pytest_mailu.running.selection import Selection, select
from pytest_mailu.sides.recording import RecordingSide

GOOD = Observation(Outcome.DELIVERED, Stage.DELIVERY)
RECORDED = RecordedSpec("some.json")
TWO_RECORDINGS = Plan(RECORDED, RECORDED)
ONE_RECORDING = Plan(RECORDED, ReleaseSpec(Release("2.0")))


def a_behaviour(id_: str, *, deep: bool = False, option: str = "") -> Behaviour:
    async def ask(probe: Any) -> Observation:
        raise AssertionError("no behaviour is asked here")

    return Behaviour(
        Question(id_, "Title", "Breaks.", "Source", Outcome.DELIVERED, Severity.MAJOR), ask, deep=deep, option=option
    )


def recorded(*held: str, known: tuple[str, ...] | None = None) -> RecordingSide:
    """A recording that holds some behaviours, and was made with a matrix of these or of `known`."""
    return RecordingSide(Recording(SCHEMA, "0", SideInfo("2.0.43"), known or held, dict.fromkeys(held, (GOOD,))))


class Stack(RecordingSide):
    """A side that can be asked anything."""

    behaviours = None  # type: ignore[assignment]


A, B, SLOW = a_behaviour("a/1/x"), a_behaviour("b/1/x"), a_behaviour("s/1/x", deep=True)


def test_what_both_recordings_hold_is_compared() -> None:
    side = recorded("a/1/x", "b/1/x")
    assert select([A, B], TWO_RECORDINGS, side, side) == Selection((A, B))


def test_a_behaviour_that_is_newer_than_both_recordings_is_left_out() -> None:
    side = recorded("a/1/x")
    assert select([A, B], TWO_RECORDINGS, side, side) == Selection((A,), newer=(B,))


def test_what_only_an_option_can_answer_is_left_out_for_that_reason() -> None:
    side, own = Stack(Recording(SCHEMA, "0", SideInfo("2.0.43"), (), {})), a_behaviour("o/1/x", option="export")
    stacks = Plan(ReleaseSpec(Release("2.0")), ReleaseSpec(Release("2024.06")))
    assert select([A, own], stacks, side, side) == Selection((A,), own=(own,))
    assert select([A, own], replace(stacks, export=Path("x.json")), side, side) == Selection((A, own))


@pytest.mark.parametrize("reverse", [False, True])
def test_a_behaviour_that_is_newer_than_one_of_two_recordings_is_compared(reverse: bool) -> None:
    sides = [recorded("a/1/x"), recorded("a/1/x", "b/1/x")]
    old, new = reversed(sides) if reverse else sides
    assert select([A, B], TWO_RECORDINGS, old, new) == Selection((A, B))


def test_nothing_is_newer_than_a_stack() -> None:
    stack = Stack(Recording(SCHEMA, "0", SideInfo("2.0.43"), (), {}))
    assert select([A, B], ONE_RECORDING, recorded("a/1/x"), stack) == Selection((A, B))


def test_a_behaviour_that_a_recording_should_hold_and_does_not_is_compared() -> None:
    cut = recorded("a/1/x", known=("a/1/x", "b/1/x"))
    assert select([A, B], TWO_RECORDINGS, cut, cut) == Selection((A, B))


def test_a_slow_behaviour_is_compared_where_it_was_recorded_or_asked_for() -> None:
    without = recorded("a/1/x", known=("a/1/x", "s/1/x"))
    with_slow = recorded("a/1/x", "s/1/x")
    assert select([A, SLOW], TWO_RECORDINGS, without, without) == Selection((A,), slow=(SLOW,))
    assert select([A, SLOW], TWO_RECORDINGS, without, with_slow) == Selection((A, SLOW))
    assert select([A, SLOW], ONE_RECORDING, with_slow, with_slow) == Selection((A,), slow=(SLOW,))
    deep = Plan(RECORDED, RECORDED, deep=True)
    assert select([A, SLOW], deep, without, without) == Selection((A, SLOW))
