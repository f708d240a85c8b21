"""aiosmtplib's protocol, taught to keep a transcript, to end every read, and to hear more than one reply.

aiosmtplib drops what arrives between commands and takes one reply per command; a test of pipelining and smuggling
has to see every reply. Only public methods of `SMTPProtocol` are overridden, and `SMTP`'s own methods (EHLO, STARTTLS
and the rest) work on top of it.
"""

from __future__ import annotations

import asyncio
from typing import cast

from aiosmtplib.protocol import SMTPProtocol
from aiosmtplib.response import SMTPResponse

from pytest_mailu.core.model import Reply, Stage
from pytest_mailu.wire.smtp.reply import read_reply
from pytest_mailu.wire.transport.reader import CHUNK, KIB, Inbox, Limits
from pytest_mailu.wire.transport.transcript import Transcript

LIMITS = Limits(line=16 * KIB, reply=256 * KIB)


class Protocol(SMTPProtocol):
    """Replies come from an `Inbox`. `stage` says where the conversation is, `seconds` bounds each reply.

    `last` is the newest reply. `behind` are bytes to send in one piece with the next command.
    """

    def __init__(self, transcript: Transcript, seconds: float) -> None:
        super().__init__(loop=asyncio.get_running_loop())
        self.transcript = transcript
        self.seconds = seconds
        self.stage = Stage.GREETING
        self.starting_tls = False
        self.behind = b""
        self.last = Reply()
        self.lost = False
        self._fresh()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio once per connection."""
        super().connection_made(transport)
        self._reader.set_transport(cast(asyncio.Transport, transport))

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        if not self.lost:
            self._reader.feed_data(data)

    def adopt(self) -> None:
        """Let the reader slow down the transport that STARTTLS has put in the place of the first one."""
        self._reader.set_transport(cast(asyncio.Transport, self.transport))

    def eof_received(self) -> bool:
        """Called by asyncio; False closes the transport."""
        self._reader.feed_eof()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio."""
        self.lost = True
        if exc is None:
            self._reader.feed_eof()
        else:
            self._reader.set_exception(exc)
        super().connection_lost(exc)

    def write(self, data: bytes) -> None:
        """Send bytes as they are. Raises aiosmtplib's `SMTPServerDisconnected`."""
        data, self.behind = data + self.behind, b""
        super().write(data)

    async def read_reply(self) -> Reply:
        """The next reply. Ends like `Inbox.reply`, at the present stage."""
        async with self._inbox.reply(self.stage, self.seconds):
            self.last = await read_reply(self._inbox, self.transcript)
        if self.starting_tls:
            # What came in plain text behind the reply must not be taken for the encrypted session's (RFC 3207, 4.2).
            self._fresh()
        return self.last

    async def read_response(self, timeout: float | None = None) -> SMTPResponse:  # noqa: ASYNC109 - aiosmtplib's
        """What aiosmtplib's own methods read; the deadline is ours."""
        reply = await self.read_reply()
        words = f"{reply.enhanced} {reply.text}" if reply.enhanced else reply.text
        return SMTPResponse(int(reply.code), words)

    async def hung_up(self, seconds: float) -> bool:
        """Whether the server closes the connection within `seconds`."""
        return self.lost or await self._inbox.finished(seconds)

    def _fresh(self) -> None:
        self._reader = asyncio.StreamReader(limit=CHUNK)
        self._inbox = Inbox(self._reader, LIMITS)
