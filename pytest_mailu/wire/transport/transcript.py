"""Records what was said on one connection: bounded, printable, without secrets."""

from __future__ import annotations

import re
import time
from collections import Counter
from dataclasses import replace

from pytest_mailu.core.text import show_line
from pytest_mailu.core.transcript import Connection, Detail, Event, Kind, Queued, Speaker, Submission, Waited

MAX_EVENTS = 400
MAX_LENGTH = 500
MASK = "****"
SHORTEST_SECRET = 4
_LONGEST_COMMAND = 16_384

_CREDENTIALS = re.compile(
    r"""^( (?:\S+\s+)? (?: AUTH(?:ENTICATE)? \s+ "?[A-Z0-9_-]+"? | LOGIN \s+ (?:"(?:[^"\\]|\\.)*"|\S+) )
         | PASS ) \s+ \S.*$""",
    re.IGNORECASE | re.VERBOSE,
)
"""Commands whose last argument is a secret: SMTP, POP3 AUTH, IMAP and ManageSieve AUTHENTICATE, IMAP LOGIN, PASS."""


_LOGIN = re.compile(r"(?:\S+ )?(?:AUTH(?:ENTICATE)? |LOGIN |PASS )|POST \S*/sso/login", re.IGNORECASE)
"""What begins a login by mail, and on the web site."""


class Transcript:
    """Collects events: limited in number and length, control characters escaped, secrets masked."""

    def __init__(self, max_events: int = MAX_EVENTS, max_length: int = MAX_LENGTH) -> None:
        self._events: list[Event] = []
        self._left_out = 0
        self._max_events = max_events
        self._max_length = max_length
        self._secrets: set[str] = set()
        self._start = time.monotonic()
        self.effort: Counter[str] = Counter()
        """How many connections, messages and logins there were, without those of transcripts that it includes."""

    @property
    def events(self) -> tuple[Event, ...]:
        """Everything so far; what did not fit is counted in a last event."""
        if not self._left_out:
            return tuple(self._events)
        return (*self._events, Event(Speaker.PROBE, Kind.LEFT_OUT, f"{self._left_out} more lines left out"))

    def hide(self, *secrets: str) -> None:
        """Mask these words wherever they turn up from now on, the server's own lines included."""
        self._secrets.update(secret for secret in secrets if len(secret) >= SHORTEST_SECRET)

    def client(self, line: bytes | str) -> None:
        """A line that the client sent."""
        self.effort["logins"] += bool(_LOGIN.match(line if isinstance(line, str) else line.decode(errors="replace")))
        if not self._full():
            self._add(Speaker.CLIENT, Kind.LINE, _CREDENTIALS.sub(rf"\1 {MASK}", show_line(line, _LONGEST_COMMAND)))

    def server(self, line: bytes | str, *, queue_id: str = "") -> None:
        """A line that the server sent; `queue_id` where it names one."""
        if not self._full():
            detail = Queued(self._masked(queue_id)) if queue_id else None
            self._add(Speaker.SERVER, Kind.LINE, show_line(line, self._max_length), detail)

    def connecting(self, host: str, port: int, vantage: str) -> None:
        """A connection is about to be opened."""
        self.effort["connections"] += 1
        self._probe(Kind.CONNECT, f"connecting to {host}:{port} as {vantage}", Connection(host, port, vantage))

    def tls(self, words: str) -> None:
        """A TLS handshake succeeded; `words` say what was agreed."""
        self._probe(Kind.TLS, f"TLS: {words}")

    def message(self, message_id: str) -> None:
        """A message with this Message-ID is about to be sent."""
        self.effort["messages"] += 1
        self._probe(Kind.MESSAGE, f"message {message_id}", Submission(self._masked(message_id)))

    def end(self, words: str) -> None:
        """A conversation ended early."""
        self._probe(Kind.END, words)

    def note(self, words: str) -> None:
        """Anything else that happened beside the protocol."""
        self._probe(Kind.NOTE, words)

    def waited_in_vain(self, seconds: float, words: str) -> None:
        """Something was waited for, and has not come; `words` name it."""
        self._probe(Kind.NOTE, f"waited {seconds:g} s in vain for {words}", Waited(seconds))

    def include(self, other: Transcript) -> None:
        """What another transcript has so far. What was before this one began has negative seconds."""
        shift = other._start - self._start
        for event in other._events:
            if not self._full():
                seconds = None if event.seconds is None else round(event.seconds + shift, 3)
                self._events.append(replace(event, seconds=seconds))
        self._left_out += other._left_out
        self._secrets |= other._secrets

    def _probe(self, kind: Kind, words: str, detail: Detail | None = None) -> None:
        if not self._full():
            self._add(Speaker.PROBE, kind, show_line(words, self._max_length), detail)

    def _add(self, speaker: Speaker, kind: Kind, line: str, detail: Detail | None = None) -> None:
        line = self._masked(line)
        text = line if len(line) <= self._max_length else line[: self._max_length] + "…"
        self._events.append(Event(speaker, kind, text, round(time.monotonic() - self._start, 3), detail))

    def _full(self) -> bool:
        """Whether there is no room for an event, which is then counted; before any work is done on its text."""
        if len(self._events) < self._max_events:
            return False
        self._left_out += 1
        return True

    def _masked(self, text: str) -> str:
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, MASK)
        return text
