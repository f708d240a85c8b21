"""However a run ends, nothing of it is left: at once after a signal it can hear, after the next run where it cannot.

`LAB_WHOLE=1 pytest tests/lab/test_kills.py` strikes at every moment with every signal, also while Docker Compose hangs
and while the engine is frozen. Others on the same engine are untouched each time.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from pytest_mailu.stack.docker.engine import Engine
from tests.lab.build import ORG, build
from tests.lab.gate import Gate
from tests.lab.left import left_by
from tests.lab.neighbours import neighbours
from tests.waiting import eventually

pytestmark = [pytest.mark.engine, pytest.mark.long]

STRIKES = 20
"""So many moments from the start of a run to its end, at equal distances."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
WHOLE = bool(os.environ.get("LAB_WHOLE"))
"""At every moment with every signal; CI has time for a sample."""
EVERY = [(number, strike) for number in SIGNALS for strike in range(1, STRIKES + 1)]
RUNNING = EVERY if WHOLE else [(signal.SIGINT, 8), (signal.SIGTERM, 14), (signal.SIGKILL, 11)]
HANGING = (
    [*EVERY, *((None, strike) for strike in range(1, STRIKES + 1))] if WHOLE else [(signal.SIGINT, 10), (None, 10)]
)
FROZEN = EVERY if WHOLE else [(signal.SIGTERM, 9)]
ROOT = str(Path(__file__).parents[2])
SIDES = ("--mailu-from", "2.0", "--mailu-to", "2024.06", "--mailu-pull", "never", "-k", "submission")
LONGEST = 240.0
"""Seconds that a run may take to end after a signal that it hears: an engine that hangs is given up after a minute."""
IMPATIENT = () if WHOLE else ("-p", "tests.lab.impatient")
"""CI gives up an engine that hangs as the plugin does, but sooner."""


def hear_ctrl_c() -> None:
    """In the new process: SIGINT counts, though a shell that runs these tests in the background ignores it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]


@contextmanager
def started(folder: Path, environ: Mapping[str, str], *more: str) -> Iterator[subprocess.Popen[bytes]]:
    """A run of its own, whose output goes to a file; killed at the end where nothing else has ended it."""
    with (folder / "output").open("wb") as output:
        run = subprocess.Popen(
            command(*SIDES, *more),
            cwd=folder,
            env={**environ, "DOCKER_ORG": ORG, "PYTHONUNBUFFERED": "1"},
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=hear_ctrl_c,  # noqa: PLW1509 - no other thread takes part
        )
    try:
        yield run
    finally:
        run.kill()
        run.wait()


@pytest.fixture(scope="module")
def duration(tmp_path_factory: pytest.TempPathFactory) -> float:
    """Seconds that a run takes when nobody ends it."""
    build()
    begun = time.monotonic()
    with started(tmp_path_factory.mktemp("undisturbed"), os.environ) as run:
        run.wait(timeout=300)
    return time.monotonic() - begun


@pytest.fixture(scope="module")
def beside() -> Iterator[Callable[[], None]]:
    """Others on the same engine, and a function that fails once anything of them was touched."""
    engine = Engine.connect()
    with neighbours(engine) as others:
        before = others.snapshot()

        def untouched() -> None:
            assert others.snapshot() == before

        yield untouched
    engine.close()


def name(value: object) -> str:
    return value.name if isinstance(value, signal.Signals) else str(value)


@pytest.mark.parametrize(("number", "strike"), RUNNING, ids=name)
def test_nothing_is_left_of_a_run_that_was_ended(
    number: signal.Signals, strike: int, duration: float, beside: Callable[[], None], tmp_path: Path
) -> None:
    with started(tmp_path, os.environ) as run:
        with suppress(subprocess.TimeoutExpired):
            run.wait(timeout=duration * strike / (STRIKES + 1))
        run.send_signal(number)
        run.wait(timeout=LONGEST)
    said = (tmp_path / "output").read_text("utf-8", "replace").splitlines()
    assert not [line for line in said if line.startswith("INTERNALERROR")], "\n".join(said)
    if number is signal.SIGKILL:
        # Compose outlives the run, and finishes what it was about to create: whoever sweeps next finds that.
        eventually(lambda: swept(tmp_path, said) and not kept(run.pid, said), seconds=90)
    assert not kept(run.pid, said), "\n".join(said)
    beside()


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
    return {**os.environ, "PATH": path, "HANGING_PIDS": pids}


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


@pytest.mark.parametrize(("number", "strike"), HANGING, ids=name)
def test_a_compose_that_hangs_keeps_no_run_from_ending(
    number: signal.Signals | None, strike: int, beside: Callable[[], None], tmp_path: Path
) -> None:
    """Without a signal, it is the time-out. Moments are spread over the 2 seconds from when the first one hangs."""
    build()
    with started(tmp_path, hanging(tmp_path), "--mailu-timeout", "5" if number is None else "600") as run:
        eventually(lambda: len(running_pids(tmp_path)) >= 2, seconds=90)
        with suppress(subprocess.TimeoutExpired):
            run.wait(timeout=2 * strike / STRIKES)
        if number is not None:
            run.send_signal(number)
        status = run.wait(timeout=LONGEST)
    said = (tmp_path / "output").read_text("utf-8", "replace").splitlines()
    assert status not in (0, None), "\n".join(said)
    eventually(lambda: not running_pids(tmp_path))
    if number is signal.SIGKILL:
        eventually(lambda: swept(tmp_path, said) and not left_by(run.pid), seconds=90)
    assert not left_by(run.pid), "\n".join(said)
    beside()


@pytest.mark.parametrize(("number", "strike"), FROZEN, ids=name)
def test_a_frozen_engine_keeps_no_run_from_ending(
    number: signal.Signals, strike: int, duration: float, beside: Callable[[], None], tmp_path: Path
) -> None:
    """What the run then cannot remove, the next one does, as soon as the engine answers again."""
    with (
        TemporaryDirectory(prefix="gate-") as short,
        Gate(Path(short) / "engine") as gate,
        started(tmp_path, {**os.environ, "DOCKER_HOST": gate.address, "PYTHONPATH": ROOT}, *IMPATIENT) as run,
    ):
        with suppress(subprocess.TimeoutExpired):
            run.wait(timeout=duration * strike / (STRIKES + 1))
        gate.freeze()
        with suppress(subprocess.TimeoutExpired):
            run.wait(timeout=1)
        run.send_signal(number)
        run.wait(timeout=LONGEST)
    said = (tmp_path / "output").read_text("utf-8", "replace").splitlines()
    assert not [line for line in said if line.startswith("INTERNALERROR")], "\n".join(said)
    eventually(lambda: swept(tmp_path, said) and not kept(run.pid, said), seconds=90)
    beside()


def kept(pid: int, said: list[str]) -> list[str]:
    """What is left of a run, but for networks of which the engine itself is said not to let go."""
    return [name for name in left_by(pid) if not any(f"empty network {name} " in line for line in said)]


def swept(folder: Path, said: list[str]) -> bool:
    done = subprocess.run(
        command("--mailu-sweep"), cwd=folder, check=False, timeout=120, stdout=subprocess.PIPE, text=True
    )
    said += done.stdout.splitlines()
    return done.returncode == 0
