"""Reads and parses responses of IMAP (RFC 9051 section 7)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from imapclient import response_parser  # type: ignore[import-untyped]

from pytest_mailu.core.model import Reply
from pytest_mailu.core.text import TEXT_LIMIT, show_line
from pytest_mailu.wire.transport.errors import CannotAsk
from pytest_mailu.wire.transport.stream import LineStream

Chunk = bytes | tuple[bytes, bytes]
"""A piece of a response: a line, or a line that ends in `{n}` with the literal of n bytes that follows it."""

_BRACKET = re.compile(rb"[()]")
_LITERAL = re.compile(rb"\{(\d{1,12})\+?\}$")
_STATE = re.compile(rb"(OK|NO|BAD|BYE|PREAUTH)(?:\s+|$)(?:\[([^\]\r\n]*)\]\s*)?(.*)", re.IGNORECASE | re.DOTALL)
_NUMBERED = re.compile(rb"(\d{1,10}) {1,8}([A-Za-z]{1,40})")
_LONGEST_WORD = 40
_DEEPEST = 32
"""Lists in lists that are taken apart; imapclient's parser and ours call themselves for each level."""


@dataclass(frozen=True, slots=True)
class Untagged:
    """One untagged response, without its `* `."""

    chunks: tuple[Chunk, ...]

    @property
    def line(self) -> bytes:
        """The whole response, literals included."""
        return b"".join(chunk if isinstance(chunk, bytes) else b"\r\n".join(chunk) for chunk in self.chunks)

    @property
    def head(self) -> bytes:
        """The line up to the first literal."""
        first = self.chunks[0]
        return first if isinstance(first, bytes) else first[0]

    @property
    def word(self) -> str:
        """Its name in upper case: `CAPABILITY`, `EXISTS`, `FETCH` …"""
        match = _NUMBERED.match(self.head)
        return show_line(match[2] if match else self.head[:_LONGEST_WORD].partition(b" ")[0]).upper()

    @property
    def number(self) -> int | None:
        """The number before the name, as in `23 EXISTS`."""
        match = _NUMBERED.match(self.head)
        return int(match[1]) if match else None

    def parsed(self) -> tuple[Any, ...]:
        """Nested tuples of bytes, numbers and None. Raises `CannotAsk` where it cannot be parsed."""
        return _parse(self.chunks)


@dataclass(frozen=True, slots=True)
class ImapReply:
    """The end of a command. `status` is OK, NO or BAD (BYE or PREAUTH in a greeting).

    `response_code` is without brackets (RFC 9051 section 7.1).
    """

    status: str
    response_code: str = ""
    text: str = ""
    untagged: tuple[Untagged, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the command was carried out."""
        return self.status == "OK"

    @property
    def reply(self) -> Reply:
        """The same without the untagged responses."""
        return Reply(self.status, self.response_code, self.text)

    def named(self, word: str) -> list[Untagged]:
        """The untagged responses of that name."""
        return [response for response in self.untagged if response.word == word]


async def read_response(stream: LineStream) -> tuple[bytes, tuple[Chunk, ...]]:
    """One response with its literals: its tag (`*`, `+` or a command's), and the rest. Inside `stream.reply()`."""
    line = await stream.line()
    tag, _, rest = line.partition(b" ")
    chunks: list[Chunk] = []
    while match := _LITERAL.search(rest):
        chunks.append((rest, await stream.exactly(int(match[1]))))
        rest = await stream.line()
    return tag, (*chunks, rest)


def state(chunks: tuple[Chunk, ...], untagged: Iterable[Untagged] = ()) -> ImapReply | None:
    """The response as a status response (section 7.1), or None for another kind."""
    match = _STATE.fullmatch(Untagged(chunks).line) if len(chunks) == 1 or _STATE.match(Untagged(chunks).head) else None
    if match is None:
        return None
    code, text = show_line(match[2] or b"", TEXT_LIMIT), show_line(match[3], TEXT_LIMIT)
    return ImapReply(match[1].decode().upper(), code, text, tuple(untagged))


def fetched(responses: Iterable[Untagged]) -> dict[int, dict[str, Any]]:
    """FETCH responses by UID where there is one, else by number: `{uid: {"FLAGS": …, "BODY[]": …}}`.

    Flags are a sorted tuple of text; ENVELOPE and BODYSTRUCTURE are imapclient's own types.
    """
    chunks = [chunk for response in responses if response.word == "FETCH" for chunk in _without_word(response)]
    if not chunks:
        return {}
    try:
        _check_depth(chunks)
        found = response_parser.parse_fetch_response(chunks, normalise_times=False)
    except Exception as error:  # whatever a foreign parser makes of foreign data
        raise CannotAsk(f"a FETCH response that cannot be parsed: {show_line(str(error), 80)}") from error
    return {uid: {_key(name): _value(name, value) for name, value in items.items()} for uid, items in found.items()}


def quoted(text: str) -> str:
    """A quoted string (RFC 9051 section 4.3)."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def text_of(value: object) -> str:
    """An atom or string as text."""
    return show_line(value if isinstance(value, bytes) else str(value), TEXT_LIMIT)


def _without_word(response: Untagged) -> list[Chunk]:
    """`12 FETCH (…)` as `12 (…)`, the form that imaplib and so imapclient knows."""
    first, *others = response.chunks
    if isinstance(first, bytes):
        return [_NUMBERED.sub(rb"\1", first, count=1), *others]
    return [(_NUMBERED.sub(rb"\1", first[0], count=1), first[1]), *others]


def _parse(chunks: tuple[Chunk, ...]) -> tuple[Any, ...]:
    try:
        _check_depth(chunks)
        return tuple(response_parser.parse_response(list(chunks)))
    except Exception as error:  # whatever a foreign parser makes of foreign data
        raise CannotAsk(f"a response that cannot be parsed: {show_line(str(error), 80)}") from error


def _check_depth(chunks: Iterable[Chunk]) -> None:
    """Raise ValueError for lists nested too deep. Brackets in quoted strings count too: no real reply has so many."""
    depth = deepest = 0
    for chunk in chunks:
        for byte in _BRACKET.findall(chunk if isinstance(chunk, bytes) else chunk[0]):
            depth += 1 if byte == b"(" else -1
            deepest = max(deepest, depth)
    if deepest > _DEEPEST:
        raise ValueError(f"lists nested {deepest} deep")


def _key(name: bytes) -> str:
    return show_line(name, TEXT_LIMIT)


def _value(name: bytes, value: Any) -> Any:
    if name == b"FLAGS":
        return tuple(sorted(text_of(flag) for flag in value or ()))
    return value
