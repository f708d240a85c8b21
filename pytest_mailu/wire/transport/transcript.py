"""What was said on one connection, in a form that can be printed and stored."""

from __future__ import annotations

import re

from pytest_mailu.core.text import show_line

MAX_LINES = 400
MAX_LENGTH = 500
MASK = "****"
SHORTEST_SECRET = 4

_CREDENTIALS = re.compile(
    r"""^( (?:\S+\s+)? (?: AUTH(?:ENTICATE)? \s+ "?[A-Z0-9_-]+"? | LOGIN \s+ (?:"(?:[^"\\]|\\.)*"|\S+) )
         | PASS ) \s+ \S.*$""",
    re.IGNORECASE | re.VERBOSE,
)
"""Commands whose last argument is a secret: SMTP, POP3 AUTH, IMAP and ManageSieve AUTHENTICATE, IMAP LOGIN, PASS."""


class Transcript:
    """Lines `C: …`, `S: …`, `-- …`: bounded in number and length, control characters escaped, secrets masked."""

    def __init__(self, max_lines: int = MAX_LINES, max_length: int = MAX_LENGTH) -> None:
        self._lines: list[str] = []
        self._left_out = 0
        self._max_lines = max_lines
        self._max_length = max_length
        self._secrets: set[str] = set()

    @property
    def lines(self) -> tuple[str, ...]:
        """Everything so far; what did not fit is counted in a last line."""
        if not self._left_out:
            return tuple(self._lines)
        return (*self._lines, f"-- {self._left_out} more lines left out")

    def hide(self, *secrets: str) -> None:
        """Mask these words wherever they turn up from now on, the server's own lines included."""
        self._secrets.update(secret for secret in secrets if len(secret) >= SHORTEST_SECRET)

    def client(self, line: bytes | str) -> None:
        """A line that the client sent."""
        self._add("C: ", _CREDENTIALS.sub(rf"\1 {MASK}", show_line(line)))

    def server(self, line: bytes | str) -> None:
        """A line that the server sent."""
        self._add("S: ", show_line(line, self._max_length))

    def note(self, line: str) -> None:
        """Something that happened beside the protocol: connected, TLS agreed, closed."""
        self._add("-- ", show_line(line))

    def _add(self, prefix: str, line: str) -> None:
        if len(self._lines) >= self._max_lines:
            self._left_out += 1
            return
        for secret in sorted(self._secrets, key=len, reverse=True):
            line = line.replace(secret, MASK)
        self._lines.append(prefix + (line if len(line) <= self._max_length else line[: self._max_length] + "…"))
