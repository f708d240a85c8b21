"""However a run ends, nothing of it is left: at once after a signal it can hear, after the next run where it cannot."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab.build import ORG, build
from tests.lab.left import left_by
from tests.waiting import eventually

pytestmark = pytest.mark.engine

MOMENTS = {"start": "creating networks", "starting": ": starting", "mid-matrix": "ready after"}
"""When to strike, by what the run has just said."""
EVERY = [(number, moment) for moment in MOMENTS for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)]
SAMPLE = [(signal.SIGINT, "starting"), (signal.SIGTERM, "mid-matrix"), (signal.SIGKILL, "mid-matrix")]
"""What CI has time for; LAB_WHOLE=1 strikes at every moment with every signal."""


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]


@pytest.mark.parametrize(
    ("number", "moment"),
    EVERY if os.environ.get("LAB_WHOLE") else SAMPLE,
    ids=lambda value: value.name if isinstance(value, signal.Signals) else value,
)
def test_nothing_is_left_of_a_run_that_was_ended(number: signal.Signals, moment: str, tmp_path: Path) -> None:
    build()
    environ = {**os.environ, "DOCKER_ORG": ORG, "PYTHONUNBUFFERED": "1"}
    run = subprocess.Popen(
        command("--mailu-from", "2.0", "--mailu-to", "2024.06", "--mailu-pull", "never", "-k", "submission"),
        cwd=tmp_path,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert run.stdout is not None
    said = []
    for line in run.stdout:
        said.append(line)
        if MOMENTS[moment] in line:
            eventually(lambda: left_by(run.pid), seconds=60)
            run.send_signal(number)
            break
    said.extend(run.stdout)
    status = run.wait(timeout=120)
    assert status not in (0, None), "".join(said)
    if number is signal.SIGKILL:
        assert left_by(run.pid), "killed too late to prove anything"
        # Compose outlives the run, and finishes what it was about to create: whoever sweeps next finds that.
        eventually(lambda: swept(tmp_path, environ, said) and not kept(run.pid, said), seconds=60)
    assert not kept(run.pid, said), "".join(said)


def kept(pid: int, said: list[str]) -> list[str]:
    """What is left of a run, but for networks of which the engine itself is said not to let go."""
    return [name for name in left_by(pid) if not any(f"empty network {name} " in line for line in said)]


def swept(folder: Path, environ: dict[str, str], said: list[str]) -> bool:
    done = subprocess.run(
        command("--mailu-sweep"), cwd=folder, env=environ, check=False, timeout=120, stdout=subprocess.PIPE, text=True
    )
    said += done.stdout.splitlines()
    return done.returncode == 0
