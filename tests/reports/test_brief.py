"""What pytest's FAILURES say of one finding."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_mailu.core.model import Observation, Outcome, Reply, Severity, Stage
from pytest_mailu.judging.findings import findings
from pytest_mailu.judging.judge import judge
from pytest_mailu.reports.brief import brief
from tests.questions import asked


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            ({"served": True}, None),
            ({"served": False}, None),
            ["  both sides: accepted at command", "  differs: served: yes → no"],
        ),
        (
            ({"served": True}, Reply("200", "", "Done")),
            ({"served": False}, Reply("200", "", "Well done")),
            [
                "  old: accepted at command: 200 Done",
                "  new: accepted at command: 200 Well done",
                "  differs: served: yes → no",
            ],
        ),
    ],
)
def test_sides_that_ended_alike_are_told_with_what_differs(old: Any, new: Any, told: list[str]) -> None:
    """Two equal lines said nothing of the fact that was lost."""
    sides = [Observation(Outcome.ACCEPTED, Stage.COMMAND, reply, facts) for facts, reply in (old, new)]
    question = asked("surface/25/greeting", wanted=None, severity=Severity.MAJOR)
    (found,) = findings([judge(question, [sides[0]], [sides[1]])])
    text = brief(found).splitlines()
    assert [line for line in text if line.startswith(("  both", "  old", "  new", "  differs"))] == told


def test_sides_that_ended_differently_are_told_apart_and_no_more() -> None:
    ends = (Observation(Outcome.DELIVERED, Stage.DELIVERY), Observation(Outcome.UNREACHABLE, Stage.CONNECT))
    (found,) = findings([judge(asked("submission/587-starttls/external"), [ends[0]], [ends[1]])])
    assert "  old: delivered\n  new: port closed" in brief(found)
    assert "differs" not in brief(found)
