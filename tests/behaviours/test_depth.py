"""What a usual run leaves out, and that it hides nothing."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import pairwise

import pytest

from pytest_mailu.behaviours import Matrix, built_in
from pytest_mailu.behaviours.in_setup import in_setup
from pytest_mailu.core.globs import matches
from pytest_mailu.core.model import Decision, FailOn, Finding, Report, Verdict
from pytest_mailu.core.plan import Plan, side_spec
from pytest_mailu.core.releases import Release
from pytest_mailu.core.shipped import shipped
from pytest_mailu.judging.decision import stops
from pytest_mailu.running.whole_run import compare_sides
from pytest_mailu.sides.recording import load
from tests.lab.faults import FAULTS
from tests.lab.setups import setup_of

PAIRS = tuple(pairwise(sorted(shipped(), key=Release.parse)))
LEFT_TO_DEEP = {
    "mailbox-imap-looked-up-by-name": "the container of imap is taken away and made anew, alone: 20 seconds",
    "admin-fetch-form-without-folders": "fetched accounts need other settings, and so a restart",
    "tls-first-certificate-needs-restart": "front is started without its certificate, alone: a minute",
    "scanners-down-at-start": "Rspamd is started without its antivirus, alone, and started over afterwards: a minute",
    "automatic-replies-with-backslash-lost": "one of 20 classes of characters; a usual run asks the five commonest",
}
"""What stops an upgrade and a usual run does not tell of: the advice, and what it would cost."""


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_the_usual_run_tells_of_every_cause_that_stops_an_upgrade(old: str, new: str) -> None:
    whole, short = _report(old, new), _report(old, new, deep=False)
    left = _stopping(whole) - _causes(short)
    assert left <= LEFT_TO_DEEP.keys()
    assert Decision.CANNOT_TELL not in (short.decision, whole.decision)
    assert short.decision is whole.decision or (left and not _stopping(short))
    assert len(_causes(short)) > 1, "nothing to lose"


def test_what_is_left_to_deep_runs_is_seen_by_them() -> None:
    told = set[str]().union(*(_stopping(_report(old, new)) for old, new in PAIRS))
    assert told >= LEFT_TO_DEEP.keys()


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if not fault.deep])
def test_the_usual_run_can_catch_every_fault_of_the_lab(name: str) -> None:
    here = in_setup(built_in(), setup_of(FAULTS[name])).answered
    usual = [behaviour.id for behaviour in here if not behaviour.deep]
    missing = [glob for glob in FAULTS[name].caught_by if not any(matches(glob, id_) for id_ in usual)]
    assert missing == []


def test_more_than_the_half_is_asked_in_any_case() -> None:
    matrix = built_in()
    assert sum(not behaviour.deep for behaviour in matrix) > len(matrix) / 2


@cache
def _report(old: str, new: str, *, deep: bool = True) -> Report:
    matrix = Matrix(behaviour for behaviour in built_in() if deep or not behaviour.deep)
    sides = side_spec(f"recorded:{old}"), side_spec(f"recorded:{new}")
    # What one of the two does not have (the scanner of macros, in 1.9) is asked of neither.
    recorded = set.intersection(*({*load(str(side)).observations} for side in sides))
    return compare_sides(Plan(*sides), matrix, [behaviour for behaviour in matrix if behaviour.id in recorded])[0]


def _stopping(report: Report) -> set[str]:
    """The causes of what stops an upgrade."""
    return _named([finding for finding in report.findings if stops(finding, FailOn.MAJOR)])


def _causes(report: Report) -> set[str]:
    """The causes of what differs."""
    return _named([finding for finding in report.findings if finding.verdict is not Verdict.INCONCLUSIVE])


def _named(told: Sequence[Finding]) -> set[str]:
    """What differs has an explanation, or a root of its own."""
    return {advice.id for finding in told for advice in finding.advice} | {
        finding.root for finding in told if not finding.advice
    }
