"""A side that answers from a recording: no Docker, no network, the same answers every time."""

from __future__ import annotations

import gc
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pytest_mailu.behaviours.declaration import Behaviour
from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.model import Observation, Recording, SideInfo
from pytest_mailu.core.plan import RECORDED
from pytest_mailu.core.serialization import read_recording
from pytest_mailu.core.shipped import named, shipped


class RecordingSide:
    """Answers with what was observed when the recording was made, attempt by attempt."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._behaviours = frozenset(recording.behaviours)

    @property
    def info(self) -> SideInfo:
        """The side that the recording was made from, with its provenance."""
        return self._recording.side

    @property
    def behaviours(self) -> frozenset[str]:
        """The ids of the matrix that the recording was made with."""
        return self._behaviours

    async def open(self) -> None:
        """Nothing to do: a recording is always ready."""

    async def close(self) -> None:
        """Nothing to do."""

    def restarts(self, variant: str) -> frozenset[str]:
        """None: nothing runs."""
        return frozenset()

    async def prepare(self, variant: str) -> None:
        """Nothing to do: every variant that was asked is in the recording."""

    def recorded_attempts(self, id: str) -> int:
        """How many attempts were recorded."""
        return len(self._recording.observations.get(id, ()))

    def shared_looks(self, id: str) -> frozenset[Hashable]:
        """None: what is recorded stands for itself."""
        return frozenset()

    async def evidence(self, observations: Sequence[Observation]) -> list[Observation]:
        """The same: they were recorded with their log lines, if any."""
        return list(observations)

    async def observe(self, behaviour: Behaviour, attempt: int, *, shared: bool = True) -> Observation | None:
        """The attempt as recorded; None beyond the last one, or where the behaviour was not recorded."""
        attempts = self._recording.observations.get(behaviour.id, ())
        return attempts[attempt] if attempt < len(attempts) else None


def load(text: str) -> Recording:
    """The recording that `recorded:RELEASE` or a path names; raises UsageError where there is none."""
    if not text.startswith(RECORDED):
        return _read(Path(text))
    available = shipped()
    release = named(text.removeprefix(RECORDED))
    if release is None:
        choices = ", ".join(f"{RECORDED}{each}" for each in available) or "(none)"
        raise UsageError(
            f"no recording of {text.removeprefix(RECORDED)} comes with this package",
            f"Choose one of {choices}, or name the path of your own recording.",
        )
    return _read(Path(str(available[release])))


def _read(path: Path) -> Recording:
    with _no_garbage():
        return read_recording(path)


@contextmanager
def _no_garbage() -> Iterator[None]:
    """While something is read that lives as long as the run, look for no garbage.

    A recording is some 100,000 values, and Python would go through them several times while it reads them. They are not
    frozen afterwards (`gc.freeze`), though that saves more: other plugins ask `gc.get_referrers`, which does not see
    what is frozen (Hypothesis does, and then warns).
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
