"""What a client asks for in one line, as a value: the commands of SMTP, IMAP, POP3, ManageSieve and HTTP that matter.

RFC 5321 section 4.1.1, RFC 4954 section 4, RFC 3207; RFC 9051 section 6.2; RFC 1939 section 7, RFC 5034; RFC 5804
section 2.1; RFC 9110 section 9.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from pytest_mailu.core.transcript import Event, Kind, Speaker


@dataclass(frozen=True, slots=True)
class StartTls:
    """STARTTLS, or POP3's STLS."""


@dataclass(frozen=True, slots=True)
class Login:
    """A login, or its first command; `mechanism` is that of SASL, empty for commands without one."""

    mechanism: str = ""


@dataclass(frozen=True, slots=True)
class Sender:
    """MAIL FROM; the address is empty for the null reverse-path."""

    address: str


@dataclass(frozen=True, slots=True)
class Recipient:
    """RCPT TO."""

    address: str


@dataclass(frozen=True, slots=True)
class Content:
    """DATA or BDAT."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request of HTTP; `target` is a path or a whole URL."""

    method: str
    target: str


@dataclass(frozen=True, slots=True)
class Other:
    """Any other line."""


_SERVER_ERROR = re.compile(r"5[0-9]{2}\b")

ClientCommand: TypeAlias = StartTls | Login | Sender | Recipient | Content | Request | Other

_TAG = r"(?:[A-Z][0-9]* )?"
"""A tag of IMAP as our client makes them (RFC 9051 section 2.2.1)."""
_GRAMMAR: Sequence[tuple[re.Pattern[str], Callable[[re.Match[str]], ClientCommand]]] = tuple(
    (re.compile(pattern, re.IGNORECASE), make)
    for pattern, make in (
        (r"(?:DATA|BDAT)\b", lambda _: Content()),
        (r"MAIL FROM:\s*<([^>]*)>", lambda found: Sender(found[1])),
        (r"RCPT TO:\s*<([^>]*)>", lambda found: Recipient(found[1])),
        (r"(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) (\S+)", lambda found: Request(found[1].upper(), found[2])),
        (_TAG + r"(?:STARTTLS|STLS)$", lambda _: StartTls()),
        (_TAG + r'AUTH(?:ENTICATE)? "?([A-Z0-9_-]+)', lambda found: Login(found[1].upper())),
        (_TAG + r"(?:LOGIN|AUTHENTICATE|AUTH|USER|PASS)\b", lambda _: Login()),
    )
)


def parse(line: str) -> ClientCommand:
    """One line of a client, without its line end; IMAP's tag may stand in front."""
    found = ((pattern.match(line), make) for pattern, make in _GRAMMAR)
    return next((make(match) for match, make in found if match), Other())


def failed_requests(events: Iterable[Event]) -> list[Request]:
    """The requests of HTTP that a server answered with an error of its own (RFC 9110 section 15.6), in order.

    Between a request and its answer a transcript has how many bytes were sent.
    """
    failed: list[Request] = []
    asked: Request | None = None
    for event in events:
        if event.kind is not Kind.LINE:
            continue
        if event.speaker is Speaker.CLIENT:
            command = parse(event.text)
            if not isinstance(command, Other):
                asked = command if isinstance(command, Request) else None
        elif event.speaker is Speaker.SERVER and asked is not None:
            if _SERVER_ERROR.match(event.text):
                failed.append(asked)
            asked = None
    return failed


def client_commands(events: Iterable[Event]) -> list[ClientCommand]:
    """What the client asked for, in order."""
    return [parse(event.text) for event in events if event.speaker is Speaker.CLIENT and event.kind is Kind.LINE]
