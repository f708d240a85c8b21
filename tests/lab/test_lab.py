"""The plugin against real Postfix, Dovecot and nginx: what it must say, and what it must not.

Everything runs through the engine. The old side of the faults is a recording, so each group of them starts one stack.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from pytest_mailu.core.globs import any_of
from pytest_mailu.core.model import Decision, FailOn, Finding, Report, Verdict
from pytest_mailu.core.setups import SetUp
from pytest_mailu.judging.decision import stops
from tests.lab import trial
from tests.lab.build import build
from tests.lab.faults import FAULTS, Fault
from tests.lab.groups import grouped, in_the_matrix
from tests.lab.setups import name_of, setup_of

pytestmark = pytest.mark.engine

WHOLE = bool(os.environ.get("LAB_WHOLE"))
"""The upgrade by the whole matrix, and each fault in a stack of its own, with `LAB_WHOLE=1 scripts/test tests/lab`.

CI has time for what matters most, and tries those faults together that do not hide each other (groups.py).
"""
GROUPS = grouped(in_the_matrix(FAULTS.values()))
GROUP_OF = {fault.name: group for group in GROUPS for fault in group}
LARGEST = {fault.name for group in sorted(GROUPS, key=len)[-2:] for fault in group}
"""The groups that `scripts/test` takes without `--all`: two stacks with a third of all faults."""
NARROW = ("surface/*/served", "surface/client-setup/fallback-to-25", "access/*/login", "submission/*/external")

GONE = ("*/587-*", "*/587/*", "*/587", "*/143-*", "*/143/*", "*/143", "*/110-*", "*/110/*", "*/110")
"""The ports that the new personality serves only where PORTS names them."""


@pytest.fixture(scope="session", autouse=True)
def images() -> None:
    build()


@pytest.fixture(scope="session")
def bases(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[SetUp], Path]:
    """The faultless new personality with all ports, in a set-up; recorded once for all workers of pytest-xdist.

    It is asked what the chosen tests ask. That also shows: the same against the same is no finding.
    """
    chosen = {fault.name for item in request.session.items for fault in faults_of(item)}
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent

    @cache
    def base(setup: SetUp) -> Path:
        faults = [fault for fault in FAULTS.values() if setup_of(fault) == setup and fault.name in chosen]
        asked = [glob for fault in faults for glob in (*fault.caught_by, *fault.beside)]
        made = shared / f"base-{name_of(setup)}.json"
        with made.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not made.exists():
                shutil.copyfile(trial.record(tmp_path_factory.mktemp("base"), asked, setup), made)
        return made

    return base


def faults_of(item: pytest.Item) -> tuple[Fault, ...]:
    """The faults that are in the stack of a test."""
    fault = (
        item.callspec.params.get("fault") if isinstance(item, pytest.Function) and hasattr(item, "callspec") else None
    )
    return GROUP_OF[fault.name] if isinstance(fault, Fault) else ()


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


@pytest.fixture(scope="session")
def broken(bases: Callable[[SetUp], Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[[Fault], Report]:
    """The report of a stack with a fault, and with those of its group. Each group is started once."""

    @cache
    def with_all(names: tuple[str, ...], asked: tuple[str, ...]) -> Report:
        faults = [FAULTS[name] for name in names]
        return trial.with_faults(tmp_path_factory.mktemp("fault"), bases(setup_of(faults[0])), faults, asked)

    def with_fault(fault: Fault) -> Report:
        group = GROUP_OF[fault.name]
        asked = tuple(glob for each in group for glob in (*each.caught_by, *each.beside))
        return with_all(tuple(each.name for each in tried_with(fault)), asked)

    return with_fault


def tried_with(fault: Fault) -> tuple[Fault, ...]:
    """The faults that are in the same stack, this one among them."""
    return (fault,) if WHOLE else GROUP_OF[fault.name]


def named(fault: Fault) -> str:
    """Faults with the same first name share a stack, and so a worker of pytest-xdist (see the root's conftest.py)."""
    return f"{tried_with(fault)[0].name}:{fault.name}"


def tried(fault: Fault) -> Any:
    """The parameter of a fault. All but those of the largest groups are left to `scripts/test --all`."""
    return pytest.param(fault, id=named(fault), marks=() if fault.name in LARGEST else pytest.mark.long)


@pytest.mark.parametrize("fault", [tried(fault) for fault in FAULTS.values()])
def test_a_fault_is_caught_by_what_should_catch_it(fault: Fault, broken: Callable[[Fault], Report]) -> None:
    """Recall, by id, verdict, outcome and stage; and that nothing else is hit of what catches the faults of its group.

    The latter is worth most where the fault is alone in its stack (`LAB_WHOLE`): that is what makes the group a fair
    one. What else may be hit is asked with `python -m tests.lab.tables`.
    """
    report, present = broken(fault), tried_with(fault)
    names = "+".join(each.name for each in present)
    told = [(finding.behaviour, finding.verdict, finding.new and finding.new.outcome) for finding in report.findings]
    assert not trial.missed(fault, report), (fault.name, names, told)
    assert not trial.outside(present, report), (fault.name, names)
    if fault.verdict == "regressed":
        stopping = any(stops(finding, FailOn.MAJOR) for finding in trial.caught(fault, report))
        assert stopping is fault.stops, (fault.name, names, told)
    stopped = any(each.stops and each.verdict == "regressed" for each in present)
    assert report.decision is (Decision.NO_GO if stopped else Decision.GO), names
