"""Messages over IMAP: stored, read, flagged, copied, moved and removed. Each behaviour has a folder of its own."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.helpers import create_folder, stored_message, temporary_folder
from pytest_mailu.behaviours.needs import MAILBOX
from pytest_mailu.core.endpoints import IMAPS_993
from pytest_mailu.core.model import Direction, Observation, Outcome, Severity, Stage
from pytest_mailu.core.population import own_mailbox
from pytest_mailu.core.text import whole_number
from pytest_mailu.probe.probe import Probe
from pytest_mailu.wire.imap.reply import ImapReply, text_of

_MOST_UIDS = 1_000
WRITER = own_mailbox("messages-writer")

CONTENTS = {
    "plain": stored_message(),
    "eight-bit": b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    + "Grüße, Привет, 你好\r\n".encode()
    + b".\r\n..\r\nFrom here\r\n",
    "large": b"Subject: large\r\n\r\n" + (b"0123456789" * 7 + b"\r\n") * 42_000,
}
"""The large one has 3 MB."""
SENT_AT = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)


@behaviour(
    "mailbox/993/append-fetch/{kind}",
    needs=MAILBOX,
    endpoint=IMAPS_993,
    wanted=Outcome.ACCEPTED,
    deep={"kind": ("large",)},
    better={"append_uid": Direction.TRUE},
    severity=Severity.CRITICAL,
    each={"kind": CONTENTS},
)
async def append_fetch(probe: Probe, kind: str) -> Observation:
    """Stored message is read back unchanged ({kind})

    Sent mail and drafts are damaged or lost.

    RFC 9051 section 6.3.12; RFC 4315 for APPENDUID
    """
    content = CONTENTS[kind]
    async with temporary_folder(probe, WRITER) as (imap, name):
        uid = await imap.append(name, content, ("\\Seen",))
        await imap.noop()
        back = await imap.fetch("1:*", "(UID FLAGS RFC822.SIZE BODY.PEEK[])")
    bodies = [message.get("BODY[]") for message in back.values()]
    outcome = Outcome.ACCEPTED if bodies == [content] else Outcome.ALTERED if bodies else Outcome.LOST
    facts: dict[str, Any] = {
        "append_uid": uid in back,
        "flags": [settled(message["FLAGS"]) for message in back.values()],
        "size_right": [message.get("RFC822.SIZE") == len(content) for message in back.values()],
    }
    return probe.seen(outcome, Stage.COMMAND, **facts)


@behaviour(
    "mailbox/993/append-date",
    needs=MAILBOX,
    endpoint=IMAPS_993,
    wanted=Outcome.ACCEPTED,
    deep=True,
    severity=Severity.MAJOR,
)
async def append_date(probe: Probe) -> Observation:
    """Stored message keeps the date it was given

    Mail moved from another server gets today's date.

    RFC 9051 section 6.3.12 (date-time)
    """
    async with temporary_folder(probe, WRITER) as (imap, name):
        stamp = SENT_AT.strftime("%d-%b-%Y %H:%M:%S +0000")
        await imap.do(f'APPEND {name} () "{stamp}" ', stored_message())
        await imap.noop()
        back = await imap.fetch("1:*", "(UID INTERNALDATE)")
    dates = [message["INTERNALDATE"].astimezone(UTC) for message in back.values()]
    return probe.seen(Outcome.ACCEPTED if dates == [SENT_AT] else Outcome.ALTERED, Stage.COMMAND)


@behaviour(
    "mailbox/993/flags",
    needs=MAILBOX,
    endpoint=IMAPS_993,
    wanted=Outcome.ACCEPTED,
    better={"possible": Direction.KEPT},
    severity=Severity.MAJOR,
)
async def flags(probe: Probe) -> Observation:
    """Flags and keywords are kept until the next session

    Read and answered messages look new again.

    RFC 9051 section 6.4.6
    """
    async with temporary_folder(probe, WRITER) as (imap, name):
        await imap.append(name, stored_message())
        possible = (await imap.select(name)).get("permanentflags", ())
        await imap.store("1:*", "+FLAGS (\\Answered \\Flagged $Forwarded own-keyword)")
        await imap.store("1:*", "-FLAGS (\\Flagged)")
        async with probe.imap(IMAPS_993) as second:
            await second.login(WRITER.address, WRITER.password)
            await second.select(name)
            found = [settled(message["FLAGS"]) for message in (await second.fetch("1:*", "(FLAGS)")).values()]
    kept = found == [["$Forwarded", "\\Answered", "own-keyword"]]
    return probe.seen(Outcome.ACCEPTED if kept else Outcome.LOST, Stage.COMMAND, flags=found, possible=possible)


@behaviour(
    "mailbox/993/seen-when-read", needs=MAILBOX, endpoint=IMAPS_993, wanted=Outcome.ACCEPTED, severity=Severity.MAJOR
)
async def seen_when_read(probe: Probe) -> Observation:
    """Reading a message sets \\Seen, and BODY.PEEK does not

    Read messages look new, or a preview marks new messages as read.

    RFC 9051 section 6.4.5 (BODY and BODY.PEEK)
    """
    async with temporary_folder(probe, WRITER) as (imap, name):
        await imap.append(name, stored_message())
        await imap.noop()
        found = []
        for item in ("BODY.PEEK[]", "BODY[]"):
            await imap.fetch("1:*", f"(UID {item})")
            found += [settled(message["FLAGS"]) for message in (await imap.fetch("1:*", "(UID FLAGS)")).values()]
    return probe.seen(Outcome.ACCEPTED if found == [[], ["\\Seen"]] else Outcome.ALTERED, Stage.COMMAND, flags=found)


@behaviour(
    "mailbox/993/{verb}",
    needs=MAILBOX,
    endpoint=IMAPS_993,
    wanted=Outcome.ACCEPTED,
    better={"told": Direction.TRUE},
    severity=Severity.MAJOR,
    each={"verb": ("copy", "move")},
)
async def copy_or_move(probe: Probe, verb: str) -> Observation:
    """IMAP {verb} keeps a message's flags and tells its new UID

    Programs lose track of messages, show them twice or leave duplicates.

    RFC 9051 sections 6.4.7 and 6.4.8; RFC 6851 (MOVE); RFC 4315 (COPYUID)
    """
    async with temporary_folder(probe, WRITER) as (imap, name):
        await imap.append(name, stored_message(), ("\\Flagged",))
        await imap.noop()
        there = f"{name}-there"
        await create_folder(imap, there)
        source = await imap.search("ALL")
        reply = await (imap.copy if verb == "copy" else imap.move)("1:*", there)
        left = len(await imap.search("ALL"))
        await imap.select(there)
        came = await imap.fetch("1:*", "(UID FLAGS)")
        await imap.select(name)
        await imap.delete(there)
    announced = copied(reply)
    kept = [settled(message["FLAGS"]) for message in came.values()] == [["\\Flagged"]]
    right = kept and left == (1 if verb == "copy" else 0)
    facts: dict[str, Any] = {
        "left": left,
        "came": len(came),
        "told": announced == (source, sorted(came)) if announced else None,
    }
    return probe.seen(Outcome.ACCEPTED if right else Outcome.LOST, Stage.COMMAND, **facts)


@behaviour("mailbox/993/expunge", needs=MAILBOX, endpoint=IMAPS_993, wanted=Outcome.ACCEPTED, severity=Severity.MAJOR)
async def expunge(probe: Probe) -> Observation:
    """UID EXPUNGE removes only the named message, EXPUNGE all deleted ones

    Messages are removed that should stay, or deleted messages come back.

    RFC 9051 sections 6.4.3 and 6.4.9 (UID EXPUNGE)
    """
    async with temporary_folder(probe, WRITER) as (imap, name):
        for _ in range(3):
            await imap.append(name, stored_message())
        await imap.noop()
        first, second, third = await imap.search("ALL")
        await imap.store(f"{first},{second}", "+FLAGS (\\Deleted)")
        named = await imap.expunge(first)
        between = await imap.search("ALL")
        rest = await imap.expunge()
        after = await imap.search("ALL")
    right = between == [second, third] and after == [third]
    return probe.seen(Outcome.ACCEPTED if right else Outcome.LOST, Stage.COMMAND, named=named, rest=rest)


def copied(reply: ImapReply) -> tuple[list[int], list[int]] | None:
    """The UIDs before and after, from COPYUID (RFC 4315); MOVE gives it in an untagged OK (RFC 6851 section 4.3)."""
    lines = [reply.response_code, *(text_of(response.line) for response in reply.named("OK"))]
    for line in lines:
        if match := re.search(r"COPYUID \d+ ([\d:,]+) ([\d:,]+)", line, re.IGNORECASE):
            return _uids(match[1]), _uids(match[2])
    return None


def _uids(text: str) -> list[int]:
    """The numbers of a set, as many as any folder here has messages."""
    found: list[int] = []
    for part in text.split(","):
        first, last = (whole_number(end) for end in (part.partition(":")[0], part.rpartition(":")[2]))
        if first is not None and last is not None:
            found += range(first, min(last, first + _MOST_UIDS) + 1)
    return found[:_MOST_UIDS]


def settled(seen: tuple[str, ...]) -> list[str]:
    """Flags without \\Recent, which only the first session gets."""
    return sorted(flag for flag in seen if flag != "\\Recent")
