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


def hear_ctrl_c() -> None:
    """In the new process: SIGINT counts, though a shell that runs these tests in the background ignores it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


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
        preexec_fn=hear_ctrl_c,  # noqa: PLW1509 - no other thread takes part
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


HANGS = """#!{python}
import os, subprocess, sys
if "version" in sys.argv:
    print("2.40.3")
    sys.exit()
stubborn = "import signal, time\\nfor n in (1, 2, 15): signal.signal(n, signal.SIG_IGN)\\nwhile True: time.sleep(60)"
child = subprocess.Popen([sys.executable, "-c", stubborn])
with open(os.environ["HANGING_PIDS"], "a") as file:
    file.write(f"{{os.getpid()}} {{child.pid}} ")
child.wait()
"""
"""A `docker` whose `compose` waits for a child that no signal but SIGKILL ends, and that holds its output."""


def hanging(folder: Path) -> dict[str, str]:
    """An environment in which `docker compose` hangs."""
    tool = folder / "bin" / "docker"
    tool.parent.mkdir()
    tool.write_text(HANGS.format(python=sys.executable))
    tool.chmod(0o755)
    path = f"{tool.parent}{os.pathsep}{os.environ['PATH']}"
    pids = str(folder / "pids")
    return {**os.environ, "PATH": path, "HANGING_PIDS": pids, "DOCKER_ORG": ORG, "PYTHONUNBUFFERED": "1"}


def running_pids(folder: Path) -> list[int]:
    """Those of the hanging commands and their children that still run."""
    path = folder / "pids"
    found = [int(word) for word in path.read_text().split()] if path.exists() else []
    return [pid for pid in found if Path(f"/proc/{pid}").exists() and "\nState:\tZ" not in _status(pid)]


def _status(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return "\nState:\tZ"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, None], ids=lambda n: n.name if n else "time-out")
def test_a_compose_that_hangs_keeps_no_run_from_ending(number: signal.Signals | None, tmp_path: Path) -> None:
    build()
    sides = ("--mailu-from", "2.0", "--mailu-to", "2024.06", "--mailu-pull", "never", "-k", "submission")
    seconds = ("--mailu-timeout", "5" if number is None else "600")
    output = tmp_path / "output"
    with output.open("w") as file:
        run = subprocess.Popen(
            command(*sides, *seconds),
            cwd=tmp_path,
            env=hanging(tmp_path),
            stdout=file,
            stderr=subprocess.STDOUT,
            preexec_fn=hear_ctrl_c,  # noqa: PLW1509 - no other thread takes part
        )
    try:
        eventually(lambda: len(running_pids(tmp_path)) >= 4, seconds=60)  # both sides, each with a child
        if number is not None:
            run.send_signal(number)
        status = run.wait(timeout=90)
    finally:
        run.kill()
    assert status not in (0, None), output.read_text()
    eventually(lambda: not running_pids(tmp_path))
    assert not left_by(run.pid), output.read_text()


def kept(pid: int, said: list[str]) -> list[str]:
    """What is left of a run, but for networks of which the engine itself is said not to let go."""
    return [name for name in left_by(pid) if not any(f"empty network {name} " in line for line in said)]


def swept(folder: Path, environ: dict[str, str], said: list[str]) -> bool:
    done = subprocess.run(
        command("--mailu-sweep"), cwd=folder, env=environ, check=False, timeout=120, stdout=subprocess.PIPE, text=True
    )
    said += done.stdout.splitlines()
    return done.returncode == 0
