"""Mailboxes before and after an upgrade in place: messages, folders, flags and numbers are the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from pytest_mailu.behaviours.better import FUNCTION
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.helpers import stored_message
from pytest_mailu.core.endpoints import POP3S_995
from pytest_mailu.core.model import Direction, Observation, Outcome, Severity, Stage
from pytest_mailu.core.population import own_mailbox
from pytest_mailu.probe.probe import Probe
from pytest_mailu.wire.imap.session import ImapSession
from pytest_mailu.wire.transport.errors import NotServed

LIVED_IN = own_mailbox("lived-in")
FULLER = own_mailbox("lived-in-quota")
COLLECTED = own_mailbox("lived-in-pop3")

FOLDERS = ("Work", "Work/2019", "Work/2019/Été", "Заметки", "Rents & more", "Work/A folder with a long name, two words")
MESSAGES = 300
"""In INBOX; the other folders have a tenth."""
ARCHIVE = "Old mail"
COPIES = 8
"""How often all of INBOX was copied into `ARCHIVE`: a mailbox of many years has thousands of messages."""
MARKS: tuple[tuple[str, ...], ...] = (("\\Seen",), ("\\Flagged",), ("\\Answered", "\\Seen"), ("$label1",), ("Later",))
_SEPARATOR = "/"


async def _fill(probe: Probe) -> None:
    """A mailbox in which somebody has lived: folders in folders, flags, keywords, holes between UIDs."""
    async with probe.mailbox(LIVED_IN) as imap:
        separator = next((folder.delimiter for folder in await imap.folders("INBOX") if folder.delimiter), _SEPARATOR)
        names = [name.replace(_SEPARATOR, separator) for name in FOLDERS]
        for name in names:
            try:
                await imap.create(name)
            except NotServed as end:
                if end.reply is None or end.reply.enhanced != "ALREADYEXISTS":
                    raise
        for name in names[:-1]:
            await imap.subscribe(name)
        for folder, number in (("INBOX", MESSAGES), *((name, MESSAGES // 10) for name in names)):
            for index in range(number):
                flags = MARKS[index % len(MARKS)] if index % 3 == 0 else ()
                await imap.append(
                    folder, stored_message(f"Message {index} of {folder}".encode("ascii", "replace").decode()), flags
                )
        await imap.create(ARCHIVE)
        await imap.select("INBOX")
        for _ in range(COPIES):
            await imap.copy("1:*", ARCHIVE)
        await imap.store("3:5", "+FLAGS (\\Deleted)")
        await imap.expunge()


async def _fill_pop3(probe: Probe) -> None:
    async with probe.mailbox(COLLECTED) as imap:
        for index in range(20):
            await imap.append("INBOX", stored_message(f"Message {index}"))


async def _fill_quota(probe: Probe) -> None:
    async with probe.mailbox(FULLER) as imap:
        for index in range(5):
            await imap.append("INBOX", stored_message(f"Message {index}", "x" * 70 + "\r\n" * 500))


@behaviour(
    "upgrade/mail/messages",
    better={**FUNCTION, "folders.*": Direction.FIXED},
    severity=Severity.CRITICAL,
    in_place=True,
    live=_fill,
    timeout=180.0,
)
async def messages(probe: Probe) -> Observation:
    """Messages in all folders of a mailbox, byte by byte

    Mail that people have kept is gone, doubled or altered after the upgrade.

    RFC 9051 section 2.3: a message does not change
    """
    async with probe.mailbox(LIVED_IN) as imap:
        found = {name: await _contents(imap, name) for name in await _names(imap)}
    return _all_there(probe, found, wanted=MESSAGES)


async def _contents(imap: ImapSession, folder: str) -> dict[str, Any]:
    await imap.select(folder, read_only=True)
    fetched = await imap.fetch("1:*", "(UID BODY.PEEK[])")
    bodies = sorted(hashlib.sha256(each.get("BODY[]") or b"").hexdigest() for each in fetched.values())
    return {"messages": len(bodies), "content": digest(bodies)}


def _all_there(probe: Probe, folders: dict[str, Any], *, wanted: int) -> Observation:
    """LOST where INBOX has fewer messages than were put there and ALTERED where it has more."""
    number = folders.get("INBOX", {}).get("messages", 0)
    outcome = Outcome.LOST if number < wanted - 3 else Outcome.ALTERED if number > wanted - 3 else Outcome.ACCEPTED
    return probe.seen(outcome, Stage.COMMAND, folders=folders)


@behaviour(
    "upgrade/mail/flags",
    better={**FUNCTION, "folders.*": Direction.FIXED},
    severity=Severity.MAJOR,
    in_place=True,
    live=_fill,
    timeout=120.0,
)
async def flags(probe: Probe) -> Observation:
    """Flags and keywords of messages

    Read mail is unread again; marks and labels of mail programs are gone.

    RFC 9051 section 2.3.2
    """
    async with probe.mailbox(LIVED_IN) as imap:
        found = {}
        for name in await _names(imap):
            await imap.select(name, read_only=True)
            marked = await imap.fetch("1:*", "(UID FLAGS)")
            kept = {uid: sorted(set(each.get("FLAGS", ())) - {"\\Recent"}) for uid, each in marked.items()}
            words = sorted({flag for one in kept.values() for flag in one})
            found[name] = {"flags": words, "messages": digest(f"{uid} {one}" for uid, one in sorted(kept.items()))}
    return probe.seen(Outcome.ACCEPTED, Stage.COMMAND, folders=found)


@behaviour(
    "upgrade/mail/folders",
    better={**FUNCTION, "folders*": Direction.KEPT},
    severity=Severity.CRITICAL,
    in_place=True,
    live=_fill,
)
async def folders(probe: Probe) -> Observation:
    """Folders of a mailbox, with names outside ASCII and in several levels

    Folders, and the mail in them, are gone or have another name.

    RFC 9051 section 5.1; RFC 3501 section 5.1.3 (modified UTF-7)
    """
    async with probe.mailbox(LIVED_IN) as imap:
        found = [f"{folder.name} {' '.join(folder.attributes)}".strip() for folder in await imap.folders()]
    # What Dovecot says of children and new mail depends on the moment.
    steady = [" ".join(word for word in name.split(" ") if word.lower() not in _MOMENTARY) for name in found]
    return probe.seen(Outcome.ACCEPTED, Stage.COMMAND, folders=steady)


_MOMENTARY = ("\\marked", "\\unmarked", "\\haschildren", "\\hasnochildren")


@behaviour(
    "upgrade/mail/subscriptions",
    better={**FUNCTION, "subscribed*": Direction.KEPT},
    severity=Severity.MAJOR,
    in_place=True,
    live=_fill,
)
async def subscriptions(probe: Probe) -> Observation:
    """Subscribed folders of a mailbox

    Folders disappear from mail programs, which show what is subscribed.

    RFC 3501 section 6.3.9
    """
    async with probe.mailbox(LIVED_IN) as imap:
        names = [folder.name for folder in await imap.subscribed()]
    return probe.seen(Outcome.ACCEPTED, Stage.COMMAND, subscribed=names)


@behaviour(
    "upgrade/mail/uids",
    better={**FUNCTION, "folders.*": Direction.FIXED},
    severity=Severity.CRITICAL,
    in_place=True,
    live=_fill,
    timeout=120.0,
)
async def uids(probe: Probe) -> Observation:
    """UIDs of messages and UIDVALIDITY of folders

    Every mail program downloads all mail again; offline changes are lost.

    RFC 9051 section 2.3.1.1
    """
    async with probe.mailbox(LIVED_IN) as imap:
        found = {}
        for name in await _names(imap):
            selected = await imap.select(name, read_only=True)
            numbers = sorted(await imap.fetch("1:*", "(UID)"))
            found[name] = {"uidvalidity": selected.get("uidvalidity"), "uids": digest(map(str, numbers))}
    return probe.seen(Outcome.ACCEPTED, Stage.COMMAND, folders=found)


@behaviour(
    "upgrade/mail/uidl",
    endpoint=POP3S_995,
    better={**FUNCTION, "*": Direction.FIXED},
    severity=Severity.MAJOR,
    in_place=True,
    live=_fill_pop3,
)
async def uidl(probe: Probe) -> Observation:
    """POP3 names each message as before (UIDL)

    Programs that leave mail on the server download every message again.

    RFC 1939 section 7 (UIDL)
    """
    async with probe.pop3(POP3S_995) as pop3:
        await pop3.login(COLLECTED.address, COLLECTED.password)
        names = await pop3.uidl()
    return probe.seen(
        Outcome.ACCEPTED, Stage.COMMAND, messages=len(names), names=digest(map(str, sorted(names.items())))
    )


@behaviour(
    "upgrade/mail/quota",
    better={**FUNCTION, "quota.*": Direction.FIXED},
    severity=Severity.MAJOR,
    in_place=True,
    live=_fill_quota,
)
async def quota(probe: Probe) -> Observation:
    """Quota of a mailbox, and how much of it is used

    Mailboxes are full, or without a limit.

    RFC 9208 section 4.2
    """
    async with probe.mailbox(FULLER) as imap:
        roots = await imap.quota()
    storage = next((resources.get("STORAGE") for resources in roots.values()), None)
    used, limit = storage or (None, None)
    return probe.seen(Outcome.ACCEPTED, Stage.COMMAND, quota={"used_kib": used, "limit_kib": limit})


async def _names(imap: ImapSession) -> list[str]:
    return [each.name for each in await imap.folders() if "\\noselect" not in map(str.lower, each.attributes)]


def digest(parts: Iterable[str]) -> str:
    """A short fingerprint of many texts in their order."""
    total = hashlib.sha256()
    for part in parts:
        total.update(part.encode(errors="backslashreplace") + b"\n")
    return total.hexdigest()[:16]
