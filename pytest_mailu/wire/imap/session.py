"""The commands of IMAP that mail programs use (RFC 9051, 3501 and extensions), with plain data as results."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from imapclient import imap_utf7  # type: ignore[import-untyped]

from pytest_mailu.core.text import TEXT_LIMIT, show_line, whole_number
from pytest_mailu.wire.imap.connection import ImapConnection
from pytest_mailu.wire.imap.reply import ImapReply, Untagged, fetched, quoted, text_of
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed

LONGEST_PAUSE = 2.0
_MOST_FLAGS = 100

_State = dict[str, int] | None


@dataclass(frozen=True, slots=True)
class Folder:
    """One line of LIST or LSUB. `attributes` are sorted, special uses (RFC 6154) among them."""

    name: str
    attributes: tuple[str, ...]
    delimiter: str | None


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it lies in a folder. `flags` are sorted."""

    uid: int
    folder: str
    flags: tuple[str, ...]
    content: bytes


class ImapSession(ImapConnection):
    """`ImapConnection` with the commands. NO and BAD raise `NotServed(REFUSED, COMMAND)`, except in `command`.

    Folder names are given as text and sent quoted; other arguments are sent as they are.
    """

    async def select(self, folder: str = "INBOX", *, read_only: bool = False) -> dict[str, Any]:
        """SELECT or EXAMINE: `exists`, `uidvalidity`, `uidnext`, `flags`, `permanentflags`, `access`."""
        reply = await self.do(f"{'EXAMINE' if read_only else 'SELECT'} {_mailbox(folder)}")
        facts: dict[str, Any] = {"access": reply.response_code.upper()}
        for response in reply.untagged:
            if response.word == "EXISTS":
                facts["exists"] = response.number
            elif response.word == "FLAGS":
                facts["flags"] = _words(_item(response, 1))
            elif response.word == "OK":
                facts.update(_code_facts(text_of(response.line)))
        return facts

    async def folders(self, pattern: str = "*", *, special_use: bool = False) -> list[Folder]:
        """LIST; with `special_use` attributes asked for explicitly (RFC 6154 section 5.2)."""
        wish = " RETURN (SPECIAL-USE)" if special_use else ""
        return _folders(await self.do(f'LIST "" {quoted(pattern)}{wish}'), "LIST")

    async def subscribed(self, pattern: str = "*") -> list[Folder]:
        """LSUB: what is subscribed (RFC 3501 section 6.3.9)."""
        return _folders(await self.do(f'LSUB "" {quoted(pattern)}'), "LSUB")

    async def status(self, folder: str, items: str = "MESSAGES UIDNEXT UIDVALIDITY UNSEEN") -> dict[str, int]:
        """STATUS of a folder."""
        for response in (await self.do(f"STATUS {_mailbox(folder)} ({items})")).named("STATUS"):
            return _figures(response)
        raise CannotAsk("no STATUS in the answer to STATUS")

    async def create(self, folder: str) -> ImapReply:
        """CREATE."""
        return await self.do(f"CREATE {_mailbox(folder)}")

    async def delete(self, folder: str) -> ImapReply:
        """DELETE a folder."""
        return await self.do(f"DELETE {_mailbox(folder)}")

    async def rename(self, folder: str, to: str) -> ImapReply:
        """RENAME."""
        return await self.do(f"RENAME {_mailbox(folder)} {_mailbox(to)}")

    async def subscribe(self, folder: str) -> ImapReply:
        """SUBSCRIBE."""
        return await self.do(f"SUBSCRIBE {_mailbox(folder)}")

    async def unsubscribe(self, folder: str) -> ImapReply:
        """UNSUBSCRIBE."""
        return await self.do(f"UNSUBSCRIBE {_mailbox(folder)}")

    async def append(self, folder: str, message: bytes, flags: Sequence[str] = ()) -> int | None:
        """APPEND; gives the new UID where the server tells it (APPENDUID, RFC 4315)."""
        reply = await self.do(f"APPEND {_mailbox(folder)} ({' '.join(flags)}) ", message)
        words = reply.response_code.split()
        return whole_number(words[2]) if len(words) == 3 and words[0].upper() == "APPENDUID" else None

    async def search(self, criteria: str, *literals: str | bytes) -> list[int]:
        """UID SEARCH, sorted by UID."""
        reply = await self.do(f"UID SEARCH {criteria}", *literals)
        return sorted(number for response in reply.named("SEARCH") for number in _numbers(response.parsed()[1:]))

    async def sort(self, by: str, criteria: str = "ALL") -> list[int]:
        """UID SORT (RFC 5256), as in `sort("REVERSE DATE")`."""
        reply = await self.do(f"UID SORT ({by}) UTF-8 {criteria}")
        return [number for response in reply.named("SORT") for number in _numbers(response.parsed()[1:])]

    async def thread(self, algorithm: str = "REFERENCES", criteria: str = "ALL") -> list[Any]:
        """UID THREAD (RFC 5256): nested lists of UIDs."""
        reply = await self.do(f"UID THREAD {algorithm} UTF-8 {criteria}")
        return [_nested(tree) for response in reply.named("THREAD") for tree in response.parsed()[1:]]

    async def fetch(self, uids: str | int, items: str = "(UID FLAGS BODY.PEEK[])") -> dict[int, dict[str, Any]]:
        """UID FETCH: `{uid: {"FLAGS": (…), "BODY[]": b"…"}}`."""
        return fetched((await self.do(f"UID FETCH {uids} {items}")).untagged)

    async def store(self, uids: str | int, change: str) -> dict[int, dict[str, Any]]:
        r"""UID STORE, as in `store(4, "+FLAGS (\\Seen)")`."""
        return fetched((await self.do(f"UID STORE {uids} {change}")).untagged)

    async def copy(self, uids: str | int, folder: str) -> ImapReply:
        """UID COPY."""
        return await self.do(f"UID COPY {uids} {_mailbox(folder)}")

    async def move(self, uids: str | int, folder: str) -> ImapReply:
        """UID MOVE (RFC 6851)."""
        return await self.do(f"UID MOVE {uids} {_mailbox(folder)}")

    async def expunge(self, uids: str | int | None = None) -> list[int]:
        """EXPUNGE, or UID EXPUNGE (RFC 4315): the message numbers that went."""
        reply = await self.do("EXPUNGE" if uids is None else f"UID EXPUNGE {uids}")
        return [response.number or 0 for response in reply.named("EXPUNGE")]

    async def noop(self) -> ImapReply:
        """NOOP, and the untagged responses that come with it."""
        return await self.do("NOOP")

    async def id(self) -> dict[str, str]:
        """ID (RFC 2971): the server's name and version."""
        for response in (await self.do('ID ("name" "pytest-mailu")')).named("ID"):
            return {text_of(key): text_of(value) for key, value in _pairs(_item(response, 1)).items()}
        return {}

    async def namespace(self) -> list[Any]:
        """NAMESPACE (RFC 2342): personal, others', shared; each a list of [prefix, delimiter], or None."""
        for response in (await self.do("NAMESPACE")).named("NAMESPACE"):
            return [_nested(item) for item in response.parsed()[1:]]
        return []

    async def enable(self, *names: str) -> tuple[str, ...]:
        """ENABLE (RFC 5161): what was enabled."""
        reply = await self.do(f"ENABLE {' '.join(names)}")
        return tuple(sorted(text_of(word) for response in reply.named("ENABLED") for word in response.parsed()[1:]))

    async def quota(self, folder: str = "INBOX") -> dict[str, dict[str, tuple[int, int]]]:
        """GETQUOTAROOT (RFC 9208): `{root: {resource: (usage, limit)}}`."""
        roots: dict[str, dict[str, tuple[int, int]]] = {}
        for response in (await self.do(f"GETQUOTAROOT {_mailbox(folder)}")).named("QUOTA"):
            resources = _item(response, 2)
            triples = zip(*[iter(resources if isinstance(resources, tuple) else ())] * 3, strict=False)
            roots[text_of(_item(response, 1))] = {
                text_of(name): (usage, limit)
                for name, usage, limit in triples
                if isinstance(usage, int) and isinstance(limit, int)
            }
        return roots

    async def wait_for_message(
        self, message_id: str, within: float = 30.0, *, folders: Sequence[str] | None = None, at_least: int = 1
    ) -> list[Message]:
        """Wait until `at_least` messages with this Message-ID are there, in `folders` (any, unless given).

        Returns what there is after `within` seconds: an empty list means that no message came. Between looks, IDLE
        in the first folder where the server has it, and otherwise NOOP with growing pauses. Where the server tells the
        state of all folders at once (LIST-STATUS, RFC 5819), a look reads only folders whose state has changed; the
        last look, and each one after a long pause, reads all folders, since the server may answer from a cache.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within
        pause = 0.1
        known: dict[str, tuple[_State, list[Message]]] = {}
        while True:
            left = deadline - loop.time()
            if everything := left <= 0 or pause >= LONGEST_PAUSE:
                known.clear()
            states = dict.fromkeys(folders) if folders is not None else await self._states(everything=everything)
            for name, state in states.items():
                if state is None or name not in known or known[name][0] != state:
                    nothing = state is not None and state.get("MESSAGES") == 0
                    known[name] = (state, [] if nothing else await self._look(name, message_id))
            found = [message for name in states for message in known[name][1]]
            if len(found) >= at_least or left <= 0:
                return found
            # The message may come into another folder than the one in IDLE, so no pause is long.
            seconds = min(pause, left)
            if "IDLE" in self.offered:
                await self._idle_in(next(iter(states), "INBOX"), seconds)
            else:
                await asyncio.sleep(seconds)
                await self.noop()
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _states(self, *, everything: bool) -> dict[str, _State]:
        """Folders that can be selected, INBOX first; unless `everything`, with what changes when a message comes."""
        asked = not everything and "LIST-STATUS" in self.offered
        reply = await self.do(f'LIST "" "*"{" RETURN (STATUS (MESSAGES UIDNEXT UIDVALIDITY))" if asked else ""}')
        names = [
            folder.name for folder in _folders(reply, "LIST") if "\\noselect" not in map(str.lower, folder.attributes)
        ]
        states: dict[str, _State] = dict.fromkeys(sorted(names, key=lambda name: (name.upper() != "INBOX", name)))
        for response in reply.named("STATUS"):
            states[_name(_item(response, 1))] = _figures(response)
        return states

    async def _look(self, folder: str, message_id: str) -> list[Message]:
        try:
            await self.select(folder, read_only=True)
        except NotServed as stopped:
            if stopped.reply is not None and stopped.reply.code == "NO":
                return []
            raise
        # Not by SEARCH: a full-text index may miss messages, which is a question of its own.
        heads = await self.fetch("1:*", "(UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
        wanted = message_id.encode()
        parts = {uid: [part for part in head.values() if isinstance(part, bytes)] for uid, head in heads.items()}
        uids = [uid for uid, texts in parts.items() if any(wanted in text for text in texts)]
        if not uids:
            return []
        items = await self.fetch(",".join(map(str, uids)))
        return [Message(uid, folder, item.get("FLAGS", ()), item.get("BODY[]") or b"") for uid, item in items.items()]

    async def _idle_in(self, folder: str, seconds: float) -> None:
        await self.select(folder, read_only=True)
        async with self.idle() as idle:
            await idle.wait_for("EXISTS", "RECENT", seconds=seconds)


def modified_utf7(folder: str) -> str:
    """A folder's name as IMAP has it (RFC 3501 section 5.1.3)."""
    return str(imap_utf7.encode(folder).decode("ascii"))


def _mailbox(folder: str) -> str:
    """A folder's name as it is sent."""
    return quoted(modified_utf7(folder))


def _item(response: Untagged, number: int) -> Any:
    parsed = response.parsed()
    if len(parsed) <= number:
        raise CannotAsk(f"a {response.word} response that says too little")
    return parsed[number]


def _folders(reply: ImapReply, word: str) -> list[Folder]:
    found: list[Folder] = []
    for response in reply.named(word):
        attributes, delimiter, name = (_item(response, number) for number in (1, 2, 3))
        found.append(Folder(_name(name), _words(attributes), None if delimiter is None else text_of(delimiter)))
    return sorted(found, key=lambda folder: folder.name)


def _name(value: Any) -> str:
    try:
        return show_line(str(imap_utf7.decode(value if isinstance(value, bytes) else str(value).encode())), TEXT_LIMIT)
    except (ValueError, IndexError):
        # Not modified UTF-7: shown as it came.
        return text_of(value)


def _code_facts(line: str) -> dict[str, Any]:
    """UIDVALIDITY, UIDNEXT and PERMANENTFLAGS out of `OK [UIDNEXT 4] …`."""
    code = line.partition("[")[2].partition("]")[0]
    name, _, value = code.partition(" ")
    number = whole_number(value)
    if name.upper() in ("UIDVALIDITY", "UIDNEXT") and number is not None:
        return {name.lower(): number}
    if name.upper() == "PERMANENTFLAGS":
        return {"permanentflags": tuple(sorted(value.strip("()").split()[:_MOST_FLAGS]))}
    return {}


def _words(value: Any) -> tuple[str, ...]:
    return tuple(sorted(text_of(word) for word in value[:_MOST_FLAGS])) if isinstance(value, tuple) else ()


def _figures(status: Untagged) -> dict[str, int]:
    """What a STATUS response says, by item."""
    return {text_of(key).upper(): value for key, value in _pairs(_item(status, 2)).items() if isinstance(value, int)}


def _numbers(values: Sequence[Any]) -> list[int]:
    return [value for value in values if isinstance(value, int)]


def _pairs(value: Any) -> dict[Any, Any]:
    return dict(zip(value[::2], value[1::2], strict=False)) if isinstance(value, tuple) else {}


def _nested(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_nested(member) for member in value]
    return text_of(value) if isinstance(value, bytes) else value
