"""Helpers that behaviours of several families share: logins, replies, folders, handshakes, tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from pytest_mailu.core.endpoints import IMAPS_993, SMTP_25_OPPORTUNISTIC, Endpoint, Protocol
from pytest_mailu.core.model import Outcome, Reply, Stage, Vantage
from pytest_mailu.core.population import ELSEWHERE, HOSTNAME, LONG, QUOTES, RESERVED, UMLAUT, User
from pytest_mailu.probe.admin_site import Site, flash, form
from pytest_mailu.probe.messages import BODY, compose_message
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.running_stack import FRONT
from pytest_mailu.probe.sessions import REPLY_SECONDS
from pytest_mailu.wire.imap.reply import ImapReply
from pytest_mailu.wire.imap.session import ImapSession
from pytest_mailu.wire.smtp.session import SmtpSession
from pytest_mailu.wire.tls.handshake import TlsFacts, handshake
from pytest_mailu.wire.transport.connector import Connector
from pytest_mailu.wire.transport.errors import HUNG_UP, CannotAsk, NotServed

MECHANISMS = ("PLAIN", "LOGIN")


SPECIAL_PASSWORDS = {"umlaut": UMLAUT, "reserved": RESERVED, "quotes": QUOTES, "long": LONG}
"""Users whose passwords are hard to carry: not ASCII, reserved characters, quotes, very long."""


@asynccontextmanager
async def login_session(
    probe: Probe,
    endpoint: Endpoint,
    vantage: Vantage = Vantage.STRANGER,
    *,
    connector: Connector | None = None,
) -> AsyncIterator[Callable[[str, str], Awaitable[Reply]]]:
    """A session on any endpoint: its protocol's usual command to log in, which takes user and password.

    `connector` takes the place of the set-up's. The command raises NotServed where the login fails.
    """
    match endpoint.protocol:
        case Protocol.SMTP | Protocol.SUBMISSION:
            async with probe.smtp(endpoint, vantage, connector=connector) as smtp:
                yield smtp.login
        case Protocol.IMAP:
            async with probe.imap(endpoint, vantage, connector=connector) as imap:

                async def login(user: str, password: str) -> Reply:
                    return without_capabilities((await imap.login(user, password)).reply)

                yield login
        case Protocol.POP3:
            async with probe.pop3(endpoint, vantage, connector=connector) as pop3:
                yield pop3.login
        case Protocol.MANAGESIEVE:
            async with probe.sieve(endpoint, vantage, connector=connector) as sieve:
                yield sieve.authenticate
        case Protocol.HTTP:
            raise ValueError(f"{endpoint} has no command to log in with")


async def log_in(
    probe: Probe,
    endpoint: Endpoint,
    user: str,
    password: str,
    vantage: Vantage = Vantage.STRANGER,
    *,
    connector: Connector | None = None,
) -> Reply:
    """Log in within a session of its own, as `login_session` does; the reply. Raises NotServed where that fails."""
    async with login_session(probe, endpoint, vantage, connector=connector) as login:
        return await login(user, password)


async def opens(probe: Probe, user: str, password: str) -> bool:
    """Whether a password opens the mailbox by IMAP. Raises NotServed for every other end than a wrong password's."""
    try:
        await log_in(probe, IMAPS_993, user, password)
    except NotServed as end:
        if end.outcome is not Outcome.AUTH_FAILED:
            raise
        return False
    return True


def without_capabilities(reply: Reply) -> Reply:
    """The reply without the list of capabilities that IMAP servers put into it: `surface/` asks about that."""
    return replace(reply, enhanced="") if reply.enhanced.startswith("CAPABILITY") else reply


async def answer(smtp: SmtpSession, line: str) -> Reply:
    """The reply to an SMTP command, or `HUNG_UP` where the server closes the connection without one."""
    try:
        return await smtp.command(line)
    except NotServed as end:
        if end.hung_up:
            return HUNG_UP
        raise


def as_fact(reply: Reply) -> str:
    """A reply as one line of a fact: code, enhanced code and text."""
    return " ".join(filter(None, (reply.code, reply.enhanced, reply.text)))


async def create_folder(imap: ImapSession, name: str) -> None:
    """CREATE a folder with a unique name. Raises NotServed where that fails."""
    try:
        await imap.create(name)
    except NotServed as end:
        # With many sessions in one mailbox, Dovecot may say so of a folder that it has just made.
        if end.reply is None or end.reply.enhanced != "ALREADYEXISTS":
            raise


@asynccontextmanager
async def temporary_folder(
    probe: Probe,
    user: User,
    *,
    timeout: float = REPLY_SECONDS,  # noqa: ASYNC109 - of each reply, not of the whole
) -> AsyncIterator[tuple[ImapSession, str]]:
    """A logged-in IMAP session and the name of a new, selected folder, which is deleted afterwards."""
    async with probe.imap(IMAPS_993, timeout=timeout) as imap:
        await imap.login(user.address, user.password)
        name = f"probe-{probe.unique_word()}"
        await create_folder(imap, name)
        await imap.select(name)
        yield imap, name
        await imap.select()
        await imap.delete(name)


def stored_message(subject: str = "A question", body: str = BODY) -> bytes:
    """A message for APPEND, with CRLF line ends."""
    return compose_message(to="reader@post.example", subject=subject, body=body).content


def response_code_name(reply: ImapReply) -> str:
    """The response code without its arguments: `COPYUID`."""
    return reply.response_code.partition(" ")[0].upper()


async def tls_handshake(probe: Probe, endpoint: Endpoint, *, sni: str | None = HOSTNAME, **how: Any) -> TlsFacts:
    """A TLS handshake on this endpoint; raises as `wire.tls.handshake` does."""
    return await handshake(
        probe.connector,
        FRONT,
        endpoint.port,
        tls=endpoint.tls,
        protocol=endpoint.protocol,
        sni=sni,
        transcript=probe.transcript,
        timeout=REPLY_SECONDS,
        **how,
    )


async def create_token(probe: Probe, user: User, address: str = "") -> str:
    """A new token of a user, created by the web site's form and bound to `address` if given.

    Raises CannotAsk where that fails: without a token its behaviours cannot ask, and `web/` asks about the site.
    """
    try:
        return await _create_token(probe, user, address)
    except NotServed as end:
        raise CannotAsk(f"no token could be created on the web site: {end}") from end


async def _create_token(probe: Probe, user: User, address: str) -> str:
    comment = f"pytest-mailu {probe.unique_word()}"
    async with Site.open(probe) as site:
        await site.login(user.address, user.password)
        path = "/token/create"
        page = await site.inner_page(path)
        token = form(page.text).get("raw_password", "")
        if not token:
            raise NotServed(Outcome.NOT_OFFERED, Stage.COMMAND, Reply(str(page.status), "", flash(page.text)))
        probe.transcript.hide(token)
        # The form has another token each time it is shown: this one is sent as it is.
        values = {**form(page.text), "comment": comment, "ip": address, "displayed_password": token}
        reply = await site.http.post(site.admin + path, data=values, follow=False)
        if comment not in (await site.inner_page("/token/list")).text:
            said = flash(reply.text) or "the token is not in the list"
            raise NotServed(Outcome.REFUSED, Stage.COMMAND, Reply(str(reply.status), "", said))
    return token


async def delete_tokens(probe: Probe, user: User) -> None:
    """Delete all tokens of a user by the web site's form. Raises CannotAsk where the site does not take part.

    That a token is still there afterwards is for the caller to show.
    """
    try:
        async with Site.open(probe) as site:
            await site.login(user.address, user.password)
            listed = (await site.inner_page("/token/list")).text
            for number in {part.partition('"')[0] for part in listed.split("/token/delete/")[1:]}:
                await site.save(f"/token/delete/{number}", {})
    except NotServed as end:
        raise CannotAsk(f"no token could be deleted on the web site: {end}") from end


async def rcpt_from_stranger(probe: Probe, address: str) -> Reply:
    """The reply to RCPT for this address on port 25 from a stranger; raises NotServed where it is refused."""
    async with probe.smtp(SMTP_25_OPPORTUNISTIC) as smtp:
        await smtp.mail(f"stranger@{ELSEWHERE}")
        return await smtp.rcpt(address)
