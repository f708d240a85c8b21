"""Transcripts for tests, written as people read them."""

from __future__ import annotations

import re

from pytest_mailu.core.transcript import Connection, Detail, Event, Kind, Queued, Speaker, Submission

_SPEAKERS = {"C: ": Speaker.CLIENT, "S: ": Speaker.SERVER, "-- ": Speaker.PROBE}


def events(*lines: str) -> tuple[Event, ...]:
    """One event for each `C: …`, `S: …` or `-- …`, with the details that its words tell."""
    return tuple(_event(line) for line in lines)


def _event(line: str) -> Event:
    speaker, text = _SPEAKERS[line[:3]], line[3:]
    if speaker is not Speaker.PROBE:
        queued = re.search(r"queued as (\w+)", text)
        return Event(speaker, Kind.LINE, text, detail=Queued(queued[1]) if queued else None)
    kind, detail = _told(text)
    return Event(speaker, kind, text, detail=detail)


def _told(text: str) -> tuple[Kind, Detail | None]:
    if found := re.fullmatch(r"connecting to (\S+):(\d+) as (\S+)", text):
        return Kind.CONNECT, Connection(found[1], int(found[2]), found[3])
    if found := re.fullmatch(r"message (<\S+>)", text):
        return Kind.MESSAGE, Submission(found[1])
    return (Kind.TLS if text.startswith("TLS: ") else Kind.NOTE), None
