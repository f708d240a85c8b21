"""What a side is: something that answers behaviours, wherever its answers come from."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
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

    def restarts(self, variant: str) -> frozenset[str]:
        """The services that are made anew for a variant; none for the base, and none for a recording."""

    async def prepare(self, variant: str) -> None:
        """Apply the settings of a variant; nothing is asked meanwhile that needs the services of the old or new one."""

    def recorded_attempts(self, id: str) -> int:
        """How many attempts of a behaviour it has recorded, all of which count; 0 where it can be asked any time."""

    def shared_looks(self, id: str) -> frozenset[Hashable]:
        """What the answers to a behaviour so far rest on that others share: two that name the same share that look."""

    async def evidence(self, observations: Sequence[Observation]) -> list[Observation]:
        """The same observations, each with the log lines of its moment where this side has any."""

    async def observe(self, behaviour: Behaviour, attempt: int, *, shared: bool = True) -> Observation | None:
        """Ask once (`attempt` counts from 0); None where this side has no such answer.

        With `shared`, what several behaviours send or look at is done once for each attempt of them all.
        """
