"""SIGTERM ends a session in an orderly way: CI cancels with it and waits only seconds; pytest does not handle it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, TypeAlias

import pytest

_Handler: TypeAlias = Callable[[int, FrameType | None], Any] | int | None
"""What `signal.signal` takes and returns."""


class Termination:
    """The handler of SIGTERM while a session runs. In other threads than the main one it does nothing."""

    def __init__(self) -> None:
        self._before: _Handler = None
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGTERM, _terminate)

    def ignore(self) -> None:
        """From now on SIGTERM has no effect: what it asks for is being done."""
        if self._before is not None:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def restore(self) -> None:
        """Put back the handler of before."""
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)


def _terminate(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    pytest.exit("terminated (SIGTERM)", returncode=pytest.ExitCode.INTERRUPTED)
