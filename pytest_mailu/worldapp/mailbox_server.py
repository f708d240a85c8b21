"""What the mailbox servers of the world (IMAP, POP3) share: connections within bounds, and TLS that begins in between.

A client that sends too much, too long, too many commands or nothing for a while is hung up on.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from contextlib import suppress
from typing import Callable, Optional, Protocol, Set

from .mailboxes import Mailboxes
from .plan import Listener

log = logging.getLogger("world.mailboxes")
LONGEST_LINE = 8192
LONGEST_LITERAL = 4096
MOST_COMMANDS = 20_000
MOST_CONNECTIONS = 100
"""Bytes of a line (RFC 9051 section 4) and of a string behind it, commands of a session, and sessions at a time."""
IDLE_SECONDS = 120.0
SESSION_SECONDS = 900.0
"""How long a client may say nothing, or read nothing, and how long a session may last."""


class Ended(Exception):
    """The session ends: the client went, or went beyond a bound."""


class Client:
    """One connection, from the side of the server."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, context: Optional[ssl.SSLContext]
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._context = context
        self._lines = 0

    @property
    def tls(self) -> str:
        """The version of TLS, or ""."""
        tls = self._writer.get_extra_info("ssl_object")
        return (tls.version() or "") if tls is not None else ""

    @property
    def may_start_tls(self) -> bool:
        """Whether TLS is offered and has not begun."""
        return self._context is not None and not self.tls

    async def line(self) -> bytes:
        """The next line without its end. Raises Ended."""
        self._lines += 1
        if self._lines > MOST_COMMANDS:
            raise Ended
        try:
            line = await asyncio.wait_for(self._reader.readuntil(b"\n"), IDLE_SECONDS)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.TimeoutError, OSError):
            raise Ended from None
        return line.rstrip(b"\r\n")

    async def octets(self, count: int) -> bytes:
        """So many octets. Raises Ended, also for too many."""
        if count > LONGEST_LITERAL:
            raise Ended
        try:
            return await asyncio.wait_for(self._reader.readexactly(count), IDLE_SECONDS)
        except (asyncio.IncompleteReadError, asyncio.TimeoutError, OSError):
            raise Ended from None

    async def send(self, data: bytes) -> None:
        """Send octets as they are. Raises Ended where the client does not take them."""
        self._writer.write(data)
        try:
            await asyncio.wait_for(self._writer.drain(), IDLE_SECONDS)
        except (asyncio.TimeoutError, OSError):
            raise Ended from None

    async def start_tls(self, answer: bytes) -> None:
        """Answer, and begin TLS. What the client sent behind its command is thrown away (RFC 2595 section 3.1)."""
        loop = asyncio.get_running_loop()
        transport = self._writer.transport
        transport.pause_reading()  # type: ignore[attr-defined] # what comes from now on is TLS
        self._writer.write(answer)
        reader = asyncio.StreamReader(limit=LONGEST_LINE)
        protocol = asyncio.StreamReaderProtocol(reader)
        try:
            secured = await loop.start_tls(transport, protocol, self._context, server_side=True)  # type: ignore[arg-type]
        except (OSError, ssl.SSLError):
            raise Ended from None
        if secured is None:  # the client went meanwhile
            raise Ended
        protocol.connection_made(secured)
        self._reader, self._writer = reader, asyncio.StreamWriter(secured, protocol, reader, loop)

    def close(self) -> None:
        """Hang up. What was sent before is delivered first."""
        with suppress(OSError, RuntimeError):
            self._writer.close()

    def abort(self) -> None:
        """Hang up at once."""
        with suppress(OSError, RuntimeError):
            self._writer.transport.abort()


class Session(Protocol):
    """One protocol's session."""

    async def run(self) -> None:
        """Answer commands until the client ends it. Raises Ended."""

    async def end(self) -> None:
        """What has to be done after it in any case."""


MakeSession = Callable[[Client, Mailboxes, Listener], Session]


async def serve(listener: Listener, context: Optional[ssl.SSLContext], mailboxes: Mailboxes, make: MakeSession) -> int:
    """Serve one listener on all its addresses; the port that was bound."""
    open_: Set[Client] = set()

    async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = Client(reader, writer, context if listener.tls == "starttls" else None)
        if len(open_) >= MOST_CONNECTIONS:
            client.abort()
            return
        open_.add(client)
        own = make(client, mailboxes, listener)
        try:
            await asyncio.wait_for(own.run(), SESSION_SECONDS)
        except (Ended, asyncio.TimeoutError, ConnectionError):
            pass
        except Exception:
            log.exception("a session of %s failed", listener.name)
        finally:
            open_.discard(client)
            await own.end()
            client.close()

    port = listener.port
    for address in listener.addresses:
        server = await asyncio.start_server(
            session, address, port, limit=LONGEST_LINE, ssl=context if listener.tls == "tls" else None
        )
        port = server.sockets[0].getsockname()[1]
    return port
