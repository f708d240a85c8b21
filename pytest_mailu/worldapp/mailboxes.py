"""The mailboxes at the world: accounts with folders and messages, and what each session did with them.

They are what Mailu's fetchmail fetches from. Folders have the names that IMAP carries (modified UTF-7, RFC 3501 section
5.1.3); POP3 knows `INBOX` alone.
"""

from __future__ import annotations

import asyncio
import hmac
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Dict, Iterable, List, Optional, Set

from .journal import message_id

INBOX = "INBOX"
MOST_ACCOUNTS = 1000
MOST_FOLDERS = 100
MOST_MESSAGES = 1000
MOST_BYTES = 64 * 1024 * 1024
"""Accounts, folders and messages of one account, and bytes of all messages."""
MOST_VISITS = 200
MOST_COMMANDS = 200
"""Sessions of one account, and commands of one session, that are remembered; then the oldest go."""
_LONGEST_COMMAND = 200


class Full(ValueError):
    """There is no room for more."""


@dataclass(eq=False)
class Message:
    """A message in a folder. `reads` counts how often its text was sent; `there` is false once it was expunged."""

    uid: int
    content: bytes
    flags: Set[str] = field(default_factory=set)
    reads: int = 0
    there: bool = True

    @property
    def head(self) -> bytes:
        """The header with the empty line after it."""
        head, end, _ = self.content.partition(b"\r\n\r\n")
        return head + end

    @property
    def text(self) -> bytes:
        """What comes after the header."""
        return self.content[len(self.head) :]

    def as_json(self) -> Dict[str, Any]:
        """The message as the control channel tells it."""
        return {
            "uid": self.uid,
            "message_id": message_id(self.content),
            "flags": sorted(self.flags),
            "reads": self.reads,
            "there": self.there,
        }


@dataclass(eq=False)
class Folder:
    """Messages in the order in which they came, with those that were expunged."""

    messages: List[Message] = field(default_factory=list)

    @property
    def there(self) -> List[Message]:
        """Those that are still there."""
        return [message for message in self.messages if message.there]


@dataclass(eq=False)
class Visit:
    """One session that named an account. `commands` are without passwords; `tls` is the version or ""."""

    listener: str
    tls: str
    accepted: bool = False
    commands: List[str] = field(default_factory=list)
    ended: bool = False

    def note(self, command: str) -> None:
        """Remember a command."""
        self.commands.append(command[:_LONGEST_COMMAND])
        del self.commands[:-MOST_COMMANDS]


@dataclass(eq=False)
class Account:
    """One account at the world."""

    password: str
    folders: Dict[str, Folder] = field(default_factory=lambda: {INBOX: Folder()})
    visits: List[Visit] = field(default_factory=list)
    ended: int = 0
    """How many sessions have logged in and ended."""


class Mailboxes:
    """All accounts by name, and a way to wait until sessions have ended."""

    def __init__(self) -> None:
        self._accounts: Dict[str, Account] = {}
        self._bytes = 0
        self._changed = asyncio.Condition()

    def deposit(self, name: str, password: str, folder: str, contents: Iterable[bytes]) -> None:
        """Put messages into a folder; account and folder are made where they are not there yet. Raises Full."""
        contents = tuple(contents)
        account = self._accounts.get(name) or Account(password)
        box = account.folders.get(folder) or Folder()
        size = sum(map(len, contents))
        if (
            (name not in self._accounts and len(self._accounts) >= MOST_ACCOUNTS)
            or (folder not in account.folders and len(account.folders) >= MOST_FOLDERS)
            or len(box.messages) + len(contents) > MOST_MESSAGES
            or self._bytes + size > MOST_BYTES
        ):
            raise Full("the world has no room for more mailboxes or messages")
        self._accounts[name], account.folders[folder] = account, box
        self._bytes += size
        for content in contents:
            box.messages.append(Message(len(box.messages) + 1, content))

    def log_in(self, name: str, password: str, visit: Visit) -> Optional[Account]:
        """The account of this name and password, or None. Either way the account, if there is one, keeps the visit."""
        account = self._accounts.get(name)
        if account is None:
            return None
        visit.accepted = hmac.compare_digest(account.password.encode(), password.encode("utf-8", "replace"))
        if visit not in account.visits:
            account.visits.append(visit)
            del account.visits[:-MOST_VISITS]
        return account if visit.accepted else None

    async def end(self, account: Account, visit: Visit) -> None:
        """A session of an account has ended: wake the requests that wait for it."""
        async with self._changed:
            visit.ended = True
            account.ended += 1
            self._changed.notify_all()

    async def wait(self, name: str, ended: int, seconds: float) -> Dict[str, Any]:
        """What is known of an account, as soon as `ended` sessions were logged in and ended, or after `seconds`.

        Raises ValueError for an account that is not there.
        """
        account = self._accounts.get(name)
        if account is None:
            raise ValueError(f"the world has no account {name[:100]!r}")

        async def enough() -> None:
            async with self._changed:
                await self._changed.wait_for(lambda: account.ended >= ended)

        if account.ended < ended and seconds > 0:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(enough(), seconds)
        return {
            "folders": {
                folder: [message.as_json() for message in box.messages] for folder, box in account.folders.items()
            },
            "visits": [visit.__dict__ for visit in account.visits],
            "ended": account.ended,
        }
