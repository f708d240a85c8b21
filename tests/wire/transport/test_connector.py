"""Connectors: a server that refuses a connection is an observation; a missing SOCKS proxy is not."""

from __future__ import annotations

import asyncio

import pytest

from pytest_mailu.core.endpoints import Tls
from pytest_mailu.core.model import Outcome, Stage, Vantage
from pytest_mailu.wire.smtp.session import SmtpSession
from pytest_mailu.wire.transport.connector import SocksConnector
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed
from tests.wire.peer import Step, Talk, expect, hang_up, peer, say, send, silence, take


def socks(reply: int, seen: list[bytes] | None = None) -> tuple[Step, ...]:
    """A SOCKS5 server (RFC 1928, 1929) that lets anybody in and gives this reply to CONNECT."""

    async def login(talk: Talk) -> None:
        _, size = await talk.reader.readexactly(2)
        user = await talk.reader.readexactly(size)
        password = await talk.reader.readexactly((await talk.reader.readexactly(1))[0])
        if seen is not None:
            seen.extend((user, password))

    async def request(talk: Talk) -> None:
        head = await talk.reader.readexactly(4)
        size = (await talk.reader.readexactly(1))[0] if head[3] == 3 else 4
        host = await talk.reader.readexactly(size)
        port = await talk.reader.readexactly(2)
        if seen is not None:
            seen.extend((host, port))

    async def methods(talk: Talk) -> None:
        _, count = await talk.reader.readexactly(2)
        assert 2 in await talk.reader.readexactly(count)

    answer = bytes((5, reply, 0, 1, 127, 0, 0, 1, 0, 0))
    return methods, send(b"\x05\x02"), login, send(b"\x01\x00"), request, send(answer)


def end_of(*script: Step, timeout: float = 5.0) -> NotServed | CannotAsk:
    async def run():
        async with peer(*script) as served:
            with pytest.raises((NotServed, CannotAsk)) as caught:
                async with SmtpSession.open(
                    SocksConnector(served.port, "token", timeout=timeout), "front", 25, tls=Tls.NONE
                ):
                    pass
            return caught.value

    return asyncio.run(run())


def test_user_name_and_password_are_vantage_and_token_and_names_are_left_to_the_world():
    seen: list[bytes] = []
    script = (*socks(0, seen), say("220 hi"), expect("EHLO"), say("250 hi"), expect("QUIT"), say("221 bye"))

    async def run():
        async with peer(*script) as served:
            connector = SocksConnector(served.port, "token")
            async with SmtpSession.open(connector, "front", 25, tls=Tls.NONE, vantage=Vantage.RELAYNET) as session:
                return session.greeting.text

    assert asyncio.run(run()) == "hi"
    assert seen == [b"relaynet", b"token", b"front", (25).to_bytes(2, "big")]


@pytest.mark.parametrize("reply", [4, 5, 6])
def test_a_server_that_takes_no_connection_is_unreachable(reply):
    end = end_of(*socks(reply))
    assert isinstance(end, NotServed)
    assert (end.outcome, end.stage) == (Outcome.UNREACHABLE, Stage.CONNECT)
    assert end.reply is not None
    assert end.reply.text


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(socks(1), id="failure"),
        pytest.param(socks(2), id="not-allowed"),
        pytest.param(socks(3), id="no-network"),
        pytest.param((hang_up,), id="closed"),
        pytest.param((take(3), hang_up), id="closed-after-hello"),
        pytest.param((take(3), say("HTTP/1.1 400 Bad Request"), silence), id="no-socks"),
        pytest.param((take(3), send(b"\x05\xff"), silence), id="no-login"),
    ],
)
def test_a_failure_of_the_proxy_says_nothing_about_the_server(script):
    assert isinstance(end_of(*script), CannotAsk)


def test_a_silent_proxy_says_nothing_about_the_server():
    assert isinstance(end_of(silence, timeout=0.3), CannotAsk)


def test_a_missing_proxy_says_nothing_about_the_server():
    async def run():
        async with peer() as served:
            pass
        with pytest.raises(CannotAsk) as caught:
            async with SmtpSession.open(SocksConnector(served.port, "token"), "front", 25):
                pass
        return caught.value.reason

    assert "cannot be reached" in asyncio.run(run())


def test_a_connector_does_not_show_its_token():
    assert "secret-token" not in repr(SocksConnector(1080, "secret-token"))
