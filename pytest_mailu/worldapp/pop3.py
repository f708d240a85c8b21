"""The POP3 server of the world (RFC 1939), with CAPA (RFC 2449) and STLS (RFC 2595)."""

from __future__ import annotations

from typing import Dict, List, Optional, Set

from .mailbox_server import Client, Ended
from .mailboxes import INBOX, Account, Mailboxes, Message, Visit
from .plan import Listener


class _Refused(Exception):
    """The command is answered with -ERR and this text."""


class Pop3Session:
    """One session. A session has the messages that were there at its login."""

    def __init__(self, client: Client, mailboxes: Mailboxes, listener: Listener) -> None:
        self._client = client
        self._mailboxes = mailboxes
        self._visit = Visit(listener.name, client.tls)
        self._user = ""
        self._account: Optional[Account] = None
        self._messages: List[Message] = []
        self._deleted: Set[int] = set()

    async def run(self) -> None:
        """Answer commands until QUIT. Raises Ended."""
        await self._say("+OK the world's mailboxes")
        while True:
            line = (await self._client.line()).decode("utf-8", "replace")
            verb, _, rest = line.partition(" ")
            verb = verb.upper()
            if verb not in ("USER", "PASS", "APOP", "AUTH"):
                self._visit.note(line)
            if verb not in (_BEFORE_LOGIN if self._account is None else _AFTER_LOGIN):
                await self._say("-ERR not known, or not now")
                continue
            try:
                await getattr(self, f"_do_{verb.lower()}")(rest.split())
            except _Refused as refusal:
                await self._say(f"-ERR {refusal}")

    async def end(self) -> None:
        """Tell those who wait for the account."""
        if self._account is not None:
            await self._mailboxes.end(self._account, self._visit)

    async def _say(self, line: str) -> None:
        await self._client.send(f"{line}\r\n".encode())

    async def _lines(self, first: str, lines: List[str]) -> None:
        await self._say("\r\n".join([first, *lines, "."]))

    def _numbered(self, words: List[str]) -> int:
        """The number of a message that a command names."""
        if len(words) < 1 or not words[0].isdigit() or len(words[0]) > 9:
            raise _Refused("which message?")
        number = int(words[0])
        if not 1 <= number <= len(self._messages) or number in self._deleted:
            raise _Refused("no such message")
        return number

    @property
    def _left(self) -> Dict[int, Message]:
        return {
            number: message for number, message in enumerate(self._messages, start=1) if number not in self._deleted
        }

    # Before the login

    async def _do_capa(self, words: List[str]) -> None:
        await self._lines("+OK", ["USER", "TOP", "UIDL", *(["STLS"] if self._client.may_start_tls else [])])

    async def _do_stls(self, words: List[str]) -> None:
        if not self._client.may_start_tls:
            raise _Refused("no TLS here")
        await self._client.start_tls(b"+OK begin TLS\r\n")
        self._visit.tls = self._client.tls
        self._user = ""

    async def _do_user(self, words: List[str]) -> None:
        self._user = " ".join(words)
        await self._say("+OK")

    async def _do_pass(self, words: List[str]) -> None:
        account = self._mailboxes.log_in(self._user, " ".join(words), self._visit)
        if account is None:
            raise _Refused("[AUTH] wrong login")
        self._account, self._messages = account, account.folders[INBOX].there
        await self._say("+OK")

    # After it

    async def _do_stat(self, words: List[str]) -> None:
        left = self._left.values()
        await self._say(f"+OK {len(left)} {sum(len(message.content) for message in left)}")

    async def _do_list(self, words: List[str]) -> None:
        await self._listed(words, {number: str(len(message.content)) for number, message in self._left.items()})

    async def _do_uidl(self, words: List[str]) -> None:
        await self._listed(words, {number: f"world-{message.uid}" for number, message in self._left.items()})

    async def _listed(self, words: List[str], values: Dict[int, str]) -> None:
        if words:
            number = self._numbered(words)
            await self._say(f"+OK {number} {values[number]}")
        else:
            await self._lines("+OK", [f"{number} {value}" for number, value in values.items()])

    async def _do_retr(self, words: List[str]) -> None:
        message = self._messages[self._numbered(words) - 1]
        await self._content(message, message.content)

    async def _do_top(self, words: List[str]) -> None:
        message = self._messages[self._numbered(words) - 1]
        if len(words) != 2 or not words[1].isdigit() or len(words[1]) > 9:
            raise _Refused("how many lines?")
        lines = message.text.split(b"\r\n")
        count = int(words[1])
        kept = message.head + b"\r\n".join(lines[:count])
        await self._content(message, message.content if count >= len(lines) else kept, count > 0)

    async def _content(self, message: Message, content: bytes, read: bool = True) -> None:
        message.reads += read
        end = b"" if content.endswith(b"\r\n") else b"\r\n"
        stuffed = b"\r\n".join(b"." + line if line.startswith(b".") else line for line in content.split(b"\r\n"))
        await self._client.send(b"+OK\r\n" + stuffed + end + b".\r\n")

    async def _do_dele(self, words: List[str]) -> None:
        self._deleted.add(self._numbered(words))
        await self._say("+OK")

    async def _do_rset(self, words: List[str]) -> None:
        self._deleted.clear()
        await self._say("+OK")

    async def _do_noop(self, words: List[str]) -> None:
        await self._say("+OK")

    async def _do_quit(self, words: List[str]) -> None:
        for number in self._deleted:
            self._messages[number - 1].there = False
        await self._say("+OK bye")
        raise Ended


_BEFORE_LOGIN = frozenset(("CAPA", "STLS", "USER", "PASS", "QUIT"))
_AFTER_LOGIN = frozenset(("CAPA", "STAT", "LIST", "UIDL", "RETR", "TOP", "DELE", "RSET", "NOOP", "QUIT"))
