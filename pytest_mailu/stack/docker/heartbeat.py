"""A sign of life on the engine: who cannot see the process of a run can see that the run goes on.

Labels cannot be changed, so each beat is a new empty volume with the time in its label, and the one before goes.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Mapping

from docker.errors import DockerException

from pytest_mailu.stack.docker.engine import Engine
from pytest_mailu.stack.docker.labels import PREFIX

BEAT = f"{PREFIX}.beat"
EVERY = 60.0
"""Seconds from one beat to the next."""
FRESH = 15 * EVERY
"""A run whose last beat is not older than that is alive: clocks differ, and machines are suspended for a while."""


class Heartbeat:
    """Beats in a thread of its own, from `start` to `stop`. `name` begins the names of its volumes."""

    def __init__(self, engine: Engine, name: str, labels: Mapping[str, str], every: float = EVERY) -> None:
        self._engine = engine
        self._name = name
        self._labels = labels
        self._every = every
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="mailu-heartbeat")

    def start(self) -> None:
        """Begins to beat."""
        self._thread.start()

    def stop(self) -> None:
        """Ends; the last beat stays until the run is removed. Blocking for a moment."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def _run(self) -> None:
        last, number = "", 0
        while not self._stopped.is_set():
            number += 1
            name = f"{self._name}_beat-{number}"
            # An engine that does not answer now may do so later; whoever needs it for more will find out.
            with contextlib.suppress(DockerException, OSError):
                self._engine.client.api.create_volume(name, labels={**self._labels, BEAT: str(int(time.time()))})
                if last:
                    self._engine.client.api.remove_volume(last, force=True)
                last = name
            self._stopped.wait(self._every)
