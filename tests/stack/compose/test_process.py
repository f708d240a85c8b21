"""A command is ended with all its children, whatever they do; what it writes and takes has limits."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pytest_mailu.stack.compose.process import TIMED_OUT, run_command
from tests.waiting import eventually

PARENT = """
import os, subprocess, sys, time
grandchild = subprocess.Popen([sys.executable, "-c", sys.argv[2]], start_new_session=sys.argv[3] == "apart")
open(sys.argv[1], "w").write(f"{os.getpid()} {grandchild.pid}")
grandchild.wait()
"""
STUBBORN = "import signal, time\nfor n in (1, 2, 15): signal.signal(n, signal.SIG_IGN)\nwhile True: time.sleep(60)"


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def pids(path: Path) -> list[int]:
    return [int(word) for word in path.read_text().split()] if path.exists() else []


@pytest.mark.parametrize("session", ["same", "apart"])
def test_a_command_that_hangs_is_ended_with_its_children(session: str, tmp_path: Path) -> None:
    """As `docker compose` is: a program that waits for another one, which holds its standard output."""
    path = tmp_path / "pids"
    started = time.monotonic()
    command = [sys.executable, "-c", PARENT, str(path), STUBBORN, session]
    result = asyncio.run(run_command(command, environ={}, seconds=2))
    assert (result.code, time.monotonic() - started < 20) == (TIMED_OUT, True)
    assert "2 s" in result.errors
    assert len(pids(path)) == 2
    eventually(lambda: not any(alive(pid) for pid in pids(path)))


RUNS = """
import asyncio, sys
from pytest_mailu.stack.compose.process import run_command
asyncio.run(run_command(sys.argv[1:], environ={}, seconds=600))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent has ended")
def test_a_run_that_is_killed_leaves_no_command_behind(tmp_path: Path) -> None:
    path = tmp_path / "pids"
    run = subprocess.Popen([sys.executable, "-c", RUNS, sys.executable, "-c", PARENT, str(path), STUBBORN, "same"])
    eventually(lambda: len(pids(path)) == 2)
    run.kill()
    run.wait()
    eventually(lambda: not any(alive(pid) for pid in pids(path)))


def test_a_caller_that_is_cancelled_leaves_no_children(tmp_path: Path) -> None:
    path = tmp_path / "pids"

    async def cancel() -> None:
        task = asyncio.create_task(
            run_command([sys.executable, "-c", PARENT, str(path), STUBBORN, "same"], environ={}, seconds=600)
        )
        while len(pids(path)) < 2:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 20)

    asyncio.run(cancel())
    eventually(lambda: not any(alive(pid) for pid in pids(path)))


def test_a_child_that_outlives_the_command_does_not_keep_us_waiting(tmp_path: Path) -> None:
    """It holds standard output open, at whose end a pipe would be waited for."""
    path = tmp_path / "pids"
    text = PARENT.replace("grandchild.wait()", "print('done', flush=True)")
    started = time.monotonic()
    result = asyncio.run(
        run_command([sys.executable, "-c", text, str(path), STUBBORN, "same"], environ={}, seconds=600)
    )
    assert (result.code, result.output, time.monotonic() - started < 60) == (0, "done\n", True)
    survivor = pids(path)[1]
    assert alive(survivor)
    os.kill(survivor, 9)


def test_input_output_and_exit_status_come_through_and_compose_variables_do_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COMPOSE_FILE", "/somewhere/else.yml")
    text = "import os, sys; print(sys.stdin.read(), os.environ.get('COMPOSE_FILE'), os.environ['MORE']); sys.exit(3)"
    result = asyncio.run(run_command([sys.executable, "-c", text], environ={"MORE": "more"}, seconds=60, stdin=b"in"))
    assert (result.code, result.output) == (3, "in None more\n")
    assert asyncio.run(run_command(["/nonexistent"], environ={}, seconds=5)).code == 127


@pytest.mark.parametrize(
    "does", ["data = []\nwhile True: data.append(bytearray(1 << 26))", "while True: sys.stdout.write('x' * 100000)"]
)
def test_a_command_that_takes_all_memory_or_writes_without_end_is_stopped(does: str) -> None:
    # Limits are set as soon as the command runs.
    text = f"import sys, time; time.sleep(.5)\n{does}"
    result = asyncio.run(run_command([sys.executable, "-c", text], environ={}, seconds=60))
    assert result.code not in (0, TIMED_OUT)
    assert len(result.output) < 10_000_000
