"""What a side is: something that answers behaviours, wherever its answers come from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pytest_mailu.behaviours.declaration import Behaviour
from pytest_mailu.core.model import Observation, SideInfo


class Side(Protocol):
    """One half of the comparison."""

    @property
    def info(self) -> SideInfo:
        """Where the answers come from; complete once the side is open."""

    @property
    def behaviours(self) -> frozenset[str] | None:
        """The ids of the matrix that a recording was made with; None for a side that can be asked anything."""

    async def open(self) -> None:
        """Make it ready to answer. Raises MailuError where that fails."""

    async def close(self) -> None:
        """Remove everything that `open` made. Never raises for what is already gone."""

    async def prepare(self, variant: str) -> None:
        """Apply the settings of a variant; nothing else is asked meanwhile."""

    def recorded_attempts(self, id: str) -> int:
        """How many attempts of a behaviour it has recorded, all of which count; 0 where it can be asked any time."""

    async def evidence(self, observations: Sequence[Observation]) -> list[Observation]:
        """The same observations, each with the log lines of its moment where this side has any."""

    async def observe(self, behaviour: Behaviour, attempt: int) -> Observation | None:
        """Ask once (`attempt` counts from 0); None where this side has no such answer."""
