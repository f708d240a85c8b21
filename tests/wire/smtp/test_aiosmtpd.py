"""SMTP against a real server: aiosmtpd."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiosmtpd.smtp import SMTP, AuthResult

from pytest_mailu.core.endpoints import Tls
from pytest_mailu.core.model import Outcome, Reply, Stage
from pytest_mailu.wire.smtp.session import SmtpSession
from pytest_mailu.wire.transport.errors import NotServed
from tests.wire.direct import DirectConnector
from tests.wire.mail_server import Mailbox
from tests.wire.peer import server_context

LETTER = b"From: <al@post.example>\r\nSubject: x\r\n\r\n.dot\r\n..\r\nGr\xc3\xbc\xc3\x9fe\r\n"


@asynccontextmanager
async def session_with(mailbox: Mailbox) -> AsyncIterator[SmtpSession]:
    def authenticate(server, session, envelope, mechanism, data):
        return AuthResult(success=(data.login, data.password) == (b"al", "Grüße".encode()), handled=False)

    def serve() -> SMTP:
        return SMTP(
            mailbox,
            tls_context=server_context(),
            authenticator=authenticate,
            auth_required=True,
            decode_data=False,
            enable_SMTPUTF8=True,
        )

    server = await asyncio.get_running_loop().create_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        async with SmtpSession.open(DirectConnector(), "127.0.0.1", port, tls=Tls.STARTTLS, timeout=10) as session:
            yield session
    finally:
        server.close()


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("initial", [True, False])
def test_a_letter_arrives_as_it_was_sent(mechanism, initial):
    mailbox = Mailbox()

    async def run():
        async with session_with(mailbox) as session:
            await session.login("al", "Grüße", mechanism, initial_response=initial)
            sent = await session.send("al@post.example", ["bob@post.example", "nobody@post.example"], LETTER)
            await session.ehlo()
            return sent, session.keywords

    sent, keywords = asyncio.run(run())
    assert sent.reply == Reply("250", "2.0.0", "kept")
    assert sent.recipients["nobody@post.example"] == Reply("550", "5.1.1", "unknown")
    assert mailbox.messages == [("al@post.example", ["bob@post.example"], LETTER)]
    assert "STARTTLS" in keywords["plain"]
    assert keywords["tls"]["AUTH"] == "LOGIN PLAIN"
    assert set(keywords) == {"plain", "tls", "login"}


def test_a_wrong_password_and_what_comes_before_a_login():
    mailbox = Mailbox()

    async def run():
        async with session_with(mailbox) as session:
            with pytest.raises(NotServed) as before:
                await session.mail("al@post.example")
            with pytest.raises(NotServed) as wrong:
                await session.login("al", "wrong")
            return before.value, wrong.value

    before, wrong = asyncio.run(run())
    assert (before.outcome, before.stage, before.reply.code) == (Outcome.REFUSED, Stage.MAIL, "530")
    assert (wrong.outcome, wrong.stage, wrong.reply.code) == (Outcome.AUTH_FAILED, Stage.AUTH, "535")
