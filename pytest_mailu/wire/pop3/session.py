"""A POP3 client (RFC 1939, 2449, 2595, 5034) whose answers are plain data."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pytest_mailu.core.model import Outcome, Reply, Stage
from pytest_mailu.core.text import TEXT_LIMIT, show_line, whole_number
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed
from pytest_mailu.wire.transport.line_session import LineSession
from pytest_mailu.wire.transport.reader import MIB, Limits
from pytest_mailu.wire.transport.sasl import Mechanism, responses
from pytest_mailu.wire.transport.stream import LineStream
from pytest_mailu.wire.transport.transcript import MASK

_STATUS = re.compile(rb"(\+OK|-ERR)(?: +\[([A-Z0-9/_-]+)\])?(?: +(.*)|)", re.IGNORECASE | re.DOTALL)
_LATER = {"SYS/TEMP", "IN-USE", "LOGIN-DELAY"}
GO_ON = "+"
MOST_LISTED = 10_000
"""Lines of a list (CAPA, LIST, UIDL)."""
LONGEST_ENTRY = 1000
"""Characters of one of them that are kept."""
LIMITS = Limits(line=MIB, reply=64 * MIB, lines=4_000_000)
"""A message comes line by line, and may be as large as Mailu takes them (MESSAGE_SIZE_LIMIT, 50 MB)."""


@dataclass(frozen=True, slots=True)
class Pop3Reply:
    """`reply.code` is `+OK`, `-ERR`, or `+` where AUTH goes on; `lines` are those of a multi-line answer, unstuffed."""

    reply: Reply
    lines: tuple[bytes, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the command was carried out."""
        return self.reply.code == "+OK"

    @property
    def response_code(self) -> str:
        """The response code without its brackets (RFC 2449 section 8), or ""."""
        return self.reply.enhanced


class Pop3Session(LineSession):
    """One connection. `greeting` is the first reply, `capabilities` CAPA's answer per phase (`plain` `tls` `login`).

    `offered` is the newest: `{"STLS": "", "SASL": "PLAIN LOGIN" …}`. `-ERR` raises `NotServed`, except in `command`.
    """

    limits = LIMITS

    def __init__(self, stream: LineStream) -> None:
        super().__init__(stream)
        self.greeting = Reply()
        self.capabilities: dict[str, dict[str, str]] = {}
        self.offered: dict[str, str] = {}

    async def command(
        self, line: str, *, multi: bool = False, stage: Stage = Stage.COMMAND, most: int = MOST_LISTED
    ) -> Pop3Reply:
        """Send one line and return the reply, whatever its status; `multi` for a multi-line reply, which a dot ends."""
        await self.stream.send(line.encode() + b"\r\n")
        return await self._read(stage, multi=multi, most=most)

    async def do(self, line: str, *, multi: bool = False, most: int = MOST_LISTED) -> Pop3Reply:
        """Like `command`, but -ERR raises `NotServed(REFUSED, COMMAND)`."""
        return expect_ok(await self.command(line, multi=multi, most=most), Stage.COMMAND)

    async def capa(self) -> dict[str, str]:
        """CAPA (RFC 2449); empty where the server does not know it."""
        answer = await self.command("CAPA", multi=True)
        lines = [show_line(line, LONGEST_ENTRY).partition(" ") for line in answer.lines]
        self.offered = {name.upper(): arguments for name, _, arguments in lines}
        self.capabilities[self._phase] = self.offered
        return self.offered

    async def request_tls(self, injected: bytes = b"") -> None:
        """STLS (RFC 2595 section 4)."""
        if "STLS" not in self.offered:
            raise NotServed(Outcome.NOT_OFFERED, Stage.TLS)
        await self.stream.send(b"STLS\r\n" + injected)
        expect_ok(await self._read(Stage.TLS), Stage.TLS)

    async def login(self, user: str, password: str, *, force: bool = False) -> Reply:
        """USER and PASS. Without USER in CAPA: `NotServed(NOT_OFFERED, AUTH)`, unless with `force`.

        -ERR is AUTH_FAILED, or DEFERRED where the response code says that it is not the password (RFC 3206).
        """
        if self.offered and "USER" not in self.offered and not force:
            raise NotServed(Outcome.NOT_OFFERED, Stage.AUTH)
        self.transcript.hide(password)
        named = await self.command(f"USER {user}", stage=Stage.AUTH)
        if not named.ok and not named.response_code:
            # No password has been sent yet.
            raise NotServed(Outcome.REFUSED, Stage.AUTH, named.reply)
        expect_ok(named, Stage.AUTH)
        return await self._logged_in(await self.command(f"PASS {password}", stage=Stage.AUTH))

    async def authenticate(
        self,
        user: str,
        password: str,
        mechanism: Mechanism = "PLAIN",
        *,
        initial_response: bool = False,
        force: bool = False,
    ) -> Reply:
        """AUTH (RFC 5034). Ends like `login`."""
        if mechanism not in self.offered.get("SASL", "").upper().split() and not force:
            raise NotServed(Outcome.NOT_OFFERED, Stage.AUTH)
        answers = responses(mechanism, user, password)
        self.transcript.hide(password, *(answer.decode() for answer in answers))
        first = f" {answers[0].decode()}" if initial_response else ""
        answer = await self.command(f"AUTH {mechanism}{first}", stage=Stage.AUTH)
        for response in answers[initial_response:]:
            if answer.reply.code != GO_ON:
                break
            await self.stream.send(response + b"\r\n", MASK)
            answer = await self._read(Stage.AUTH)
        return await self._logged_in(answer)

    async def stat(self) -> tuple[int, int]:
        """STAT: number of messages, bytes."""
        numbers = [whole_number(word) for word in (await self.do("STAT")).reply.text.split()[:2]]
        match numbers:
            case [int(count), int(size)]:
                return count, size
        raise CannotAsk("an invalid answer to STAT")

    async def list(self) -> dict[int, int]:
        """LIST: bytes by message number."""
        sizes = {number: whole_number(size) for number, size in _numbered(await self.do("LIST", multi=True))}
        return {number: size for number, size in sizes.items() if size is not None}

    async def uidl(self) -> dict[int, str]:
        """UIDL: unique id by message number."""
        return dict(_numbered(await self.do("UIDL", multi=True)))

    async def retr(self, number: int) -> bytes:
        """RETR: the message, lines ending in CRLF."""
        return _message(await self.do(f"RETR {number}", multi=True, most=LIMITS.lines))

    async def top(self, number: int, lines: int = 0) -> bytes:
        """TOP: the header and so many lines of the body."""
        return _message(await self.do(f"TOP {number} {lines}", multi=True, most=LIMITS.lines))

    async def dele(self, number: int) -> Reply:
        """DELE; takes effect with QUIT."""
        return (await self.do(f"DELE {number}")).reply

    async def rset(self) -> Reply:
        """RSET: undo DELE."""
        return (await self.do("RSET")).reply

    async def quit(self) -> Reply:
        """QUIT; any answer is accepted. Leaving `open` does this by itself, and so makes DELE take effect."""
        self._over = True
        return (await self.command("QUIT")).reply

    async def _read(self, stage: Stage, *, multi: bool = False, most: int = MOST_LISTED) -> Pop3Reply:
        lines: list[bytes] = []
        async with self.stream.reply(stage):
            first = await self.stream.line()
            if stage is Stage.AUTH and (first == b"+" or first.startswith(b"+ ")):
                return Pop3Reply(Reply(GO_ON, "", show_line(first[2:], TEXT_LIMIT)))
            match = _STATUS.fullmatch(first)
            if match is None:
                raise CannotAsk(f"not a POP3 reply: {show_line(first, 80)!r}")
            enhanced, text = (show_line(part or b"", TEXT_LIMIT) for part in match.groups()[1:])
            reply = Reply(match[1].decode().upper(), enhanced, text)
            while multi and reply.code == "+OK" and (line := await self.stream.line()) != b".":
                lines.append(line[1:] if line.startswith(b".") else line)
                if len(lines) > most:
                    raise CannotAsk(f"a list of more than {most} lines")
        return Pop3Reply(reply, tuple(lines))

    async def _logged_in(self, answer: Pop3Reply) -> Reply:
        expect_ok(answer, Stage.AUTH)
        self._phase = "login"
        return answer.reply

    async def _greet(self) -> None:
        self.greeting = expect_ok(await self._read(Stage.GREETING), Stage.GREETING).reply
        await self.capa()

    async def _started_tls(self) -> None:
        await self.capa()

    async def _goodbye(self) -> None:
        await self.quit()


def expect_ok(answer: Pop3Reply, stage: Stage) -> Pop3Reply:
    """The answer itself when it is +OK; otherwise raise `NotServed` with the outcome that it means."""
    if answer.ok:
        return answer
    if answer.reply.code == GO_ON:
        raise CannotAsk("the server asks for more after the last response of AUTH")
    outcome = Outcome.AUTH_FAILED if stage is Stage.AUTH else Outcome.REFUSED
    raise NotServed(Outcome.DEFERRED if answer.response_code.upper() in _LATER else outcome, stage, answer.reply)


def _message(answer: Pop3Reply) -> bytes:
    return b"".join(line + b"\r\n" for line in answer.lines)


def _numbered(answer: Pop3Reply) -> list[tuple[int, str]]:
    pairs = [show_line(line, LONGEST_ENTRY).partition(" ") for line in answer.lines]
    numbers = [(whole_number(number), rest.strip()) for number, _, rest in pairs]
    return [(number, rest) for number, rest in numbers if number is not None]
