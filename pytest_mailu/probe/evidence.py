"""Evidence from inside a stack: what services logged, and what testinfra sees."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from pytest_mailu.core.model import Vantage
from pytest_mailu.probe.running_stack import RunningStack
from pytest_mailu.probe.waiting import ARRIVAL_SECONDS, eventually, until
from pytest_mailu.wire.transport.errors import CannotAsk

if TYPE_CHECKING:
    from testinfra.host import Host

Value = TypeVar("Value")

_CLIENT = re.compile(r"(?:from |client=)[^\s\[]{0,255}\[([0-9a-f.:]+)\]")


class Evidence:
    """What a stack's services logged since `started` (seconds since the epoch), and what testinfra sees of them."""

    def __init__(self, stack: RunningStack, started: float) -> None:
        self._stack = stack
        self._since = started - 1

    def since(self, moment: float) -> None:
        """What was logged since this moment, if it is an earlier one, counts as well."""
        self._since = min(self._since, moment - 1)

    async def testinfra(self, service: str, look: Callable[[Host], Value]) -> Value:
        """What `look` sees of a service's container through testinfra; it may block."""
        return await asyncio.to_thread(look, self._stack.services.testinfra(service))

    async def logged(self, service: str, *words: str, seconds: float = ARRIVAL_SECONDS) -> bool:
        """Whether a service logs a line with all these words, within so many seconds from now."""

        async def find() -> bool:
            lines = await self._stack.services.log_since(service, self._since)
            return any(all(word in line for word in words) for line in lines)

        return await eventually(find, seconds)

    async def lines(self, service: str, word: str) -> list[str]:
        """The lines with this word that a service has logged so far."""
        return [line for line in await self._stack.services.log_since(service, self._since) if word in line]

    async def client_seen_by_postfix(self, word: str) -> str:
        """The name of the client address in the line of Postfix's log that has `word` in it.

        `word` has to be unique to this probe: a message's token where it was refused, its queue id where it was taken.
        Raises CannotAsk where Postfix logs no such line.
        """

        async def find() -> str | None:
            for line in await self._stack.services.log_since("smtp", self._since):
                if word in line and (match := _CLIENT.search(line)):
                    return match[1]
            return None

        address = await until(find, 5.0, f"Postfix logged no line with {word}")
        return self._stack.addresses.get(address, address)

    async def confirm_vantage(self, vantage: Vantage, word: str) -> str:
        """The vantage that Postfix saw the client at; raises CannotAsk where it is not the one that was meant.

        An answer to a client elsewhere would prove nothing. `word` is as for `client_seen_by_postfix`.
        """
        seen = await self.client_seen_by_postfix(word)
        if seen != vantage:
            raise CannotAsk(f"Mailu saw this client as {seen}, which is not {vantage}")
        return seen
