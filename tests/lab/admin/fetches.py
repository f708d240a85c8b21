"""The accounts elsewhere whose mail users have fetched: for the pages of the web site, and for fetchmail."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Mapping
from html import escape
from typing import Any

TEXTS = ("protocol", "host", "port", "username", "password", "folders")
BOXES = ("tls", "keep", "scan")
Entry = dict[str, Any]


class Fetches:
    """All of them, by a number that each has; gone when the service ends."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.numbers = itertools.count(1)
        self.all: dict[str, Entry] = {}

    def waiting(self) -> list[Entry]:
        """What fetchmail asks for: in the order in which they were made."""
        with self.lock:
            return [dict(entry) for entry in self.all.values()]

    def checked(self, number: str, trouble: str) -> bool:
        """fetchmail was at an account."""
        with self.lock:
            if entry := self.all.get(number):
                entry["last_check"], entry["trouble"] = time.time(), trouble
            return entry is not None

    def create(self, user: str, sent: Mapping[str, str]) -> None:
        """The account of a form that somebody has sent."""
        with self.lock:
            number = str(next(self.numbers))
            boxes = {name: name in sent for name in BOXES}
            self.all[number] = {"id": number, "user": user, **{name: sent.get(name, "") for name in TEXTS}, **boxes}

    def delete(self, user: str, number: str) -> bool:
        """Takes away an account of this user's."""
        with self.lock:
            mine = self.all.get(number, {}).get("user") == user
            return mine and bool(self.all.pop(number))

    def rows(self, user: str) -> str:
        """This user's accounts as rows of a table."""
        return "".join(
            f'<tr><td><a href="/admin/fetch/delete/{entry["id"]}">x</a></td><td>{escape(entry["host"])}</td>'
            f"<td>{escape(entry['username'])}</td><td>{entry.get('last_check', 'never')}</td></tr>"
            for entry in self.waiting()
            if entry["user"] == user
        )

    @staticmethod
    def form() -> str:
        """The form for a new one."""
        texts = "".join(f'<input name="{name}" value="">' for name in ("csrf_token", *TEXTS))
        boxes = "".join(f'<input type="checkbox" name="{name}" value="y">' for name in BOXES)
        return f"<form method=post>{texts}{boxes}</form>"
