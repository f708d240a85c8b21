"""A database server is ready when it asks who logs in, and not when it only takes connections."""

from __future__ import annotations

import asyncio
import struct

import pytest

from pytest_mailu.core.databases import ADMIN, MARIADB, POSTGRESQL, Database, DatabaseServer
from pytest_mailu.stack.readiness.databases import takes_logins
from tests.wire.direct import LocalConnector
from tests.wire.peer import Step, hang_up, peer, send, silence, take


def ask(server: DatabaseServer, *steps: Step) -> tuple[str, bytes]:
    """What is still missing, and what was sent."""

    async def run() -> tuple[str, bytes]:
        async with peer(*steps) as served:
            database = Database(ADMIN, server, "database", "database")
            missing = await takes_logins(LocalConnector({server.port: served.port}), database)()
            return missing, bytes(served.heard)

    return asyncio.run(run())


def packet(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack(">i", len(content) + 4) + content


def test_postgresql_asks_for_the_password_of_the_user_of_the_run() -> None:
    said = packet(b"R", b"\0\0\0\x0a" + b"SCRAM-SHA-256\0\0")
    missing, heard = ask(POSTGRESQL, take(35), send(said))
    assert missing == ""
    assert heard == b"\0\0\0\x23\0\3\0\0user\0mailu\0database\0mailu\0\0"


def test_postgresql_that_still_recovers_is_not_ready_and_its_words_are_told() -> None:
    refusal = b"SFATAL\0C57P03\0Mthe database system is starting up\0\0"
    assert "the database system is starting up" in ask(POSTGRESQL, send(packet(b"E", refusal)))[0]


def test_mariadb_greets_and_a_full_or_blocked_one_is_not_ready() -> None:
    greeting = b"\x0a11.8.2-MariaDB\0"
    assert ask(MARIADB, send(len(greeting).to_bytes(3, "little") + b"\0" + greeting))[0] == ""
    refusal = b"\xff\x10\x04Too many connections"
    assert "Too many connections" in ask(MARIADB, send(len(refusal).to_bytes(3, "little") + b"\0" + refusal))[0]


@pytest.mark.parametrize("server", [POSTGRESQL, MARIADB], ids=lambda server: server.flavour)
@pytest.mark.parametrize(
    "step",
    [hang_up, silence, send(b"\xff" * 40), send(packet(b"E", b"x" * 40_000)), send(b"220 mail ESMTP\r\n")],
    ids=["hangs-up", "silent", "nonsense", "long", "smtp"],
)
def test_anything_else_is_not_ready(server: DatabaseServer, step: Step, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_mailu.stack.readiness.databases._SECONDS", 0.3)
    assert ask(server, step)[0].startswith("port ")
