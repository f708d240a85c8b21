"""The part of SMTP that is about the connection: greeting, EHLO, TLS, commands (RFC 5321, 3207)."""

from __future__ import annotations

import ssl

from pytest_mailu.core.endpoints import Tls
from pytest_mailu.core.model import Outcome, Reply, Stage
from pytest_mailu.wire.smtp.reply import expect_positive, keywords, read_reply
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed
from pytest_mailu.wire.transport.line_session import LineSession
from pytest_mailu.wire.transport.reader import KIB, Limits
from pytest_mailu.wire.transport.stream import CLOSE_SECONDS, LineStream

CLIENT_NAME = "client.elsewhere.example"
MAX_REPLIES = 100


class SmtpConnection(LineSession):
    """One connection. Replies are data; refusals raise `NotServed` except where a method says otherwise.

    `greeting` is the server's first reply. `keywords` holds EHLO's answer for each phase asked so far, as
    `{"plain" | "tls" | "login": {keyword: parameters}}`; `offered` is the newest of them. `name` is what the client
    calls itself in EHLO; with `hello=False` opening sends no EHLO, unless STARTTLS needs one.
    """

    limits = Limits(line=16 * KIB, reply=256 * KIB, lines=1000)

    def __init__(self, stream: LineStream, *, name: str = CLIENT_NAME, hello: bool = True) -> None:
        super().__init__(stream)
        self.name = name
        self.greeting = Reply()
        self.keywords: dict[str, dict[str, str]] = {}
        self.offered: dict[str, str] = {}
        self._hello = hello

    async def ehlo(self, name: str | None = None) -> dict[str, str]:
        """EHLO's keywords with their parameters; also kept in `keywords` and `offered`."""
        reply = await self.command(f"EHLO {self.name if name is None else name}", Stage.EHLO)
        self.offered = keywords(expect_positive(reply, Stage.EHLO))
        self.keywords[self._phase] = self.offered
        return self.offered

    async def request_tls(self, injected: bytes = b"") -> None:
        """STARTTLS (RFC 3207), if EHLO offered it; what EHLO said is forgotten then (section 4.2)."""
        if "STARTTLS" not in self.offered:
            raise NotServed(Outcome.NOT_OFFERED, Stage.TLS)
        await self.stream.send(b"STARTTLS\r\n" + injected)
        reply = expect_positive(await self._reply(Stage.TLS), Stage.TLS)
        if reply.code != "220":
            raise CannotAsk(f"an invalid answer to STARTTLS: {reply.code}")
        self.offered = {}

    async def command(self, line: bytes | str, stage: Stage = Stage.COMMAND, *, shown: str | None = None) -> Reply:
        """Send one line as it is (CRLF is added) and return the reply, whatever its code."""
        data = line.encode() if isinstance(line, str) else line
        await self.stream.send(data + b"\r\n", shown)
        return await self._reply(stage)

    async def pipeline(self, *lines: bytes | str, stage: Stage = Stage.COMMAND) -> list[Reply]:
        """Send several lines in one piece (RFC 2920) and return a reply for each, whatever their codes."""
        group = [line.encode() if isinstance(line, str) else line for line in lines]
        await self.stream.send(b"".join(line + b"\r\n" for line in group))
        return [await self._reply(stage) for _ in group]

    async def payload(self, payload: bytes, stage: Stage = Stage.DATA) -> Reply:
        """Send exactly these bytes, and return one reply, whatever its code."""
        await self.stream.send(payload, f"({len(payload)} bytes)")
        return await self._reply(stage)

    async def rest(self) -> tuple[Reply, ...]:
        """Send QUIT and give every reply that comes before the answer to it: replies to commands that were not sent.

        The session is over afterwards.
        """
        self._over = True
        await self.stream.send(b"QUIT\r\n")
        found: list[Reply] = []
        while (reply := await self._reply(Stage.COMMAND)).code != "221":
            found.append(reply)
            if len(found) > MAX_REPLIES:
                raise CannotAsk(f"more than {MAX_REPLIES} replies to QUIT")
        return tuple(found)

    async def hung_up(self, seconds: float = CLOSE_SECONDS) -> bool:
        """Whether the server closes the connection within `seconds`. Nothing more can be read afterwards."""
        return await self.stream.hung_up(seconds)

    async def quit(self) -> Reply:
        """QUIT; any answer is accepted. Leaving `open` does this by itself."""
        self._over = True
        return await self.command("QUIT")

    async def _reply(self, stage: Stage) -> Reply:
        async with self.stream.reply(stage):
            return await read_reply(self.stream)

    async def _greet(self) -> None:
        self.greeting = expect_positive(await self._reply(Stage.GREETING), Stage.GREETING)

    async def _prepare(self, tls: Tls, context: ssl.SSLContext, sni: str) -> None:
        if tls in (Tls.STARTTLS, Tls.OPPORTUNISTIC):
            await self.ehlo()
            if tls is Tls.STARTTLS or "STARTTLS" in self.offered:
                await self.starttls(context, sni)
        elif self._hello:
            await self.ehlo()

    async def _started_tls(self) -> None:
        if self._hello:
            await self.ehlo()

    async def _goodbye(self) -> None:
        await self.quit()
