"""The part of SMTP that is about the connection: greeting, EHLO, TLS, commands (RFC 5321, 3207), on aiosmtplib."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from typing import Self

from aiosmtplib import SMTP, SMTPResponse, SMTPResponseException, SMTPServerDisconnected

from pytest_mailu.core.endpoints import Tls
from pytest_mailu.core.model import Outcome, Reply, Stage, Vantage
from pytest_mailu.wire.smtp.protocol import Protocol
from pytest_mailu.wire.smtp.reply import expect_positive, keywords
from pytest_mailu.wire.transport.connector import Connector, dial
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed
from pytest_mailu.wire.transport.stream import CLOSE_SECONDS
from pytest_mailu.wire.transport.tls_context import client_context, handshake_errors
from pytest_mailu.wire.transport.transcript import Transcript

CLIENT_NAME = "client.elsewhere.example"
MAX_REPLIES = 100


class SmtpConnection:
    """One connection. Replies are data; refusals raise `NotServed` except where a method says otherwise.

    `greeting` is the server's first reply. `keywords` holds EHLO's answer for each phase asked so far, as
    `{"plain" | "tls" | "login": {keyword: parameters}}`; `offered` is the newest of them.
    """

    def __init__(self, transcript: Transcript, timeout: float, name: str) -> None:
        self.transcript = transcript
        self.timeout = timeout
        self.name = name
        self.greeting = Reply()
        self.keywords: dict[str, dict[str, str]] = {}
        self.offered: dict[str, str] = {}
        self._phase = "plain"
        self._over = False
        self._protocol = Protocol(transcript, timeout)
        self._client = SMTP(local_hostname=name, timeout=None)

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        connector: Connector,
        host: str,
        port: int,
        *,
        tls: Tls = Tls.STARTTLS,
        vantage: Vantage = Vantage.STRANGER,
        transcript: Transcript | None = None,
        timeout: float = 20.0,  # noqa: ASYNC109 - of each reply, not of the whole
        name: str = CLIENT_NAME,
        sni: str | None = None,
        hello: bool = True,
        context: ssl.SSLContext | None = None,
    ) -> AsyncIterator[Self]:
        """Connect, read the greeting, say EHLO with `name` (not with `hello=False`), begin TLS, and say EHLO again.

        `sni` is the TLS server name, `host` unless given; `timeout` are the seconds allowed for each reply.
        """
        session = cls(transcript or Transcript(), timeout, name)
        context = context or client_context()
        connection = await dial(connector, host, port, vantage=vantage, transcript=session.transcript)
        healthy = False
        try:
            await session._connect(connection, context if tls is Tls.IMPLICIT else None, sni or host)
            session.greeting = expect_positive(await session._protocol.read_reply(), Stage.GREETING)
            unheard = True
            if tls in (Tls.STARTTLS, Tls.OPPORTUNISTIC):
                await session.ehlo()
                unheard = tls is Tls.STARTTLS or "STARTTLS" in session.offered
                if unheard:
                    # What was said before TLS is forgotten then (RFC 3207 section 4.2).
                    await session.starttls(context, sni or host)
            if hello and unheard:
                await session.ehlo()
            yield session
            healthy = True
        except (NotServed, CannotAsk) as end:
            session.transcript.end(str(end))
            raise
        finally:
            await session._close(polite=healthy)

    async def ehlo(self, name: str | None = None) -> dict[str, str]:
        """EHLO's keywords with their parameters; also kept in `keywords` and `offered`."""
        name = self.name if name is None else name
        self.transcript.client(f"EHLO {name}")
        reply = await self._ask(self._client.ehlo(hostname=name), Stage.EHLO)
        self.offered = keywords(expect_positive(reply, Stage.EHLO))
        self.keywords[self._phase] = self.offered
        return self.offered

    async def starttls(self, context: ssl.SSLContext | None = None, sni: str | None = None) -> None:
        """STARTTLS and the handshake (RFC 3207), if EHLO offered it; what EHLO said is forgotten then."""
        await self._upgrade(context, sni)

    async def starttls_with(self, injected: bytes) -> tuple[Reply, ...]:
        """Send `injected` in plain text in one piece with STARTTLS, then QUIT under TLS; give what else was answered.

        A server that keeps the two apart answers QUIT alone, so an empty tuple is the good case (CVE-2011-0411); a
        handshake that the injected bytes break is as good. The session is over afterwards.
        """
        try:
            await self._upgrade(None, None, behind=injected)
        except NotServed as stopped:
            if stopped.outcome is not Outcome.TLS_FAILED:
                raise
            self._over = True
            return ()
        return await self.rest()

    async def command(self, line: bytes | str, stage: Stage = Stage.COMMAND, *, shown: str | None = None) -> Reply:
        """Send one line as it is (CRLF is added) and give the reply, whatever it says."""
        data = line.encode() if isinstance(line, str) else line
        self.transcript.client(data if shown is None else shown)
        return await self._exchange(data + b"\r\n", stage)

    async def pipeline(self, *lines: bytes | str, stage: Stage = Stage.COMMAND) -> list[Reply]:
        """Send several lines in one piece (RFC 2920) and give a reply for each, whatever they say."""
        group = [line.encode() if isinstance(line, str) else line for line in lines]
        for line in group:
            self.transcript.client(line)
        self._send(b"".join(line + b"\r\n" for line in group), stage)
        return [await self._protocol.read_reply() for _ in group]

    async def payload(self, payload: bytes, stage: Stage = Stage.DATA) -> Reply:
        """Exactly these bytes, and one reply, whatever it says."""
        self.transcript.client(f"({len(payload)} bytes)")
        return await self._exchange(payload, stage)

    async def rest(self) -> tuple[Reply, ...]:
        """Say QUIT and give every reply that comes before the answer to it: those to commands that nobody sent.

        The session is over afterwards.
        """
        self._over = True
        self.transcript.client("QUIT")
        self._send(b"QUIT\r\n", Stage.COMMAND)
        found: list[Reply] = []
        while (reply := await self._protocol.read_reply()).code != "221":
            found.append(reply)
            if len(found) > MAX_REPLIES:
                raise CannotAsk(f"more than {MAX_REPLIES} replies to QUIT")
        return tuple(found)

    async def hung_up(self, seconds: float = CLOSE_SECONDS) -> bool:
        """Whether the server closes the connection within `seconds`. Nothing more can be read afterwards."""
        return await self._protocol.hung_up(seconds)

    async def quit(self) -> Reply:
        """QUIT, whatever the server says to it. Leaving `open` does this by itself."""
        self._over = True
        return await self.command("QUIT")

    async def _upgrade(self, context: ssl.SSLContext | None, sni: str | None, behind: bytes = b"") -> None:
        if "STARTTLS" not in self.offered:
            raise NotServed(Outcome.NOT_OFFERED, Stage.TLS)
        protocol, before = self._protocol, self._protocol.last
        protocol.stage, protocol.starting_tls, protocol.behind = Stage.TLS, True, behind
        for line in (b"STARTTLS", *behind.splitlines()):
            self.transcript.client(line)
        try:
            with handshake_errors(self.timeout):
                await self._client.starttls(
                    tls_context=context or client_context(), server_hostname=sni, timeout=self.timeout
                )
        except SMTPResponseException:
            expect_positive(protocol.last, Stage.TLS)
            raise CannotAsk(f"an answer to STARTTLS that means nothing: {protocol.last.code}") from None
        except NotServed as stopped:
            if stopped.outcome is Outcome.TLS_FAILED and protocol.last is before:
                raise CannotAsk("the server closed the connection before STARTTLS") from None
            raise
        finally:
            protocol.starting_tls = False
        protocol.adopt()
        self._phase = "tls"
        self.offered = {}
        self._note_tls()

    async def _connect(self, connection: socket.socket, context: ssl.SSLContext | None, sni: str) -> None:
        try:
            with handshake_errors(self.timeout):
                transport, _ = await asyncio.get_running_loop().create_connection(
                    lambda: self._protocol,
                    sock=connection,
                    ssl=context,
                    server_hostname=sni if context else None,
                    ssl_handshake_timeout=self.timeout if context else None,
                )
        except BaseException:
            connection.close()
            raise
        # What SMTP.connect() would set, had it a way to be given a protocol.
        self._client.protocol, self._client.transport = self._protocol, transport
        self._phase = "tls" if context else "plain"
        self._note_tls()

    async def _ask(self, asking: Awaitable[SMTPResponse], stage: Stage) -> Reply:
        self._protocol.stage = stage
        try:
            await asking
        except SMTPResponseException:
            return self._protocol.last
        except SMTPServerDisconnected:
            # Gone already; but it may have said why before, and then that is the reply.
            return await self._protocol.read_reply()
        return self._protocol.last

    async def _exchange(self, payload: bytes, stage: Stage) -> Reply:
        self._send(payload, stage)
        return await self._protocol.read_reply()

    def _send(self, payload: bytes, stage: Stage) -> None:
        self._protocol.stage = stage
        # A connection that is already gone is no error here: the reply that is then missing will tell.
        with suppress(SMTPServerDisconnected):
            self._protocol.write(payload)

    def _note_tls(self) -> None:
        encryption = self._client.get_transport_info("ssl_object") if self._client.is_connected else None
        if encryption is not None:
            self.transcript.tls(encryption.version())

    async def _close(self, *, polite: bool) -> None:
        """Say QUIT if all went well, then let go; never raises and never hangs."""
        self._protocol.seconds = CLOSE_SECONDS
        try:
            if polite and not self._over and not self._protocol.lost:
                with suppress(NotServed, CannotAsk):
                    await self.quit()
        finally:
            if isinstance(self._protocol.transport, asyncio.Transport):
                self._protocol.transport.abort()
                # One turn of the loop lets the transport close its socket.
                await asyncio.sleep(0)
