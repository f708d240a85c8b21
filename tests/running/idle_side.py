"""A side for tests of what asks: there is nothing to start, to change or to add on it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from pytest_mailu.behaviours import Behaviour
from pytest_mailu.core.model import Observation, SideInfo


class IdleSide:
    """Tests say in a subclass what it answers."""

    info = SideInfo("2.0.43")
    behaviours: frozenset[str] | None = None

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    def restarts(self, variant: str) -> frozenset[str]:
        return frozenset()

    async def prepare(self, variant: str) -> None: ...

    def shared_looks(self, id: str) -> frozenset[Hashable]:
        return frozenset()

    def recorded_attempts(self, id: str) -> int:
        return 0

    async def evidence(self, observations: Sequence[Observation]) -> list[Observation]:
        return list(observations)

    async def observe(self, behaviour: Behaviour, attempt: int, *, shared: bool = True) -> Observation | None:
        raise AssertionError("a test says in a subclass what it answers")
