"""Finds in the log of `admin` why it answered a request with an error: the traceback, which names no client.

Flask logs `Exception on PATH [METHOD]` and the traceback (`Flask.log_exception`), gunicorn `Error handling request
PATH` and one of its own. Either is one record of many lines, which the engine keeps as lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from urllib.parse import unquote, urlsplit

from pytest_mailu.core.client_commands import Request, failed_requests
from pytest_mailu.core.transcript import Event
from pytest_mailu.stack.evidence.log_line import LogLine

SERVICE = "admin"
MOST = 2
"""How many tracebacks of one observation are shown."""
FIRST, LAST = 2, 13
"""How many lines of a long traceback are shown: the request, and what happened in the end."""
_SECONDS = 1.0
"""How long after its first line the last one of a record may be logged."""

_REQUEST = re.compile(r"Exception on (\S+) \[([A-Z]+)\]|Error handling request (\S+)")
_TRACEBACK = "Traceback (most recent call last):"
_RECORD = re.compile(
    r"\[\d{4}-\d\d-\d\d |[0-9a-f.:]+ - |(?:DEBUG|INFO|WARNING|ERROR|CRITICAL)[: ]|\S{1,300}\.py:\d+: \w*Warning: "
)
"""How a new record begins: those of Flask and gunicorn, of the access log, of Python's logging and its warnings."""
_VALUES = "[parameters: "
"""How SQLAlchemy says with which values a statement failed: hashes of passwords may be among them."""


@dataclass(frozen=True, slots=True)
class _Record:
    lines: tuple[LogLine, ...]
    path: str = ""
    method: str = ""

    def answers(self, request: Request) -> bool:
        return self.method in ("", request.method) and self.path == _path(request.target)


def tracebacks(transcript: Iterable[Event], window: Sequence[LogLine]) -> list[LogLine]:
    """The tracebacks behind the answers of 500 and above in a transcript; shortened, and each error once.

    `window` are the log lines of that moment in their order. They are those of the same requests; where there are none
    (a path may be masked in the transcript), all of that moment.
    """
    failed = failed_requests(transcript)
    if not failed:
        return []
    records = list(_records(line for line in window if line.service == SERVICE))
    own = [record for record in records if any(record.answers(request) for request in failed)]
    different = {record.lines[-1].text: record for record in own or records}
    return [line for record in list(different.values())[:MOST] for line in _shortened(record.lines)]


def _records(lines: Iterable[LogLine]) -> Iterable[_Record]:
    """The records that have a traceback."""
    begun: list[LogLine] = []
    for line in lines:
        if begun and (_RECORD.match(line.text) or line.when - begun[0].when > _SECONDS):
            yield from _whole(begun)
            begun = []
        if begun or _REQUEST.search(line.text) or line.text.startswith(_TRACEBACK):
            begun.append(replace(line, text=f"{_VALUES}…]") if line.text.startswith(_VALUES) else line)
    yield from _whole(begun)


def _whole(lines: Sequence[LogLine]) -> Iterable[_Record]:
    if any(line.text.startswith(_TRACEBACK) for line in lines):
        found = _REQUEST.search(lines[0].text)
        path, method = (found[1] or found[3], found[2] or "") if found else ("", "")
        yield _Record(tuple(lines), unquote(path), method)


def _shortened(lines: Sequence[LogLine]) -> Sequence[LogLine]:
    left_out = len(lines) - FIRST - LAST
    if left_out <= 1:
        return lines
    gap = LogLine(SERVICE, lines[FIRST].when, f"… {left_out} more lines")
    return [*lines[:FIRST], gap, *lines[-LAST:]]


def _path(target: str) -> str:
    return unquote(urlsplit(target).path)
