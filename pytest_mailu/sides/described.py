"""A side of which only the release is known: what `--mailu-check` compares without starting anything."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from pytest_mailu.behaviours.declaration import Behaviour
from pytest_mailu.core.model import Observation, SideInfo


class DescribedSide:
    """Names a release, and answers no behaviour."""

    def __init__(self, release: str) -> None:
        self._info = SideInfo(release, provenance="the files of the deployment; nothing was started")

    @property
    def info(self) -> SideInfo:
        """The release."""
        return self._info

    @property
    def behaviours(self) -> frozenset[str] | None:
        """There is no recording."""
        return None

    async def open(self) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Nothing to do."""

    def restarts(self, variant: str) -> frozenset[str]:
        """None: nothing runs."""
        return frozenset()

    async def prepare(self, variant: str) -> None:
        """Nothing to do."""

    def recorded_attempts(self, id: str) -> int:
        """None."""
        return 0

    def shared_looks(self, id: str) -> frozenset[Hashable]:
        """None."""
        return frozenset()

    async def evidence(self, observations: Sequence[Observation]) -> list[Observation]:
        """The same observations: there are no logs."""
        return list(observations)

    async def observe(self, behaviour: Behaviour, attempt: int, *, shared: bool = True) -> Observation | None:
        """No answer."""
        return None
