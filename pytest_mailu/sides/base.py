"""What a side is to those who ask: something that answers behaviours, wherever its answers come from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pytest_mailu.behaviours.declaration import Behaviour
from pytest_mailu.core.model import Observation, SideInfo


class Side(Protocol):
    """One half of the comparison."""

    @property
    def info(self) -> SideInfo:
        """Where the answers come from; complete once the side has been opened."""

    async def open(self) -> None:
        """Make it ready to answer. Raises MailuError where that fails."""

    async def close(self) -> None:
        """Leave nothing behind. Never raises for what is already gone."""

    async def prepare(self, variant: str) -> None:
        """Bring it to the settings of a variant; nothing else is being asked meanwhile."""

    def held(self, behaviour: Behaviour) -> int:
        """How many attempts it already holds and that all count; 0 for a side that can be asked any time."""

    async def evidence(self, observations: Sequence[Observation]) -> list[Observation]:
        """The same observations, each with the log lines of its moment where this side has any."""

    async def observe(self, behaviour: Behaviour, attempt: int) -> Observation | None:
        """Ask once (`attempt` counts from 0); None where this side has no such answer to give."""
