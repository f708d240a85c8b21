"""What a usual run leaves out, and that it hides nothing."""

from __future__ import annotations

from itertools import pairwise

import pytest

from pytest_mailu.behaviours import Matrix, built_in
from pytest_mailu.behaviours.in_setup import in_setup
from pytest_mailu.core.globs import matches
from pytest_mailu.core.model import Decision, Report, Verdict
from pytest_mailu.core.plan import Plan, side_spec
from pytest_mailu.core.releases import Release
from pytest_mailu.core.shipped import shipped
from pytest_mailu.running.whole_run import compare_sides
from pytest_mailu.sides.recording import load
from tests.lab.faults import FAULTS
from tests.lab.setups import setup_of

PAIRS = tuple(pairwise(sorted(shipped(), key=Release.parse)))


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_the_usual_run_tells_of_every_cause_that_the_recordings_show(old: str, new: str) -> None:
    matrix = built_in()
    usual = Matrix(behaviour for behaviour in matrix if not behaviour.deep)
    whole, short = _report(old, new, matrix), _report(old, new, usual)
    assert short.decision is whole.decision is not Decision.CANNOT_TELL
    assert _causes(whole) - _causes(short) == set()
    assert len(_causes(short)) > 1, "nothing to lose"


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if not fault.deep])
def test_the_usual_run_can_catch_every_fault_of_the_lab(name: str) -> None:
    here = in_setup(built_in(), setup_of(FAULTS[name])).answered
    usual = [behaviour.id for behaviour in here if not behaviour.deep]
    missing = [glob for glob in FAULTS[name].caught_by if not any(matches(glob, id_) for id_ in usual)]
    assert missing == []


def test_more_than_the_half_is_asked_in_any_case() -> None:
    matrix = built_in()
    assert sum(not behaviour.deep for behaviour in matrix) > len(matrix) / 2


def _report(old: str, new: str, matrix: Matrix) -> Report:
    sides = side_spec(f"recorded:{old}"), side_spec(f"recorded:{new}")
    recorded = {id_ for side in sides for id_ in load(str(side)).observations}
    return compare_sides(Plan(*sides), matrix, [behaviour for behaviour in matrix if behaviour.id in recorded])[0]


def _causes(report: Report) -> set[str]:
    """What differs has an explanation, or a root of its own."""
    told = [finding for finding in report.findings if finding.verdict is not Verdict.INCONCLUSIVE]
    return {advice.id for finding in told for advice in finding.advice} | {
        finding.root for finding in told if not finding.advice
    }
