"""The request of a certificate authority, with a front that is played; and what listens in certbot's place."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import urllib.request
from typing import Any

import pytest

from pytest_mailu.behaviours import tls_certbot
from pytest_mailu.core.commands import CommandResult
from pytest_mailu.core.model import Outcome
from pytest_mailu.core.setups import setup_named
from pytest_mailu.wire.transport.errors import CannotAsk
from tests.behaviours.local_stack import local_probe
from tests.waiting import eventually


class Front:
    """Passes requests on to what listens in certbot's place from the second one on, or never."""

    def __init__(self, *, passes: bool) -> None:
        self._passes = passes
        self._asked = 0
        self.word = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
        self._asked += 1
        body = f"{self.word}{path}" if self._passes and self._asked > 1 else "Bad Gateway"
        status = "200 OK" if body != "Bad Gateway" else "502 Bad Gateway"
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode())
        writer.close()

    def run(self, service: str, command: tuple[str, ...]) -> CommandResult:
        self.word = command[-1]
        return CommandResult(0, "", "")


def ask(front: Front, run: Any = None) -> Any:
    async def asked() -> Any:
        server = await asyncio.start_server(front.serve, "127.0.0.1", 0)
        async with server, asyncio.timeout(30):
            probe = local_probe({80: server.sockets[0].getsockname()[1]}, run=run or front.run)
            probe.stack.setup = setup_named("letsencrypt")  # type: ignore[misc]
            return await tls_certbot.challenge(probe)

    return asyncio.run(asked())


@pytest.mark.parametrize(
    ("passes", "outcome", "code"), [(True, Outcome.ACCEPTED, "200"), (False, Outcome.REFUSED, "502")]
)
def test_that_certbot_is_reached_is_seen_by_the_word_that_only_it_knows(
    passes: bool, outcome: Outcome, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls_certbot, "SECONDS", 1.0)
    seen = ask(Front(passes=passes))
    assert (seen.outcome, seen.reply.code) == (outcome, code)


def test_where_nothing_can_listen_nothing_is_told_of_front(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls_certbot, "SECONDS", 0.5)
    taken = CommandResult(1, "", "Traceback\nOSError: [Errno 98] Address already in use\n")
    with pytest.raises(CannotAsk, match="already in use"):
        ask(Front(passes=False), lambda *_: taken)


def test_what_listens_answers_one_request_with_its_word_and_the_path() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    script = tls_certbot.LISTENER.replace("8008", str(port))
    with subprocess.Popen([sys.executable, "-c", script, "word"]) as process:
        found: list[bytes] = []

        def answered() -> bool:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/a/b", timeout=5) as reply:
                    found.append(reply.read())
            except OSError:
                return False
            return True

        eventually(answered)
        assert process.wait(10) == 0
    assert found == [b"word/a/b"]
