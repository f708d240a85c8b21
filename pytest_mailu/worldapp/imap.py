"""The IMAP server of the world: what of IMAP4rev1 (RFC 3501; RFC 9051) programs that fetch mail use."""

from __future__ import annotations

import re
from typing import Callable, Iterator, List, Optional, Tuple

from .imap_words import FLAGS, Bad, bounds, content, flag_named, items, section, words
from .mailbox_server import Client, Ended
from .mailboxes import INBOX, Account, Folder, Mailboxes, Message, Visit
from .plan import Listener

_LITERAL = re.compile(rb"\{(\d{1,9})(\+?)\}$")
_MOST_LITERALS = 10
_MOST_KEYS = 50
_Key = Callable[[int, Message], bool]
"""Whether a message, with its number, is searched for."""


class _No(Exception):
    """The command is answered with NO and this text."""


class ImapSession:
    """One session. `_view` are the messages of the selected folder as this client numbers them."""

    def __init__(self, client: Client, mailboxes: Mailboxes, listener: Listener) -> None:
        self._client = client
        self._mailboxes = mailboxes
        self._visit = Visit(listener.name, client.tls)
        self._account: Optional[Account] = None
        self._folder: Optional[Folder] = None
        self._view: List[Message] = []
        self._read_only = False

    async def run(self) -> None:
        """Answer commands until LOGOUT. Raises Ended."""
        await self._client.send(b"* OK the world's mailboxes\r\n")
        while True:
            line = await self._command()
            tag, _, rest = line.partition(" ")
            verb, _, arguments = rest.partition(" ")
            if verb.upper() not in ("LOGIN", "AUTHENTICATE"):
                self._visit.note(rest)
            try:
                said = await self._answer(tag, verb.upper(), arguments)
            except Bad:
                said = "BAD not known, or not now"
            except _No as no:
                said = f"NO {no}"
            if said:
                await self._say(f"{tag or '*'} {said}")

    async def end(self) -> None:
        """Tell those who wait for the account."""
        if self._account is not None:
            await self._mailboxes.end(self._account, self._visit)

    async def _command(self) -> str:
        """The next command; strings that came as literals stand in it as quoted ones. Raises Ended."""
        line = await self._client.line()
        for _ in range(_MOST_LITERALS):
            found = _LITERAL.search(line)
            if found is None:
                return line.decode("utf-8", "replace")
            if not found.group(2):
                await self._client.send(b"+ go on\r\n")
            string = await self._client.octets(int(found.group(1)))
            quoted = string.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\r", b" ").replace(b"\n", b" ")
            line = line[: found.start()] + b'"' + quoted + b'"' + await self._client.line()
        raise Ended

    async def _say(self, line: str) -> None:
        await self._client.send(f"{line}\r\n".encode("utf-8", "replace"))

    async def _answer(self, tag: str, verb: str, arguments: str) -> str:
        """Carry out one command; what follows the tag, or "" where that is said already. Raises Bad, _No and Ended."""
        if verb == "CAPABILITY":
            await self._say(f"* CAPABILITY IMAP4rev1{' STARTTLS' if self._client.may_start_tls else ''}")
        elif verb == "LOGOUT":
            await self._say(f"* BYE\r\n{tag} OK")
            raise Ended
        elif verb in ("NOOP", "CHECK"):
            await self._news()
        elif self._account is not None:
            return await self._with_account(self._account, verb, arguments)
        elif verb == "STARTTLS" and self._client.may_start_tls:
            await self._client.start_tls(f"{tag} OK begin TLS\r\n".encode())
            self._visit.tls = self._client.tls
            return ""
        elif verb == "LOGIN":
            given = words(arguments)
            if len(given) != 2:
                raise Bad
            self._account = self._mailboxes.log_in(given[0], given[1], self._visit)
            if self._account is None:
                raise _No("[AUTHENTICATIONFAILED] wrong login")
        else:
            raise Bad
        return f"OK {verb}"

    async def _with_account(self, account: Account, verb: str, arguments: str) -> str:
        if verb in ("LIST", "LSUB"):
            await self._list(account, verb, words(arguments))
        elif verb == "STATUS":
            await self._status(account, words(arguments))
        elif verb in ("SELECT", "EXAMINE"):
            return await self._select(account, words(arguments), read_only=verb == "EXAMINE")
        elif self._folder is None:
            raise Bad
        elif verb == "EXPUNGE":
            await self._expunge()
            await self._news()
        elif verb == "CLOSE":
            await self._expunge(quietly=True)
            self._folder, self._view = None, []
        else:
            by_uid = verb == "UID"
            if by_uid:
                verb, _, arguments = arguments.partition(" ")
            await self._with_messages(verb.upper(), arguments, by_uid)
        return f"OK {verb}"

    async def _with_messages(self, verb: str, arguments: str, by_uid: bool) -> None:
        if verb == "FETCH":
            await self._fetch(arguments, by_uid)
        elif verb == "STORE":
            await self._store(arguments, by_uid)
        elif verb == "SEARCH":
            await self._search(words(arguments.upper()), by_uid)
        else:
            raise Bad

    # Folders

    async def _list(self, account: Account, verb: str, given: List[str]) -> None:
        if len(given) != 2:
            raise Bad
        for name in account.folders:
            if given[1] in ("*", "%", name):
                await self._say(f'* {verb} () "/" "{name}"')

    async def _status(self, account: Account, given: List[str]) -> None:
        name, items_ = "".join(given[:1]), [word.upper() for word in given[1:]]
        folder = _named(account, name)
        values = {
            "MESSAGES": len(folder.there),
            "UNSEEN": sum("\\Seen" not in message.flags for message in folder.there),
            "UIDNEXT": len(folder.messages) + 1,
            "UIDVALIDITY": 1,
            "RECENT": 0,
        }
        if not set(items_) <= values.keys():
            raise Bad
        await self._say(f'* STATUS "{name}" ({" ".join(f"{item} {values[item]}" for item in items_)})')

    async def _select(self, account: Account, given: List[str], read_only: bool) -> str:
        self._folder, self._view = None, []
        if len(given) != 1:
            raise Bad
        folder = _named(account, given[0])
        self._folder, self._view, self._read_only = folder, folder.there, read_only
        flags = " ".join(FLAGS)
        await self._say(
            f"* FLAGS ({flags})\r\n* {len(self._view)} EXISTS\r\n* 0 RECENT\r\n* OK [UIDVALIDITY 1] valid\r\n"
            f"* OK [UIDNEXT {len(folder.messages) + 1}] next\r\n* OK [PERMANENTFLAGS ({flags})] kept"
        )
        return f"OK [{'READ-ONLY' if read_only else 'READ-WRITE'}] selected"

    async def _news(self) -> None:
        """Tell what came since the client last heard of it."""
        fresh = [message for message in self._folder.there if message not in self._view] if self._folder else []
        if fresh:
            self._view += fresh
            await self._say(f"* {len(self._view)} EXISTS")

    async def _expunge(self, quietly: bool = False) -> None:
        if self._read_only:
            if quietly:
                return
            raise _No("the folder is open for reading")
        for number in range(len(self._view), 0, -1):
            if "\\Deleted" in self._view[number - 1].flags:
                self._view.pop(number - 1).there = False
                if not quietly:
                    await self._say(f"* {number} EXPUNGE")

    # Messages

    def _chosen(self, wanted: str, by_uid: bool) -> List[Tuple[int, Message]]:
        """The messages of a set, with their numbers. Raises Bad."""
        last = (self._view[-1].uid if by_uid else len(self._view)) if self._view else 0
        ranges = bounds(wanted, last)
        return [
            (number, message)
            for number, message in enumerate(self._view, start=1)
            if any(low <= (message.uid if by_uid else number) <= high for low, high in ranges)
        ]

    async def _fetch(self, arguments: str, by_uid: bool) -> None:
        wanted, _, rest = arguments.partition(" ")
        asked = items(rest.upper())
        if by_uid and "UID" not in asked:
            asked.append("UID")
        for number, message in self._chosen(wanted, by_uid):
            parts = b" ".join(self._part(message, item) for item in asked)
            await self._client.send(f"* {number} FETCH (".encode() + parts + b")\r\n")

    def _part(self, message: Message, item: str) -> bytes:
        simple = {
            "UID": f"UID {message.uid}",
            "FLAGS": f"FLAGS ({' '.join(sorted(message.flags))})",
            "RFC822.SIZE": f"RFC822.SIZE {len(message.content)}",
            "INTERNALDATE": 'INTERNALDATE "01-Jan-2026 00:00:00 +0000"',
        }
        if item in simple:
            return simple[item].encode()
        name, part = section(item)
        if part in ("", "TEXT"):
            message.reads += 1
            if ".PEEK" not in item and not self._read_only:
                message.flags.add("\\Seen")
        octets = content(message, part)
        return f"{name} {{{len(octets)}}}\r\n".encode() + octets

    async def _store(self, arguments: str, by_uid: bool) -> None:
        wanted, _, rest = arguments.partition(" ")
        how, _, names = rest.partition(" ")
        how = how.upper()
        if how.lstrip("+-") not in ("FLAGS", "FLAGS.SILENT"):
            raise Bad
        if self._read_only:
            raise _No("the folder is open for reading")
        flags = {flag for flag in map(flag_named, words(names)) if flag is not None}
        for number, message in self._chosen(wanted, by_uid):
            if how.startswith("+"):
                message.flags |= flags
            elif how.startswith("-"):
                message.flags -= flags
            else:
                message.flags = flags.copy()
            if not how.endswith(".SILENT"):
                uid = f"UID {message.uid} " if by_uid else ""
                await self._say(f"* {number} FETCH ({uid}FLAGS ({' '.join(sorted(message.flags))}))")

    async def _search(self, given: List[str], by_uid: bool) -> None:
        if len(given) > _MOST_KEYS:
            raise Bad
        keys = list(self._keys(iter(given[2:] if given[:1] == ["CHARSET"] else given)))
        found = [
            message.uid if by_uid else number
            for number, message in enumerate(self._view, start=1)
            if all(key(number, message) for key in keys)
        ]
        await self._say(" ".join(["* SEARCH", *map(str, found)]))

    def _keys(self, given: Iterator[str]) -> Iterator[_Key]:
        negated = False
        for word in given:
            if word == "NOT":
                negated = not negated
                continue
            key = self._key(word, given)
            yield _not(key) if negated else key
            negated = False

    def _key(self, word: str, rest: Iterator[str]) -> _Key:
        if word in ("ALL", "OLD", "NEW", "RECENT"):  # nothing is recent here
            return lambda number, message: word in ("ALL", "OLD")
        flag = flag_named(f"\\{word[2:] if word.startswith('UN') else word}")
        if flag is not None:
            return lambda number, message: (flag in message.flags) != word.startswith("UN")
        by_uid = word == "UID"
        chosen = {message.uid for _, message in self._chosen(next(rest, "") if by_uid else word, by_uid)}
        return lambda number, message: message.uid in chosen


def _not(key: _Key) -> _Key:
    return lambda number, message: not key(number, message)


def _named(account: Account, name: str) -> Folder:
    folder = account.folders.get(INBOX if name.upper() == INBOX else name)
    if folder is None:
        raise _No("[NONEXISTENT] no such folder")
    return folder
