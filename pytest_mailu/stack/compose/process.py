"""Runs a command with limits: of time, of memory, of what it writes. It is ended with all its children.

`docker compose` is a program that starts another one; should we be killed, `leash.py` ends them. Standard output and
error go to files, not pipes: a child that survives cannot keep us waiting for the end of a pipe.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from pytest_mailu.core.commands import CommandResult
from pytest_mailu.stack.compose import leash

_OUTPUT = 8_000_000
"""Bytes of output that are read; a command that writes far more is ended by the kernel."""
_ERRORS = 200_000
"""Bytes of standard error that are read, from its end."""
_MEMORY = 2 << 30
"""Bytes of memory that each of its processes may have: compose reads what a file names, be it /dev/zero."""
_END_SECONDS = 5.0
"""How long a process that was killed may take to be gone."""
NOT_STARTED, TIMED_OUT = 127, 124
"""Exit statuses as of a shell and of timeout(1)."""


async def run_command(
    command: Sequence[str], *, environ: Mapping[str, str], seconds: float, stdin: bytes = b""
) -> CommandResult:
    """Runs a command to its end. It is killed with its children when time is up or the caller is cancelled.

    Of the environment, COMPOSE_* is not inherited. Never raises for what the command does.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("COMPOSE_")}
    with TemporaryFile() as given, TemporaryFile() as output, TemporaryFile() as errors:
        given.write(stdin)
        given.seek(0)
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", leash.__file__, str(os.getpid())),
                *command,
                stdin=given,
                stdout=output,
                stderr=errors,
                env={**inherited, **environ},
                # Ctrl-C is ours to handle: compose must not begin an orderly stop of its own.
                start_new_session=True,
            )
        except OSError as error:
            return CommandResult(NOT_STARTED, "", str(error))
        _limit(process.pid)
        try:
            async with asyncio.timeout(seconds):
                code = await process.wait()
        except TimeoutError:
            await _end(process)
            return CommandResult(TIMED_OUT, "", f"{command[0]} did not finish within {seconds:.0f} s")
        except BaseException:
            await _end(process)
            raise
        return CommandResult(code, _read(output), _last(errors))


def _limit(pid: int) -> None:
    with contextlib.suppress(OSError, AttributeError, ValueError):  # gone already, or not Linux
        resource.prlimit(pid, resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (2 * _OUTPUT, 2 * _OUTPUT))


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(_OUTPUT).decode(errors="replace")


def _last(file: IO[bytes]) -> str:
    """The last lines, whole ones: what a program says before it ends is why. Of one long line, its beginning."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(size - _ERRORS, 0))
    if size > _ERRORS:
        file.readline()
        if file.tell() == size:
            file.seek(0)
    return file.read(_ERRORS).decode(errors="replace")


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kills the process and everything it started."""
    for _ in range(20):  # a child may start another one while we look
        family = await asyncio.to_thread(descendants, process.pid)
        for pid in family:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        if not family:
            break
    with contextlib.suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_END_SECONDS):
            await process.wait()


def descendants(root: int) -> list[int]:
    """The processes that `root` started, itself among them, as far as /proc shows them, without those that ended.

    A child whose parent has ended is known by the session (proc(5), /proc/pid/stat fields 3, 4 and 6).
    """
    children: dict[int, list[int]] = {}
    found: set[int] = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, parent, _, session = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
        except (OSError, ValueError):
            continue
        pid = int(folder.name)
        if state in "ZX":
            continue
        children.setdefault(int(parent), []).append(pid)
        if pid == root or int(session) == root:
            found.add(pid)
    todo = [*found, root]
    while todo:
        for child in children.get(todo.pop(), ()):
            if child not in found:
                found.add(child)
                todo.append(child)
    return sorted(found)
