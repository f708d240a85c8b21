"""A line-by-line connection, for SMTP, IMAP, POP3 and ManageSieve."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

from pytest_mailu.core.model import Stage, Vantage
from pytest_mailu.wire.transport.connector import Connector, dial
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed
from pytest_mailu.wire.transport.reader import CHUNK, KIB, MIB, Inbox, Limits
from pytest_mailu.wire.transport.tls_context import client_context, handshake_errors
from pytest_mailu.wire.transport.transcript import Transcript

CLOSE_SECONDS = 2.0
LIMITS = Limits(line=64 * KIB, reply=64 * MIB, text=MIB)


class LineStream:
    """A connection with a transcript, a deadline for each reply, and limits for lines and replies.

    Reads (`line`, `exactly`) belong inside `async with stream.reply(stage):`.
    """

    def __init__(self, transcript: Transcript, timeout: float, limits: Limits) -> None:
        self.transcript = transcript
        self.timeout = timeout
        self._limits = limits
        # StreamWriter closes its transport when it is collected, so the one below TLS has to be kept.
        self._writers: list[asyncio.StreamWriter] = []
        self._inbox: Inbox

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        connector: Connector,
        host: str,
        port: int,
        *,
        vantage: Vantage = Vantage.STRANGER,
        transcript: Transcript | None = None,
        timeout: float = 20.0,  # noqa: ASYNC109 - of each reply, not of the whole
        context: ssl.SSLContext | None = None,
        sni: str | None = None,
        limits: Limits = LIMITS,
    ) -> AsyncIterator[LineStream]:
        """Connect, with TLS from the start when a `context` is given; `sni` is the name to ask for, or none."""
        stream = cls(transcript or Transcript(), timeout, limits)
        connection = await dial(connector, host, port, vantage=vantage, transcript=stream.transcript)
        await stream._attach(connection)
        try:
            if context is not None:
                await stream.start_tls(context, sni)
            yield stream
        except (NotServed, CannotAsk, OSError) as error:
            stream.transcript.end(str(error))
            raise
        finally:
            await stream._close()

    async def send(self, data: bytes, shown: str | None = None) -> None:
        """Send `data` as it is; the transcript gets `shown`, or the data line by line.

        A connection that is already closed is no error here: the missing reply will show it.
        """
        for line in data.removesuffix(b"\r\n").split(b"\r\n") if shown is None else [shown.encode()]:
            self.transcript.client(line)
        with suppress(ConnectionError, TimeoutError):
            self._writer.write(data)
            async with asyncio.timeout(self.timeout):
                await self._writer.drain()

    def reply(self, stage: Stage, seconds: float | None = None) -> AbstractAsyncContextManager[None]:
        """The bounds of one reply; see `Inbox.reply`."""
        return self._inbox.reply(stage, self.timeout if seconds is None else seconds)

    async def line(self, *, noted: bool = True) -> bytes:
        """The next line without its line end; recorded in the transcript unless the caller does that."""
        line = await self._inbox.line()
        if noted:
            self.transcript.server(line)
        return line

    async def exactly(self, size: int) -> bytes:
        """The next `size` bytes: a literal."""
        data = await self._inbox.exactly(size)
        self.transcript.server(f"({size} bytes)")
        return data

    async def some(self) -> bytes:
        """Whatever comes next, empty at the end; not for the transcript. May raise `OSError`."""
        return await self._inbox.some()

    async def hung_up(self, seconds: float = CLOSE_SECONDS) -> bool:
        """Whether the server closes the connection within `seconds`. Nothing more can be read afterwards."""
        return await self._inbox.finished(seconds)

    async def start_tls(self, context: ssl.SSLContext | None = None, sni: str | None = None) -> None:
        """Start TLS now. Raises as `handshake_errors`; plain text that was read before is dropped."""
        loop = asyncio.get_running_loop()
        reader, protocol = self._protocol()
        with handshake_errors(self.timeout):
            async with asyncio.timeout(self.timeout):
                transport = await loop.start_tls(
                    self._writer.transport,
                    protocol,
                    context or client_context(),
                    server_hostname=sni,
                    ssl_handshake_timeout=self.timeout * 2,
                )
            if transport is None:
                raise ConnectionResetError
        protocol.connection_made(transport)
        self._use(transport, protocol, reader)
        self.transcript.tls(self._writer.get_extra_info("ssl_object").version())

    async def _attach(self, connection: socket.socket) -> None:
        reader, protocol = self._protocol()
        try:
            transport, _ = await asyncio.get_running_loop().create_connection(lambda: protocol, sock=connection)
        except BaseException:
            connection.close()
            raise
        self._use(transport, protocol, reader)

    def _protocol(self) -> tuple[asyncio.StreamReader, asyncio.StreamReaderProtocol]:
        reader = asyncio.StreamReader(limit=CHUNK)
        return reader, asyncio.StreamReaderProtocol(reader)

    @property
    def _writer(self) -> asyncio.StreamWriter:
        return self._writers[-1]

    def _use(
        self, transport: asyncio.Transport, protocol: asyncio.StreamReaderProtocol, reader: asyncio.StreamReader
    ) -> None:
        self._writers.append(asyncio.StreamWriter(transport, protocol, reader, asyncio.get_running_loop()))
        self._inbox = Inbox(reader, self._limits)

    async def _close(self) -> None:
        self._writer.transport.abort()
        # One turn of the loop lets the transport close its socket.
        await asyncio.sleep(0)
