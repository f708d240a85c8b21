"""A web server for one page: the MTA-STS policy of each domain that has one (RFC 8461 section 3.3), by HTTPS.

A connection is for one request, within bounds of size and time; every other page is 404.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress

from .plan import Policies, plain_name

PATH = "/.well-known/mta-sts.txt"
LONGEST_REQUEST = 8192
REQUEST_SECONDS = 10.0
MOST_CONNECTIONS = 100
"""Bytes and seconds for the head of a request, and connections at a time."""


async def listen(policies: Policies, context: ssl.SSLContext) -> int:
    """Serve until the loop ends; the port that was bound."""
    open_now = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal open_now
        open_now += 1
        try:
            if open_now <= MOST_CONNECTIONS:
                await asyncio.wait_for(_serve(policies, reader, writer), REQUEST_SECONDS)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.TimeoutError, OSError):
            pass
        finally:
            open_now -= 1
            with suppress(OSError):
                writer.close()

    port = policies.port
    for address in policies.addresses:
        server = await asyncio.start_server(
            handle, address, port, ssl=context, ssl_handshake_timeout=REQUEST_SECONDS, limit=LONGEST_REQUEST
        )
        port = int(server.sockets[0].getsockname()[1])
    return port


async def _serve(policies: Policies, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    writer.write(answer(policies, head))
    await writer.drain()


def answer(policies: Policies, head: bytes) -> bytes:
    """The response to the head of a request."""
    request, *lines = head.decode("latin-1").split("\r\n")
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    host = plain_name(fields.get("host", "").partition(":")[0])
    text = policies.texts.get(host) if request.split(" ")[:2] == ["GET", PATH] else None
    status = "404 Not Found" if text is None else "200 OK"
    body = (text or "there is no such policy\r\n").encode()
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    ).encode() + body
