"""Trouble of the surroundings ends inconclusive and CANNOT TELL: neither regressed nor GO."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_mailu.core.model import Decision, Verdict
from tests.lab.build import build
from tests.lab.disturbances import DISTURBANCES
from tests.lab.left import left_by

pytestmark = pytest.mark.engine


@pytest.mark.parametrize("what", DISTURBANCES)
def test_a_stack_disturbed_from_outside_is_inconclusive(what: str, tmp_path: Path) -> None:
    build()
    report = DISTURBANCES[what](tmp_path)
    verdicts = {finding.verdict for finding in report.findings}
    assert verdicts == {Verdict.INCONCLUSIVE}, [(f.behaviour, f.verdict, f.why) for f in report.findings]
    assert report.decision is Decision.CANNOT_TELL
    assert not left_by(os.getpid())
