"""The plugin against real Postfix, Dovecot and nginx: what it must say, and what it must not.

Everything runs through the engine. The old side of the faults is a recording, so each of them starts one stack.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_mailu.core.globs import any_of
from pytest_mailu.core.model import Decision, FailOn, Finding, Report, Verdict
from pytest_mailu.judging.judge import stops
from tests.lab import trial
from tests.lab.build import build
from tests.lab.faults import FAULTS, Fault

pytestmark = pytest.mark.engine

WHOLE = bool(os.environ.get("LAB_WHOLE"))
"""The upgrade by the whole matrix, with `LAB_WHOLE=1 scripts/test tests/lab`; CI has time for what matters most."""
NARROW = ("surface/*/served", "surface/client-setup/fallback-to-25", "access/*/login", "submission/*/external")

GONE = ("*/587-*", "*/587/*", "*/587", "*/143-*", "*/143/*", "*/143", "*/110-*", "*/110/*", "*/110")
"""The ports that the new personality serves only where PORTS names them."""


@pytest.fixture(scope="session", autouse=True)
def images() -> None:
    build()


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The faultless new personality with all ports, which also shows: the same against the same is no finding."""
    asked = [glob for fault in FAULTS.values() for glob in fault.caught_by]
    return trial.record(tmp_path_factory.mktemp("base"), asked)


@pytest.fixture(scope="session")
def upgrade(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return trial.compare(tmp_path_factory.mktemp("upgrade"), "2.0", "2024.06", only=None if WHOLE else NARROW)


def lost(report: Report) -> list[Finding]:
    """What is regressed and stops an upgrade; the new proxy also loses small things, such as TLS sessions."""
    return [finding for finding in report.findings if stops(finding, FailOn.MAJOR)]


def test_the_upgrade_regresses_what_was_closed_and_nothing_else(upgrade: Report) -> None:
    regressed = {finding.behaviour for finding in lost(upgrade)}
    stray = {id_ for id_ in regressed if not any_of(GONE, id_)} - {"surface/client-setup/fallback-to-25"}
    assert not stray
    assert {"submission/587-starttls/external", "access/143-starttls/login", "access/110-starttls/login"} <= regressed
    assert upgrade.decision is Decision.NO_GO


def test_the_upgrade_tells_of_one_cause_with_its_remedy(upgrade: Report) -> None:
    assert len({finding.root for finding in lost(upgrade)}) == 1
    assert all("PORTS=" in finding.advice[0].paste for finding in lost(upgrade))


def test_the_upgrade_gains_managesieve(upgrade: Report) -> None:
    gained = {finding.behaviour for finding in upgrade.findings if finding.verdict is Verdict.GAINED}
    assert "access/4190-starttls/login" in gained


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_is_caught_by_what_should_catch_it(fault: Fault, base: Path, tmp_path: Path) -> None:
    """Recall, by id, verdict, outcome and stage. What else may be hit is asked with `python -m tests.lab.tables`."""
    report = trial.with_fault(tmp_path, base, fault, only=fault.caught_by)
    told = [(finding.behaviour, finding.verdict, finding.new and finding.new.outcome) for finding in report.findings]
    assert not trial.missed(fault, report), told
    if fault.verdict == "regressed":
        assert report.decision is (Decision.NO_GO if fault.stops else Decision.GO)
