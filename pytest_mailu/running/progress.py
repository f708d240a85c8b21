"""Says how far a run is while somebody waits for it, at most once in half a minute."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeAlias, TypeVar

Value = TypeVar("Value")
Tell: TypeAlias = Callable[[str], None]
"""Takes one line. It is called in the thread that waits, never in two at a time."""

SECONDS = 30.0
"""How long nothing is said after a line, or after the beginning."""


class Progress:
    """Waits for results, and tells how many of them there are; for one run, in any number of threads."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._lock = threading.Lock()
        self._began = self._told = time.monotonic()

    def begin(self) -> None:
        """The run begins to ask."""
        self._began = self._told = time.monotonic()

    def wait(self, result: Future[Value], count: Callable[[], tuple[int, int]]) -> Value:
        """The result, or what it raises. `count` says how many there are, and how many there will be."""
        while True:
            try:
                return result.result(max(self._due(), 0.0))
            except TimeoutError:
                if result.done():  # it came just now, or it is what the result itself raises
                    return result.result()
            with self._lock:
                if self._due() <= 0 and not result.done():
                    self._told = time.monotonic()
                    self._tell(words(*count(), self._told - self._began))

    def _due(self) -> float:
        """In how many seconds there is something to say."""
        return self._told + SECONDS - time.monotonic()


def words(done: int, number: int, seconds: float) -> str:
    """`120 of 790 behaviours compared in 2 min 30 s`."""
    minutes, rest = divmod(round(seconds), 60)
    took = f"{minutes} min {rest} s" if minutes else f"{rest} s"
    return f"{done} of {number} behaviours compared in {took}"
