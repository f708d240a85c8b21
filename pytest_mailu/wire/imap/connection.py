"""The part of IMAP that is about the connection: greeting, TLS, login, commands, literals, IDLE (RFC 9051, 2177)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pytest_mailu.core.model import Outcome, Stage
from pytest_mailu.core.text import show_line
from pytest_mailu.wire.imap.reply import Chunk, ImapReply, Untagged, quoted, read_response, state
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed
from pytest_mailu.wire.transport.line_session import LineSession
from pytest_mailu.wire.transport.sasl import Mechanism, responses
from pytest_mailu.wire.transport.stream import LineStream
from pytest_mailu.wire.transport.transcript import MASK

LONGEST_LIST = 16_384
"""Characters of a list of capabilities that are kept."""
MOST_NEWS = 1000
"""Responses that are kept while idling."""
_LATER = {"UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG"}
_LAST_WORDS = {"BYE", "BAD"}
"""What a server says before it closes the connection: nginx says "* BAD internal server error" where the mailbox's own
server does not take the client (ngx_mail_proxy_internal_server_error), and answers no command then."""
_NOT_THE_CREDENTIALS = {"PRIVACYREQUIRED", "ENCRYPTIONNEEDED"}


class ImapConnection(LineSession):
    """One connection. `greeting` is the first response; `capabilities` holds the server's list in each phase so far.

    The phases are `plain`, `tls` and `login`; `offered` is the newest list, in upper case.
    """

    def __init__(self, stream: LineStream) -> None:
        super().__init__(stream)
        self.greeting = ImapReply("")
        self.capabilities: dict[str, tuple[str, ...]] = {}
        self.offered: tuple[str, ...] = ()
        self._tags = 0

    async def command(self, *parts: str | bytes, stage: Stage = Stage.COMMAND) -> ImapReply:
        """Send a command and return its completion, whatever its status.

        Text is sent as it is; bytes are sent as a literal, after a continuation request: `command("APPEND x ", mail)`.
        A BYE that ends the connection raises `NotServed(REFUSED, stage)`.
        """
        tag = self._tag()
        untagged: list[Untagged] = []
        line, shown = tag + b" ", tag.decode() + " "
        for part in parts:
            if isinstance(part, str):
                line, shown = line + part.encode(), shown + part
                continue
            size = b"{%d}" % len(part)
            await self.stream.send(line + size + b"\r\n", shown + size.decode())
            if (end := await self._read(tag, stage, untagged)) is not None:
                return end
            line, shown = part, f"({len(part)} bytes)"
        await self.stream.send(line + b"\r\n", shown)
        return await self._end(tag, stage, untagged)

    async def do(self, *parts: str | bytes) -> ImapReply:
        """Like `command`, but NO and BAD raise `NotServed(REFUSED, COMMAND)`."""
        return expect_ok(await self.command(*parts), Stage.COMMAND)

    async def capability(self) -> tuple[str, ...]:
        """Ask for the capabilities; also kept in `capabilities` and `offered`."""
        self._learn(await self.do("CAPABILITY"))
        return self.offered

    async def request_tls(self, injected: bytes = b"") -> None:
        """STARTTLS (RFC 9051 section 6.2.1)."""
        if "STARTTLS" not in self.offered:
            raise NotServed(Outcome.NOT_OFFERED, Stage.TLS)
        tag = self._tag()
        await self.stream.send(tag + b" STARTTLS\r\n" + injected)
        expect_ok(await self._end(tag, Stage.TLS, []), Stage.TLS)

    async def login(self, user: str, password: str, *, force: bool = False, literal: bool = False) -> ImapReply:
        """LOGIN. With LOGINDISABLED: `NotServed(NOT_OFFERED, AUTH)`, unless with `force`.

        The password goes as a quoted string where it can, else, or with `literal`, as a literal.

        NO is AUTH_FAILED, but DEFERRED or REFUSED where the response code says that it is not the password.
        """
        if "LOGINDISABLED" in self.offered and not force:
            raise NotServed(Outcome.NOT_OFFERED, Stage.AUTH)
        self.transcript.hide(password, quoted(password))
        reply = await self.command("LOGIN ", *_string(user), " ", *_string(password, literal=literal), stage=Stage.AUTH)
        return await self._logged_in(reply)

    async def authenticate(
        self,
        user: str,
        password: str,
        mechanism: Mechanism = "PLAIN",
        *,
        initial_response: bool = False,
        force: bool = False,
    ) -> ImapReply:
        """AUTHENTICATE (section 6.2.2), with `initial_response` in one line (RFC 4959). Ends like `login`."""
        if f"AUTH={mechanism}" not in self.offered and not force:
            raise NotServed(Outcome.NOT_OFFERED, Stage.AUTH)
        answers = responses(mechanism, user, password)
        self.transcript.hide(password, *(answer.decode() for answer in answers))
        tag = self._tag()
        untagged: list[Untagged] = []
        line = tag + b" AUTHENTICATE " + mechanism.encode()
        await self.stream.send(line + (b" " + answers[0] if initial_response else b"") + b"\r\n")
        for answer in answers[initial_response:]:
            if (end := await self._read(tag, Stage.AUTH, untagged)) is not None:
                return await self._logged_in(end)
            await self.stream.send(answer + b"\r\n", MASK)
        return await self._logged_in(await self._end(tag, Stage.AUTH, untagged))

    @asynccontextmanager
    async def idle(self) -> AsyncIterator[Idle]:
        """IDLE (RFC 2177) inside the block; DONE at its end."""
        tag = self._tag()
        untagged: list[Untagged] = []
        await self.stream.send(tag + b" IDLE\r\n")
        if (end := await self._read(tag, Stage.COMMAND, untagged)) is not None:
            expect_ok(end, Stage.COMMAND)
            raise CannotAsk("the server completed IDLE at once")
        idle = Idle(self.stream, untagged)
        yield idle
        await self.stream.send(b"DONE\r\n")
        expect_ok(await self._end(tag, Stage.COMMAND, idle.heard), Stage.COMMAND)

    async def logout(self) -> ImapReply:
        """LOGOUT; any answer is accepted. Leaving `open` does this by itself."""
        self._over = True
        return await self.command("LOGOUT")

    async def _started_tls(self) -> None:
        await self.capability()

    async def _goodbye(self) -> None:
        await self.logout()

    async def _greet(self) -> None:
        async with self.stream.reply(Stage.GREETING):
            tag, chunks = await read_response(self.stream)
        greeting = state(chunks) if tag == b"*" else None
        if greeting is None or greeting.status not in ("OK", "PREAUTH", "BYE"):
            raise CannotAsk(f"not an IMAP greeting: {show_line(Untagged(chunks).line, 80)!r}")
        if greeting.status == "BYE":
            raise NotServed(Outcome.REFUSED, Stage.GREETING, greeting.reply)
        self.greeting = greeting
        if not self._learn(greeting):
            await self.capability()

    async def _logged_in(self, reply: ImapReply) -> ImapReply:
        expect_ok(reply, Stage.AUTH)
        self._phase = "login"
        if not self._learn(reply):
            await self.capability()
        return reply

    def _learn(self, reply: ImapReply) -> bool:
        """Take the capabilities from the response code or the untagged response (section 7.2.2)."""
        lists = [reply.response_code] + [
            show_line(response.line, LONGEST_LIST) for response in reply.named("CAPABILITY")
        ]
        for words in (line.upper().split() for line in reversed(lists)):
            if words[:1] == ["CAPABILITY"]:
                self.offered = tuple(words[1:])
                self.capabilities[self._phase] = self.offered
                return True
        return False

    def _tag(self) -> bytes:
        self._tags += 1
        return b"a%d" % self._tags

    async def _end(self, tag: bytes, stage: Stage, untagged: list[Untagged]) -> ImapReply:
        end = await self._read(tag, stage, untagged)
        if end is None:
            raise CannotAsk("the server asks for more data than the command has")
        return end

    async def _read(self, tag: bytes, stage: Stage, untagged: list[Untagged]) -> ImapReply | None:
        """The completion of the command, or None for a continuation request; adds to `untagged` what comes before."""
        first = len(untagged)
        try:
            async with self.stream.reply(stage):
                while True:
                    got, chunks = await read_response(self.stream)
                    if got != b"*":
                        return _ending(got, tag, chunks, untagged)
                    untagged.append(Untagged(chunks))
        except CannotAsk:
            for response in untagged[first:]:
                if response.word in _LAST_WORDS and (said := state(response.chunks)) is not None:
                    raise NotServed(Outcome.REFUSED, stage, said.reply) from None
            raise


class Idle:
    """The responses that arrive during IDLE."""

    def __init__(self, stream: LineStream, heard: list[Untagged]) -> None:
        self._stream = stream
        self.heard = heard

    async def wait_for(self, *words: str, seconds: float) -> Untagged | None:
        """The first untagged response of one of these names (`EXISTS` …), or None after `seconds`."""
        deadline = asyncio.get_running_loop().time() + seconds
        while (left := deadline - asyncio.get_running_loop().time()) > 0:
            try:
                async with self._stream.reply(Stage.COMMAND, left):
                    tag, chunks = await read_response(self._stream)
            except NotServed:
                return None
            if tag != b"*":
                raise CannotAsk(f"not an answer to IDLE: {show_line(tag + b' ' + Untagged(chunks).line, 80)!r}")
            response = Untagged(chunks)
            self.heard.append(response)
            if len(self.heard) > MOST_NEWS:
                raise CannotAsk(f"more than {MOST_NEWS} responses to IDLE")
            if response.word in words:
                return response
        return None


def expect_ok(reply: ImapReply, stage: Stage) -> ImapReply:
    """The reply itself when it is OK; otherwise raise `NotServed` with the outcome that it means."""
    if reply.ok:
        return reply
    word = reply.response_code.upper().partition(" ")[0]
    outcome = Outcome.REFUSED
    if stage is Stage.AUTH and reply.status == "NO" and word not in _NOT_THE_CREDENTIALS:
        outcome = Outcome.DEFERRED if word in _LATER else Outcome.AUTH_FAILED
    raise NotServed(outcome, stage, reply.reply)


def _ending(got: bytes, tag: bytes, chunks: tuple[Chunk, ...], untagged: list[Untagged]) -> ImapReply | None:
    """What a response that is not untagged means: go on (None), or the end of the command."""
    if got == b"+":
        return None
    end = state(chunks, untagged) if got == tag else None
    if end is None:
        raise CannotAsk(f"not an IMAP response: {show_line(got + b' ' + Untagged(chunks).line, 80)!r}")
    return end


def _string(text: str, *, literal: bool = False) -> tuple[str | bytes, ...]:
    """A quoted string for printable ASCII, else a literal (RFC 9051 section 4.3, RFC 3501)."""
    if text.isascii() and text.isprintable() and not literal:
        return (quoted(text),)
    return (text.encode(),)
