"""Our SMTP session beside aiosmtplib's client: the same server offers, accepts and refuses the same to both."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiosmtplib
import pytest
from aiosmtpd.smtp import SMTP, AuthResult

from pytest_mailu.core.endpoints import Tls
from pytest_mailu.wire.smtp.session import SmtpSession
from pytest_mailu.wire.transport.errors import NotServed
from tests.wire.direct import DirectConnector
from tests.wire.mail_server import Mailbox
from tests.wire.peer import server_context

MESSAGE = b"From: <al@post.example>\r\nSubject: x\r\n\r\n.dot\r\n..\r\nGr\xc3\xbc\xc3\x9fe\r\n"
PASSWORD = "Grüße-1"


def trusting() -> ssl.SSLContext:
    """Whether the certificate is trusted is not the question here."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class Server(Mailbox):
    """A mailbox whose server listens on `port`."""

    port = 0


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    handler = Server()

    def authenticate(server, session, envelope, mechanism, data):
        return AuthResult(success=(data.login, data.password) == (b"al", PASSWORD.encode()), handled=False)

    def serve() -> SMTP:
        return SMTP(handler, tls_context=server_context(), authenticator=authenticate, decode_data=False)

    server = await asyncio.get_running_loop().create_server(serve, "127.0.0.1", 0)
    handler.port = server.sockets[0].getsockname()[1]
    try:
        yield handler
    finally:
        server.close()


async def ours(server: Server, password: str, recipients: list[str]) -> tuple[set[str], int, set[str]]:
    """The keywords offered under TLS, the code of the answer to the login, and the recipients refused."""
    async with SmtpSession.open(DirectConnector(), "127.0.0.1", server.port, tls=Tls.STARTTLS, timeout=10) as session:
        offered = {keyword.lower() for keyword in session.offered}
        try:
            login = int((await session.login("al", password)).code)
        except NotServed as refused:
            return offered, int(refused.reply.code if refused.reply else 0), set()
        sent = await session.send("al@post.example", recipients, MESSAGE)
        return offered, login, {to for to, reply in sent.recipients.items() if reply.code == "550"}


async def theirs(server: Server, password: str, recipients: list[str]) -> tuple[set[str], int, set[str]]:
    """The same, by aiosmtplib."""
    client = aiosmtplib.SMTP(hostname="127.0.0.1", port=server.port, start_tls=True, tls_context=trusting(), timeout=10)
    async with client:
        await client.ehlo()
        offered = set(client.esmtp_extensions)
        try:
            login = (await client.login("al", password)).code
        except aiosmtplib.SMTPAuthenticationError as refused:
            return offered, refused.code, set()
        errors, _ = await client.sendmail("al@post.example", recipients, MESSAGE)
        return offered, login, set(errors)


@pytest.mark.parametrize("password", [PASSWORD, "wrong-1"])
def test_both_clients_see_the_same_server(password: str) -> None:
    recipients = ["bo@post.example", "nobody@post.example"]

    async def run() -> None:
        async with asyncio.timeout(30), serving() as server:
            ours_seen = await ours(server, password, recipients)
            theirs_seen = await theirs(server, password, recipients)
            assert ours_seen == theirs_seen
            assert ours_seen[1] == (235 if password == PASSWORD else 535)
            assert len(server.messages) == (2 if password == PASSWORD else 0)
            assert len({(sender, tuple(to), content) for sender, to, content in server.messages}) <= 1

    asyncio.run(run())
