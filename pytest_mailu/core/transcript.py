"""What was said and done while a behaviour was asked, as a sequence of events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class Speaker(StrEnum):
    """Whose event it is; `probe` is our own side, where nothing went over the wire."""

    CLIENT = "client"
    SERVER = "server"
    PROBE = "probe"


class Kind(StrEnum):
    """What happened."""

    LINE = "line"
    CONNECT = "connect"
    TLS = "tls"
    MESSAGE = "message"
    END = "end"
    """A conversation ended early: refused, no answer, connection lost."""
    LEFT_OUT = "left-out"
    """The limit of a transcript was reached; the text says how many events are missing."""
    NOTE = "note"
    LOG = "log"
    """A line of a service's log, where the log itself is what was asked about."""


@dataclass(frozen=True, slots=True)
class Connection:
    """Detail of `CONNECT`: the server's name and port, and the name of the vantage."""

    host: str
    port: int
    vantage: str


@dataclass(frozen=True, slots=True)
class Submission:
    """Detail of `MESSAGE`: the Message-ID of what is sent next, with its angle brackets (RFC 5322 section 3.6.4)."""

    message_id: str


@dataclass(frozen=True, slots=True)
class Queued:
    """Detail of the `LINE` in which Postfix says `queued as`: the queue id."""

    queue_id: str


@dataclass(frozen=True, slots=True)
class Waited:
    """Detail of a `NOTE`: for so many seconds something was waited for that did not come."""

    waited: float


Detail: TypeAlias = Connection | Submission | Queued | Waited

_MARKS = {Speaker.CLIENT: "C: ", Speaker.SERVER: "S: ", Speaker.PROBE: "-- "}


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `text` is one printable line; `seconds` counts from the start of the transcript, None if not known."""

    speaker: Speaker
    kind: Kind
    text: str
    seconds: float | None = None
    detail: Detail | None = None

    def __str__(self) -> str:
        """The line that people read: `C: …`, `S: …`, `-- …`; a log line as it is."""
        return self.text if self.kind is Kind.LOG else _MARKS[self.speaker] + self.text


def texts(events: Iterable[Event], speaker: Speaker) -> list[str]:
    """What one speaker said."""
    return [event.text for event in events if event.speaker is speaker]


def connections(events: Iterable[Event]) -> list[Connection]:
    """The connections, in order."""
    return [event.detail for event in events if isinstance(event.detail, Connection)]


def waited_in_vain(events: Iterable[Event]) -> bool:
    """Whether something was waited for that did not come."""
    return any(isinstance(event.detail, Waited) for event in events)


def log_events(lines: Iterable[str]) -> tuple[Event, ...]:
    """Log lines as events, for a behaviour that asks the log."""
    return tuple(Event(Speaker.SERVER, Kind.LOG, line) for line in lines)
