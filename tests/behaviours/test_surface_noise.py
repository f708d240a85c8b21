"""Line noise: a server that survives it answers; one that dies of it does not."""

from __future__ import annotations

import asyncio

import pytest

from pytest_mailu.behaviours.surface_noise import NOISE, noise
from pytest_mailu.core.endpoints import SMTP_25_PLAIN
from pytest_mailu.core.model import Observation, Outcome
from pytest_mailu.wire.transport.errors import HUNG_UP, NotServed
from tests.behaviours.local_stack import local_probe


async def ask(*, dies_of: bytes = b"", mute_after: int = 1000) -> tuple[Observation, int]:
    """Ask a small server that stops serving at `dies_of`, or answers nothing after so many connections."""
    connections = 0
    dead = False

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections, dead
        connections += 1
        if dead or connections > mute_after:
            writer.close()
            return
        writer.write(b"220 hi\r\n")
        try:
            while data := await reader.read(65536):
                dead = dead or bool(dies_of and dies_of in data)
                writer.write(b"" if dead else b"250 ok\r\n")
        except OSError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        async with asyncio.timeout(30):
            seen = await noise(local_probe({25: server.sockets[0].getsockname()[1]}), SMTP_25_PLAIN)
    finally:
        server.close()
    return seen, connections


def test_a_server_that_takes_no_notice_still_answers() -> None:
    seen, connections = asyncio.run(ask())
    assert seen.outcome is Outcome.ACCEPTED
    assert connections == len(NOISE) + 1


@pytest.mark.parametrize("payload", [b"\x80\x81", b"{4294967295}", b"PROXY TCP4"])
def test_a_server_that_dies_of_any_noise_does_not(payload: bytes) -> None:
    with pytest.raises(NotServed) as stopped:
        asyncio.run(ask(dies_of=payload))
    assert (stopped.value.outcome, stopped.value.reply) == (Outcome.UNANSWERED, HUNG_UP)


def test_a_closed_port_is_unreachable() -> None:
    async def run() -> None:
        await noise(local_probe({25: 1}), SMTP_25_PLAIN)

    with pytest.raises(NotServed) as stopped:
        asyncio.run(run())
    assert stopped.value.outcome is Outcome.UNREACHABLE
