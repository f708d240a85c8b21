"""A ManageSieve client (RFC 5804) whose answers are plain data."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pytest_mailu.core.model import Outcome, Reply, Stage
from pytest_mailu.core.text import TEXT_LIMIT, show, show_line
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed
from pytest_mailu.wire.transport.line_session import LineSession
from pytest_mailu.wire.transport.reader import KIB, MIB, Limits
from pytest_mailu.wire.transport.sasl import Mechanism, responses
from pytest_mailu.wire.transport.stream import LineStream
from pytest_mailu.wire.transport.transcript import MASK

_STATUS = re.compile(rb"(OK|NO|BYE)(?: +\(([^)]*)\))?(?: +(.*)|)", re.IGNORECASE | re.DOTALL)
_LITERAL = re.compile(rb"\{(\d{1,9})\+?\}$")
_WORD = re.compile(rb'"(?P<quoted>[^"\\]*+(?:\\.[^"\\]*+)*+)"|(?P<open>")|(?P<atom>[^\s"]++)', re.DOTALL)
"""Possessive, so that a quote that is never closed is looked at once; behind it nothing can be read."""
_LATER = {"TRYLATER"}
_NOT_THE_CREDENTIALS = {"ENCRYPT-NEEDED"}

LIMITS = Limits(line=64 * KIB, reply=8 * MIB, lines=1000)

Words = tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class SieveReply:
    """`reply.code` is OK, NO or BYE; `lines` are the strings and atoms of the lines before."""

    reply: Reply
    lines: tuple[Words, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the command was carried out."""
        return self.reply.code == "OK"

    @property
    def response_code(self) -> str:
        """The response code without its parentheses (RFC 5804 section 1.3), or ""."""
        return self.reply.enhanced


class SieveSession(LineSession):
    """One connection. `capabilities` holds them per phase (`plain`, `tls`, `login`), `offered` the newest.

    They read `{"IMPLEMENTATION": "…", "SASL": "PLAIN LOGIN", "SIEVE": "fileinto …", "STARTTLS": ""}`.
    NO and BYE raise `NotServed`, except in `command`.
    """

    limits = LIMITS

    def __init__(self, stream: LineStream) -> None:
        super().__init__(stream)
        self.greeting = Reply()
        self.capabilities: dict[str, dict[str, str]] = {}
        self.offered: dict[str, str] = {}

    async def command(self, *parts: str | bytes, stage: Stage = Stage.COMMAND) -> SieveReply:
        """Send a command and return the reply, whatever its status. Bytes are sent as literals."""
        data, shown = b"", ""
        for part in parts:
            if isinstance(part, str):
                data, shown = data + part.encode(), shown + part
            else:
                data, shown = data + b"{%d+}\r\n" % len(part) + part, f"{shown}({len(part)} bytes)"
        await self.stream.send(data + b"\r\n", shown)
        return await self._read(stage)

    async def do(self, *parts: str | bytes) -> SieveReply:
        """Like `command`, but NO and BYE raise `NotServed(REFUSED, COMMAND)`."""
        return expect_ok(await self.command(*parts), Stage.COMMAND)

    async def capability(self) -> dict[str, str]:
        """CAPABILITY; also kept in `capabilities` and `offered`."""
        self._learn(await self.command("CAPABILITY"), Stage.COMMAND)
        return self.offered

    async def request_tls(self, injected: bytes = b"") -> None:
        """STARTTLS (section 2.2)."""
        if "STARTTLS" not in self.offered:
            raise NotServed(Outcome.NOT_OFFERED, Stage.TLS)
        await self.stream.send(b"STARTTLS\r\n" + injected)
        expect_ok(await self._read(Stage.TLS), Stage.TLS)

    async def authenticate(
        self,
        user: str,
        password: str,
        mechanism: Mechanism = "PLAIN",
        *,
        initial_response: bool = True,
        force: bool = False,
    ) -> Reply:
        """AUTHENTICATE (section 2.1). Not in SASL: `NotServed(NOT_OFFERED, AUTH)`, unless with `force`.

        NO is AUTH_FAILED, but DEFERRED or REFUSED where the response code says that it is not the password.
        """
        if mechanism not in self.offered.get("SASL", "").upper().split() and not force:
            raise NotServed(Outcome.NOT_OFFERED, Stage.AUTH)
        answers = responses(mechanism, user, password)
        self.transcript.hide(password, *(answer.decode() for answer in answers))
        first = f" {quoted(answers[0].decode())}" if initial_response else ""
        await self.stream.send(f'AUTHENTICATE "{mechanism}"{first}\r\n'.encode())
        for answer in answers[initial_response:]:
            if (end := await self._challenge()) is not None:
                return await self._logged_in(end)
            await self.stream.send(quoted(answer.decode()).encode() + b"\r\n", MASK)
        return await self._logged_in(await self._read(Stage.AUTH))

    async def putscript(self, name: str, script: str) -> Reply:
        """PUTSCRIPT; warnings are in the reply."""
        return (await self.do(f"PUTSCRIPT {quoted(name)} ", script.encode())).reply

    async def checkscript(self, script: str) -> Reply:
        """CHECKSCRIPT: compile without storing."""
        return (await self.do("CHECKSCRIPT ", script.encode())).reply

    async def listscripts(self) -> dict[str, bool]:
        """LISTSCRIPTS: name → whether the script is active."""
        answer = await self.do("LISTSCRIPTS")
        return {
            show_line(words[0], TEXT_LIMIT): b"ACTIVE" in map(bytes.upper, words[1:]) for words in answer.lines if words
        }

    async def setactive(self, name: str) -> Reply:
        """SETACTIVE; an empty name makes none active."""
        return (await self.do(f"SETACTIVE {quoted(name)}")).reply

    async def getscript(self, name: str) -> str:
        """GETSCRIPT."""
        lines = (await self.do(f"GETSCRIPT {quoted(name)}")).lines
        return lines[0][0].decode("utf-8", "backslashreplace") if lines and lines[0] else ""

    async def deletescript(self, name: str) -> Reply:
        """DELETESCRIPT."""
        return (await self.do(f"DELETESCRIPT {quoted(name)}")).reply

    async def renamescript(self, name: str, to: str) -> Reply:
        """RENAMESCRIPT."""
        return (await self.do(f"RENAMESCRIPT {quoted(name)} {quoted(to)}")).reply

    async def logout(self) -> Reply:
        """LOGOUT; any answer is accepted. Leaving `open` does this by itself."""
        self._over = True
        return (await self.command("LOGOUT")).reply

    async def _read(self, stage: Stage) -> SieveReply:
        lines: list[Words] = []
        async with self.stream.reply(stage):
            while (end := _status(line := await self._line(), lines)) is None:
                lines.append(_words(line))
        return end

    async def _challenge(self) -> SieveReply | None:
        """The server's answer to AUTHENTICATE: None for a challenge, or the completion."""
        async with self.stream.reply(Stage.AUTH):
            return _status(await self._line(), [])

    async def _line(self) -> bytes:
        """A line with its literals put in as quoted strings."""
        pieces = []
        line = await self.stream.line()
        while match := _LITERAL.search(line):
            literal = await self.stream.exactly(int(match[1]))
            quoted = literal.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
            pieces += [line[: match.start()], b'"', quoted, b'"']
            line = await self.stream.line()
        return b"".join([*pieces, line])

    def _learn(self, answer: SieveReply, stage: Stage) -> Reply:
        expect_ok(answer, stage)
        self.offered = {
            show_line(words[0], TEXT_LIMIT).upper(): show_line(words[1], TEXT_LIMIT) if len(words) > 1 else ""
            for words in answer.lines
            if words
        }
        self.capabilities[self._phase] = self.offered
        return answer.reply

    async def _logged_in(self, answer: SieveReply) -> Reply:
        expect_ok(answer, Stage.AUTH)
        self._phase = "login"
        await self.capability()
        return answer.reply

    async def _greet(self) -> None:
        self.greeting = self._learn(await self._read(Stage.GREETING), Stage.GREETING)

    async def _started_tls(self) -> None:
        # The server sends its capabilities by itself then.
        self._learn(await self._read(Stage.TLS), Stage.TLS)

    async def _goodbye(self) -> None:
        await self.logout()


def expect_ok(answer: SieveReply, stage: Stage) -> SieveReply:
    """The answer itself when it is OK; otherwise raise `NotServed` with the outcome that it means."""
    if answer.ok:
        return answer
    word = answer.response_code.upper().partition(" ")[0]
    outcome = Outcome.REFUSED
    if word in _LATER:
        outcome = Outcome.DEFERRED
    elif stage is Stage.AUTH and answer.reply.code == "NO" and word not in _NOT_THE_CREDENTIALS:
        outcome = Outcome.AUTH_FAILED
    raise NotServed(outcome, stage, answer.reply)


def quoted(text: str) -> str:
    """A quoted string (section 1.2)."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _status(line: bytes, lines: list[Words]) -> SieveReply | None:
    match = _STATUS.fullmatch(line)
    if match is not None:
        text = _words(match[3] or b"")
        reply = Reply(
            match[1].decode().upper(),
            show_line(match[2] or b"", TEXT_LIMIT),
            show(text[-1].replace(b"\r\n", b"\n") if text else b"", TEXT_LIMIT),
        )
        return SieveReply(reply, tuple(lines))
    if not line.startswith(b'"'):
        raise CannotAsk(f"not a ManageSieve reply: {show_line(line, 80)!r}")
    return None


def _words(line: bytes) -> Words:
    """The quoted strings and atoms of a line, up to a quote that is not closed."""
    words = []
    for match in _WORD.finditer(line):
        if match["open"] is not None:
            break
        quoted = match["quoted"]
        words.append(match["atom"] if quoted is None else re.sub(rb"\\(.)", rb"\1", quoted, flags=re.DOTALL))
    return tuple(words)
