"""Runs commands that may clean up when a signal ends the run."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import FrameType
from typing import IO, NoReturn

GRACE_SECONDS = 60
"""How long a command may clean up."""
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(command: Sequence[str | Path], environ: Mapping[str, str] = os.environ, output: IO[bytes] | None = None) -> int:
    """Run a command to its end and return its exit status. Whatever it prints goes to `output`, or where ours goes.

    Where a signal ends this run meanwhile, the command gets a SIGINT and time to clean up.
    """
    with _held_back(ENDING) as let_go:
        process = subprocess.Popen(
            command,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
            process_group=0,
            preexec_fn=let_go,  # noqa: PLW1509 - these programs have one thread
        )
        try:
            let_go()
            return process.wait()
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(GRACE_SECONDS)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise


@contextmanager
def _held_back(signals: Collection[signal.Signals]) -> Iterator[Callable[[], object]]:
    """Signals that arrive within wait until the function given is called: a command that has just started is known."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    let_go = partial(signal.pthread_sigmask, signal.SIG_SETMASK, before)
    try:
        yield let_go
    finally:
        let_go()


@contextmanager
def first_signal_ends_the_run() -> Iterator[None]:
    """SIGINT, SIGTERM and SIGHUP end the run; while it cleans up, further signals have no effect."""

    def end(number: int, _: FrameType | None) -> NoReturn:
        for each in ENDING:
            signal.signal(each, signal.SIG_IGN)
        print(f"\n== {signal.Signals(number).name}: cleaning up", flush=True)
        raise SystemExit(128 + number)

    for each in ENDING:
        signal.signal(each, end)
    yield
