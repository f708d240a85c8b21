"""A server on 127.0.0.1 that follows a script: what to wait for, what to say, how to misbehave."""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import cache
from socket import SO_LINGER, SOL_SOCKET

import trustme

NAME = "mail.post.example"


class Talk:
    """One connection, seen from the server; `heard` is everything the client has sent."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, heard: bytearray) -> None:
        self.reader = reader
        self.writer = writer
        self.heard = heard


Step = Callable[[Talk], Awaitable[None]]


def say(*lines: str | bytes) -> Step:
    """Send lines, with CRLF."""

    async def step(talk: Talk) -> None:
        talk.writer.write(b"".join((line.encode() if isinstance(line, str) else line) + b"\r\n" for line in lines))
        await talk.writer.drain()

    return step


def send(data: bytes) -> Step:
    """Send exactly these bytes."""

    async def step(talk: Talk) -> None:
        talk.writer.write(data)
        await talk.writer.drain()

    return step


def expect(part: str | bytes = b"") -> Step:
    """Read one line, which has to contain this."""
    wanted = part.encode() if isinstance(part, str) else part

    async def step(talk: Talk) -> None:
        line = await talk.reader.readline()
        talk.heard += line
        if wanted not in line or not line:
            raise AssertionError(f"expected {wanted!r}, got {line!r}")

    return step


def take(size: int) -> Step:
    """Read that many bytes."""

    async def step(talk: Talk) -> None:
        talk.heard += await talk.reader.readexactly(size)

    return step


def expect_until(end: bytes) -> Step:
    """Read up to these bytes."""

    async def step(talk: Talk) -> None:
        talk.heard += await talk.reader.readuntil(end)

    return step


async def silence(talk: Talk) -> None:
    """Say nothing until the client has gone."""
    while data := await talk.reader.read(65536):
        talk.heard += data


async def hang_up(talk: Talk) -> None:
    """Close."""
    talk.writer.close()
    await talk.writer.wait_closed()


async def reset(talk: Talk) -> None:
    """Close with RST."""
    talk.writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    talk.writer.transport.abort()


def drip(data: bytes, pause: float = 0.05) -> Step:
    """Send byte by byte, for as long as the client stays."""

    async def step(talk: Talk) -> None:
        for byte in data:
            talk.writer.write(bytes((byte,)))
            await talk.writer.drain()
            await asyncio.sleep(pause)

    return step


def flood(piece: bytes, total: int = 100_000_000) -> Step:
    """Send the piece again and again."""

    async def step(talk: Talk) -> None:
        for _ in range(total // len(piece) + 1):
            talk.writer.write(piece)
            await talk.writer.drain()

    return step


async def start_tls(talk: Talk) -> None:
    """Shake hands as a server."""
    await talk.writer.start_tls(server_context())


def refuse_tls(context: ssl.SSLContext) -> Step:
    """Shake hands by hand and fail at it: asyncio's own server hangs up without the alert that OpenSSL has ready."""

    async def step(talk: Talk) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_side=True)
        with suppress(ssl.SSLError):
            while True:
                incoming.write(await talk.reader.read(65536))
                with suppress(ssl.SSLWantReadError):
                    tls.do_handshake()
                    raise AssertionError("the handshake went well")
                talk.writer.write(outgoing.read())
        talk.writer.write(outgoing.read())
        await talk.writer.drain()

    return step


@asynccontextmanager
async def peer(*script: Step, tls: ssl.SSLContext | None = None) -> AsyncIterator[Served]:
    """Serve the script to every connection; with `tls` from the start."""
    served = Served()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.connections += 1
        talk = Talk(reader, writer, served.heard)
        try:
            for step in script:
                await step(talk)
        except AssertionError as error:
            served.surprises.append(str(error))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            with suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()
            served.left.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    served.port = server.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        server.close()


class Served:
    """What a peer saw. `left` is set when a connection is over."""

    def __init__(self) -> None:
        self.port = 0
        self.connections = 0
        self.heard = bytearray()
        self.surprises: list[str] = []
        self.left = asyncio.Event()


@cache
def _authority() -> trustme.CA:
    return trustme.CA()


def server_context(minimum: ssl.TLSVersion | None = None, maximum: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """A server's TLS context with a certificate for `NAME`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _authority().issue_cert(NAME).configure_cert(context)
    if minimum is not None:
        context.minimum_version = minimum
    if maximum is not None:
        context.maximum_version = maximum
    return context
