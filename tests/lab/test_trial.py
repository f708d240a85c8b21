"""A comparison in the lab is made again where the machine was too busy for it, and only there; without an engine."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from pytest_mailu.core.model import Problem, Report, SideName, Why
from pytest_mailu.judging.starvation import TOO_BUSY
from tests.lab import trial


def report(*details: str) -> Report:
    """As much of a report as is looked at: a finding for each detail of why nothing can be told, "" for a verdict."""
    whys = [Why(SideName.NEW, Problem.NOT_ASKED, detail) if detail else None for detail in details]
    return cast(Report, SimpleNamespace(findings=[SimpleNamespace(why=why) for why in whys]))


BUSY, TOLD, OTHER = report("", TOO_BUSY), report(""), report("not done within 75 s")


@pytest.mark.parametrize(
    ("made", "taken"),
    [
        ([TOLD, BUSY], 1),
        ([OTHER, TOLD], 1),
        ([BUSY, TOLD, BUSY], 2),
        ([BUSY, BUSY, BUSY, TOLD], 3),
    ],
    ids=["told", "another reason", "calm the second time", "never calm"],
)
def test_a_run_is_made_again_while_the_machine_is_too_busy_but_not_for_ever(made: list[Report], taken: int) -> None:
    waiting = iter(made)
    assert trial.unhurried(lambda: next(waiting)) is made[taken - 1]
    assert len(list(waiting)) == len(made) - taken
