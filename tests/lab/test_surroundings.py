"""Trouble of the surroundings is never the release's fault: inconclusive and CANNOT TELL, neither regressed nor GO."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import docker
import pytest

from pytest_mailu.model import Decision, Verdict
from tests.lab import trial
from tests.lab.build import build
from tests.lab.gate import Gate
from tests.lab.left import container_of, left_by, remove_all_of

pytestmark = pytest.mark.engine

ASKED = (
    "inbound/25-starttls/*",
    "mailbox/993/append*",
    "mailbox/993/flags",
    "mailbox/993/move",
    "access/993-tls/login",
)


def kill() -> None:
    container_of(os.getpid(), "imap").kill()


def pause() -> None:
    container_of(os.getpid(), "imap").pause()


def cut() -> None:
    container = container_of(os.getpid(), "imap")
    [network] = container.attrs["NetworkSettings"]["Networks"]
    docker.from_env().networks.get(network).disconnect(container)


def remove_the_world() -> None:
    container_of(os.getpid(), "world").kill()


def test_an_engine_that_goes_makes_it_inconclusive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build()
    with Gate(tmp_path / "engine") as gate:
        monkeypatch.setenv("DOCKER_HOST", gate.address)
        try:
            report = trial.compare(tmp_path, "2024.06", "2024.06", only=ASKED, disturb=gate.shut)
        finally:
            monkeypatch.undo()
            remove_all_of(os.getpid())
    verdicts = {finding.verdict for finding in report.findings}
    assert verdicts == {Verdict.INCONCLUSIVE}, [(f.behaviour, f.verdict, f.why) for f in report.findings]
    assert report.decision is Decision.CANNOT_TELL


@pytest.mark.parametrize("disturb", [kill, pause, cut, remove_the_world], ids=lambda function: function.__name__)
def test_a_stack_disturbed_from_outside_is_inconclusive(disturb: Callable[[], None], tmp_path: Path) -> None:
    build()
    report = trial.compare(tmp_path, "2024.06", "2024.06", only=ASKED, disturb=disturb)
    verdicts = {finding.verdict for finding in report.findings}
    assert verdicts == {Verdict.INCONCLUSIVE}, [(f.behaviour, f.verdict, f.why) for f in report.findings]
    assert report.decision is Decision.CANNOT_TELL
    assert not left_by(os.getpid())
