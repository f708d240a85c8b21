"""Measured numbers differ where no repetition reaches the other side, and in no other case."""

from __future__ import annotations

import json
import random

import pytest

from pytest_mailu.core.measures import measure, ratio, read_measure
from pytest_mailu.core.model import Direction, Observation, Outcome, Question, Severity, Stage, Verdict
from pytest_mailu.judging.compare import differences, noise
from pytest_mailu.judging.judge import judge, severity


def compared(old: list[float], new: list[float], least: float = 0.1) -> float | None:
    one, other = (read_measure(measure(values, "s", least)) for values in (old, new))
    assert one is not None
    assert other is not None
    return ratio(one, other)


@pytest.mark.parametrize(
    ("old", "new", "times"),
    [
        ([1.0, 1.1, 0.9], [2.0, 2.2, 2.1], 2.1),
        ([2.0, 2.2, 2.1], [1.0, 1.1, 0.9], 1.0 / 2.1),
        ([1.0, 1.1, 0.9], [1.3, 1.4, 1.35], None),  # below the factor
        ([1.0, 2.4, 0.9], [2.0, 2.2, 2.1], None),  # one repetition reaches the other side
        ([0.01, 0.01, 0.01], [0.04, 0.05, 0.04], None),  # too little to matter
        ([1.0, 1.0], [3.0, 3.0], None),  # too few
        ([0.0, 0.0, 0.0], [1.0, 1.0, 1.0], None),  # no ratio over nothing
    ],
)
def test_a_ratio_is_told_outside_of_noise_only(old: list[float], new: list[float], times: float | None) -> None:
    assert compared(old, new) == (pytest.approx(times) if times else None)


def test_the_same_against_itself_differs_in_fewer_than_one_of_a_hundred() -> None:
    rng = random.Random(3)
    told = [
        compared(*([rng.gauss(1.0, 0.15) for _ in range(3)] for _ in range(2)))  # type: ignore[misc]
        for _ in range(2000)
    ]
    assert sum(times is not None for times in told) < 10


def test_numbers_of_another_run_never_differ() -> None:
    here = measure([1.0, 1.0, 1.0], "s", 0.1)
    elsewhere = {**json.loads(json.dumps(measure([9.0, 9.0, 9.0], "s", 0.1))), "run": "another"}
    old, new = (Observation(Outcome.ACCEPTED, Stage.SETTINGS, None, {"time": fact}) for fact in (here, elsewhere))
    assert differences(old, new) == ()
    same_run = Observation(Outcome.ACCEPTED, Stage.SETTINGS, None, {"time": {**elsewhere, "run": here["run"]}})
    (difference,) = differences(old, same_run)
    assert difference.path == "facts.time"
    assert difference.new.endswith(": 9 times")


def test_a_dearer_release_is_a_change_of_severity_info_and_noise_is_none() -> None:
    question = Question("services/admin/cost", "t", "b", "s", None, Severity.INFO)

    def seen(*values: float) -> Observation:
        return Observation(Outcome.ACCEPTED, Stage.SETTINGS, None, {"time": measure(values, "s", 0.1)})

    dearer = judge(question, [seen(1, 1.1, 1)] * 2, [seen(3, 3.1, 3), seen(3, 3, 3)])
    assert dearer.verdict is Verdict.CHANGED
    assert severity(dearer) is Severity.INFO
    assert judge(question, [seen(1, 1.1, 1)], [seen(1.2, 1.3, 1.2)]).verdict is Verdict.SAME
    # A side that measures three times as much when asked again tells nothing.
    assert noise([seen(1, 1, 1), seen(3, 3, 3)]) == {"facts.time"}


def test_a_fact_of_another_form_is_no_measure() -> None:
    for fact in ({}, {"measured": []}, {"measured": "1"}, {"measured": ["a"]}, {"values": [1]}):
        assert read_measure(fact) is None
    assert Direction.MORE  # measures have no direction: more is not worse by itself
