"""The condition for a database server to be ready: it asks who logs in, for the user of the run."""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable

from pytest_mailu.core.databases import POSTGRESQL, Database
from pytest_mailu.core.model import Stage, Vantage
from pytest_mailu.core.text import show_line
from pytest_mailu.stack.readiness.conditions import Condition
from pytest_mailu.wire.transport.connector import Connector
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed
from pytest_mailu.wire.transport.stream import LineStream

_SECONDS = 5.0
_LONGEST = 2_000
"""Bytes of a reply that are read."""


def takes_logins(connector: Connector, database: Database) -> Condition:
    """Met when the server asks for the password of the run's user. Images start it once before, without a port, to make
    users and databases; while it recovers, it takes connections and refuses logins.

    PostgreSQL's protocol, "Message Formats" (StartupMessage, AuthenticationRequest, ErrorResponse); MySQL's, "Protocol
    Handshake" (HandshakeV10, ERR_Packet).
    """
    host, _, port = database.host.partition(":")
    number = int(port) if port else database.server.port
    say = _postgresql(database.user, database.name) if database.server is POSTGRESQL else _mysql

    async def condition() -> str:
        stream = LineStream.open(connector, host, number, vantage=Vantage.INSIDE, timeout=_SECONDS)
        try:
            async with stream as opened, opened.reply(Stage.GREETING):
                missing = await say(opened)
        except (NotServed, CannotAsk) as error:
            missing = str(error)
        return f"port {number}: {missing}" if missing else ""

    return condition


def _postgresql(user: str, name: str) -> Callable[[LineStream], Awaitable[str]]:
    async def say(stream: LineStream) -> str:
        words = b"".join(word.encode() + b"\0" for word in ("user", user, "database", name)) + b"\0"
        await stream.send(struct.pack(">ii", 8 + len(words), 3 << 16) + words, "StartupMessage")
        kind, length = struct.unpack(">ci", await stream.exactly(5))
        said = await stream.exactly(max(0, min(length - 4, _LONGEST)))
        return "" if kind == b"R" else f"answers a login with {_texts(said)!r}"

    return say


async def _mysql(stream: LineStream) -> str:
    length = int.from_bytes((await stream.exactly(4))[:3], "little")
    said = await stream.exactly(max(0, min(length, _LONGEST)))
    return "" if said[:1] == b"\x0a" else f"greets with {_texts(said[1:])!r}"


def _texts(said: bytes) -> str:
    return show_line(said.replace(b"\0", b" "), 120)
