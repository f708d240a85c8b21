"""Reading what a server says, with an end to everything: time, length of a line, size of a reply."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pytest_mailu.core.model import Outcome, Stage
from pytest_mailu.core.text import show_line
from pytest_mailu.wire.transport.errors import HUNG_UP, CannotAsk, NotServed

CHUNK = 65536
KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a server may say: bytes in one line, bytes and lines in one reply, `text` bytes in all of its lines.

    What is no line is a literal. `text` None means as much as the reply.
    """

    line: int
    reply: int
    lines: int = 20_000
    text: int | None = None


class Inbox:
    """Bytes from an `asyncio.StreamReader`, taken as lines or blocks.

    Reads happen inside `reply(stage, seconds)`, which tells silence (`NotServed(UNANSWERED, stage)`) from half a reply
    (`CannotAsk`) when the seconds are over, or the server closes the connection.
    """

    def __init__(self, reader: asyncio.StreamReader, limits: Limits) -> None:
        self._reader = reader
        self._limits = limits
        self._pending = bytearray()
        self._stage = Stage.CONNECT
        self._taken = 0
        self._lines = 0
        self._text = 0

    @asynccontextmanager
    async def reply(self, stage: Stage, seconds: float) -> AsyncIterator[None]:
        """The bounds of one reply: all of it has to be here within `seconds`, and to be no larger than allowed."""
        self._stage = stage
        self._taken = self._lines = self._text = 0
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError:
            if self._has_begun:
                raise CannotAsk(f"half a reply, then nothing more within {seconds:g} s: {self._excerpt()}") from None
            raise NotServed(Outcome.UNANSWERED, stage) from None

    async def line(self) -> bytes:
        """The next line, without its line end (LF alone is taken as one as well)."""
        searched = 0
        while (end := self._pending.find(b"\n", searched)) < 0:
            searched = len(self._pending)
            self._check_line(searched)
            await self._more()
        self._check_line(end)
        line = self._take(end + 1)
        self._lines += 1
        self._text += len(line)
        if self._lines > self._limits.lines:
            raise CannotAsk(f"a reply of more than {self._limits.lines} lines")
        if self._limits.text is not None and self._text > self._limits.text:
            raise CannotAsk(f"a reply with more than {self._limits.text} bytes of lines")
        return line[:-2] if line.endswith(b"\r\n") else line[:-1]

    async def exactly(self, size: int) -> bytes:
        """The next `size` bytes."""
        if self._taken + size > self._limits.reply:
            raise CannotAsk(f"a reply of more than {self._limits.reply} bytes")
        while len(self._pending) < size:
            await self._more()
        return self._take(size)

    async def some(self) -> bytes:
        """Whatever is there or comes next; empty when the server has closed the connection."""
        if self._pending:
            return self._take(len(self._pending))
        data = await self._reader.read(CHUNK)
        self._taken += len(data)
        return data

    async def finished(self, seconds: float) -> bool:
        """Whether the server hangs up within `seconds`; what it says before is dropped."""
        try:
            async with asyncio.timeout(seconds):
                while await self._reader.read(CHUNK):
                    pass
        except TimeoutError:
            return False
        except OSError:
            return True
        return True

    async def _more(self) -> None:
        try:
            data = await self._reader.read(CHUNK)
        except ConnectionError:
            data = b""
        except OSError as error:
            raise CannotAsk(f"the connection broke where a reply was due: {error or type(error).__name__}") from error
        if not data:
            if self._has_begun:
                raise CannotAsk(f"half a reply, then the server closed the connection: {self._excerpt()}")
            raise NotServed(Outcome.UNANSWERED, self._stage, HUNG_UP)
        self._pending += data

    @property
    def _has_begun(self) -> bool:
        """Whether a part of the reply is here."""
        return bool(self._pending or self._taken)

    def _take(self, size: int) -> bytes:
        self._taken += size
        if self._taken > self._limits.reply:
            raise CannotAsk(f"a reply of more than {self._limits.reply} bytes")
        taken = bytes(self._pending[:size])
        del self._pending[:size]
        return taken

    def _check_line(self, size: int) -> None:
        if size > self._limits.line:
            raise CannotAsk(f"a line of more than {self._limits.line} bytes: {self._excerpt()}")

    def _excerpt(self) -> str:
        return repr(show_line(bytes(self._pending[:KIB]), 60)) if self._pending else f"{self._taken} bytes"
