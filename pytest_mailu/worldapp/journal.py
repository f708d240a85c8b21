"""The journal of the mail servers: every message and every refused attempt, in order."""

from __future__ import annotations

import asyncio
import base64
import re
import time
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Dict, List, Mapping, Optional, Tuple

_MESSAGE_ID = re.compile(rb"^message-id:[ \t\r\n]{0,100}<?([^>\s]{1,998})", re.IGNORECASE | re.MULTILINE)
_LONGEST_HEADER = 256 * 1024
MOST_ENTRIES = 10_000
MOST_BYTES = 256 * 1024 * 1024
"""Entries and bytes of content that are kept; then the oldest go, and are counted."""
MOST_ANSWERED = 64 * 1024 * 1024
"""Bytes of content in one answer; the entries that do not fit are left out, and the answer says so."""


@dataclass(frozen=True)
class Entry:
    """One accepted message, or one refused attempt.

    `stage` is where it ended: `auth`, `mail`, `rcpt` or `data`. `recipients` pairs each address with its parameters;
    for an attempt at RCPT the refused one stands last. `time` is seconds since the epoch; `tls` the version or "".
    """

    listener: str
    peer: str
    helo: str
    tls: str
    cipher: str
    user: str
    sender: str
    sender_params: Tuple[str, ...]
    recipients: Tuple[Tuple[str, Tuple[str, ...]], ...]
    stage: str
    reply: str
    accepted: bool
    content: Optional[bytes] = None
    time: float = field(default_factory=time.time)

    @property
    def size(self) -> int:
        """Bytes that the entry takes, about."""
        addresses = sum(len(to) + sum(map(len, params)) for to, params in self.recipients)
        return len(self.content or b"") + addresses + len(self.sender) + sum(map(len, self.sender_params))

    @property
    def message_id(self) -> str:
        """The Message-ID of the content without its angle brackets, or ""."""
        return message_id(self.content or b"")

    def matches(self, wanted: Mapping[str, Any]) -> bool:
        """Whether every given condition holds: see `control` for their names."""
        token = str(wanted.get("token") or "")
        return (
            (wanted.get("accepted") is None or self.accepted == bool(wanted["accepted"]))
            and (not wanted.get("listener") or self.listener == wanted["listener"])
            and (not wanted.get("message_id") or self.message_id == str(wanted["message_id"]).strip("<>"))
            and (not wanted.get("sender") or _like(self.sender, wanted["sender"]))
            and (not wanted.get("recipient") or any(_like(to, wanted["recipient"]) for to, _ in self.recipients))
            and (not token or self._mentions(token))
        )

    def _mentions(self, token: str) -> bool:
        if token.encode() in (self.content or b""):
            return True
        return any(token.lower() in address.lower() for address in (self.sender, *(to for to, _ in self.recipients)))

    def as_json(self, number: int) -> Dict[str, Any]:
        """The entry as the control channel tells it; the content in base64."""
        return {
            **{name: value for name, value in self.__dict__.items() if name not in ("content", "recipients")},
            "id": number,
            "recipients": [{"address": to, "params": params} for to, params in self.recipients],
            "content": None if self.content is None else base64.b64encode(self.content).decode(),
        }


def message_id(content: bytes) -> str:
    """The Message-ID of a message without its angle brackets, or ""."""
    header, _, _ = content[:_LONGEST_HEADER].partition(b"\r\n\r\n")
    found = _MESSAGE_ID.search(header)
    return found.group(1).decode("utf-8", "replace") if found else ""


def _like(address: str, pattern: Any) -> bool:
    return fnmatchcase(address.lower(), str(pattern).lower())


class Journal:
    """The entries, and a way to wait for more. Numbers start at 1 and are never used twice.

    `dropped` counts the entries that had to go because there were too many.
    """

    def __init__(self) -> None:
        self._entries: Dict[int, Entry] = {}
        self._last = 0
        self._bytes = 0
        self.dropped = 0
        self._changed = asyncio.Condition()

    async def add(self, entry: Entry) -> None:
        """Add an entry, and wake the requests that wait."""
        async with self._changed:
            self._last += 1
            self._entries[self._last] = entry
            self._bytes += entry.size
            while len(self._entries) > MOST_ENTRIES or self._bytes > MOST_BYTES:
                self._bytes -= self._entries.pop(next(iter(self._entries))).size
                self.dropped += 1
            self._changed.notify_all()

    async def wait(self, wanted: Mapping[str, Any], count: int, seconds: float) -> List[Dict[str, Any]]:
        """The matching entries, as soon as there are `count` of them, or what there is after `seconds`."""
        since = int(wanted.get("since") or 0)

        def found() -> List[int]:
            return [n for n, entry in self._entries.items() if n > since and entry.matches(wanted)]

        async def enough() -> None:
            async with self._changed:
                await self._changed.wait_for(lambda: len(found()) >= count)

        if len(found()) < count and seconds > 0:
            with suppress(asyncio.TimeoutError):  # `complete` in the answer says that these are not all
                await asyncio.wait_for(enough(), seconds)
        answer: List[Dict[str, Any]] = []
        left = MOST_ANSWERED
        for number in found():
            left -= self._entries[number].size
            if left < 0 and answer:
                break
            answer.append(self._entries[number].as_json(number))
        return answer

    @property
    def last(self) -> int:
        """The number of the newest entry: a mark for `since`."""
        return self._last
