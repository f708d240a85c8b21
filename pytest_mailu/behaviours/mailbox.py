"""What a mail program does with a mailbox over IMAP and POP3. Each behaviour has a mailbox of its own."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pytest_mailu.behaviours.registry import behaviour
from pytest_mailu.letters import letter
from pytest_mailu.model import Observation, Outcome, Severity, Stage
from pytest_mailu.population import POOL, User
from pytest_mailu.probe import Probe
from pytest_mailu.ways import IMAPS_993, POP3S_995
from pytest_mailu.wire.imap import ImapSession

FOLDERS, SEARCHER, MOVER, IDLER, UIDLER, DELETER, TWICE, APPENDER, FLAGGER, JUNKER = POOL[:10]


@asynccontextmanager
async def _folder(probe: Probe, user: User) -> AsyncIterator[tuple[ImapSession, str]]:
    """A session with a fresh, selected folder, which is removed afterwards."""
    async with probe.imap(IMAPS_993) as imap:
        await imap.login(user.address, user.password)
        name = f"probe-{secrets.token_hex(4)}"
        await imap.create(name)
        await imap.select(name)
        yield imap, name
        await imap.select()
        await imap.delete(name)


def _message(word: str = "A question") -> bytes:
    return letter(to="reader@post.example", subject=word).content


@behaviour("mailbox/993/folders", wanted=Outcome.ACCEPTED, severity=Severity.MAJOR)
async def folders(probe: Probe) -> Observation:
    """The folders of a new mailbox, with their special uses

    Programs do not find Sent, Drafts, Junk and Trash, and make folders of their own.

    RFC 6154; Mailu core/dovecot/conf/dovecot.conf (namespace inbox)
    """
    async with probe.imap(IMAPS_993) as imap:
        await imap.login(FOLDERS.address, FOLDERS.password)
        found = {folder.name: list(folder.attributes) for folder in await imap.folders()}
    special = {attribute for attributes in found.values() for attribute in attributes}
    wanted = {"\\Sent", "\\Drafts", "\\Junk", "\\Trash"}
    return probe.seen(Outcome.ACCEPTED if wanted <= special else Outcome.NOT_OFFERED, Stage.COMMAND, folders=found)


@behaviour("mailbox/993/create-rename-delete", wanted=Outcome.ACCEPTED, severity=Severity.MAJOR)
async def create_rename_delete(probe: Probe) -> Observation:
    """A folder is created, subscribed, renamed and deleted

    People cannot arrange their mail.

    RFC 9051 sections 6.3.4 to 6.3.7
    """
    async with probe.imap(IMAPS_993) as imap:
        await imap.login(FOLDERS.address, FOLDERS.password)
        name = f"probe-{secrets.token_hex(4)}"
        codes = [(await imap.create(name)).code, (await imap.subscribe(name)).code]
        codes.append((await imap.rename(name, f"{name}-2")).code)
        there = [folder.name for folder in await imap.folders(f"{name}*")]
        codes.append((await imap.delete(f"{name}-2")).code)
    kept = there == [f"{name}-2"]
    return probe.seen(
        Outcome.ACCEPTED if kept else Outcome.LOST, Stage.COMMAND, codes=[c.split()[0] for c in codes if c]
    )


@behaviour("mailbox/993/append-fetch", wanted=Outcome.ACCEPTED, severity=Severity.CRITICAL)
async def append_fetch(probe: Probe) -> Observation:
    """A message put into a folder comes back byte for byte

    Sent mail and drafts are damaged or lost.

    RFC 9051 section 6.3.12; RFC 4315 for APPENDUID
    """
    content = _message()
    async with _folder(probe, APPENDER) as (imap, name):
        uid = await imap.append(name, content, ("\\Seen",))
        await imap.noop()
        back = await imap.fetch("1:*")
    bodies = [message["BODY[]"] for message in back.values()]
    flags = [sorted(flag for flag in map(str, message["FLAGS"]) if "Recent" not in flag) for message in back.values()]
    outcome = Outcome.ACCEPTED if bodies == [content] else Outcome.ALTERED if bodies else Outcome.LOST
    return probe.seen(outcome, Stage.COMMAND, append_uid=uid is not None, flags=flags)


@behaviour("mailbox/993/flags", wanted=Outcome.ACCEPTED, severity=Severity.MAJOR)
async def flags(probe: Probe) -> Observation:
    """Flags and keywords set on a message stay

    Read and answered mail looks new again.

    RFC 9051 section 6.4.6
    """
    async with _folder(probe, FLAGGER) as (imap, name):
        await imap.append(name, _message())
        await imap.noop()
        await imap.store("1:*", "+FLAGS (\\Answered \\Flagged $Forwarded)")
        found = [sorted(map(str, message["FLAGS"])) for message in (await imap.fetch("1:*", "(FLAGS)")).values()]
    kept = bool(found) and len([flag for flag in found[0] if "Recent" not in flag]) == 3
    return probe.seen(Outcome.ACCEPTED if kept else Outcome.LOST, Stage.COMMAND)


@behaviour("mailbox/993/search-{by}", wanted=Outcome.ACCEPTED, severity=Severity.MAJOR, each={"by": ("header", "text")})
async def search(probe: Probe, by: str) -> Observation:
    """SEARCH by {by} finds the one message it should

    People do not find their mail.

    RFC 9051 section 6.4.4; Mailu docs, "Configuration reference" (FULL_TEXT_SEARCH)
    """
    word = f"needle{secrets.token_hex(4)}"
    criteria = f"HEADER Subject {word}" if by == "header" else f"TEXT {word}"
    async with _folder(probe, SEARCHER) as (imap, name):
        await imap.append(name, _message())
        await imap.append(name, _message(f"Found {word}"))
        await imap.noop()
        found = await imap.search(criteria)
        of_all = await imap.search("ALL")
    right = found == of_all[-1:]
    return probe.seen(Outcome.ACCEPTED if right else Outcome.LOST, Stage.COMMAND, found=len(found), of=len(of_all))


@behaviour("mailbox/993/move", wanted=Outcome.ACCEPTED, severity=Severity.MAJOR)
async def move(probe: Probe) -> Observation:
    """MOVE takes a message from one folder to another

    Programs copy and delete instead, and leave doubles behind.

    RFC 6851
    """
    async with _folder(probe, MOVER) as (imap, name):
        await imap.append(name, _message())
        await imap.noop()
        there = f"{name}-there"
        await imap.create(there)
        await imap.move("1:*", there)
        left, came = len(await imap.search("ALL")), (await imap.status(there, "MESSAGES"))["MESSAGES"]
        await imap.delete(there)
    return probe.seen(Outcome.ACCEPTED if (left, came) == (0, 1) else Outcome.LOST, Stage.COMMAND, left=left, came=came)


@behaviour("mailbox/993/idle", wanted=Outcome.ACCEPTED, severity=Severity.MAJOR)
async def idle(probe: Probe) -> Observation:
    """IDLE tells of a new letter

    Phones show new mail late, or only when asked.

    RFC 9051 section 6.3.13
    """
    async with probe.imap(IMAPS_993) as imap:
        await imap.login(IDLER.address, IDLER.password)
        await imap.select()
        async with imap.idle() as idling:
            await probe.deliver(probe.letter(to=IDLER.address))
            told = await idling.wait_for("EXISTS", seconds=12.0)
    return probe.seen(Outcome.ACCEPTED if told else Outcome.UNANSWERED, Stage.COMMAND)


@behaviour("mailbox/993/quota", severity=Severity.MINOR)
async def quota(probe: Probe) -> Observation:
    """The quota that IMAP shows

    People do not see how full their mailbox is.

    RFC 9208; Mailu docs, "Web administration" (quota)
    """
    async with probe.imap(IMAPS_993) as imap:
        await imap.login(FOLDERS.address, FOLDERS.password)
        roots = await imap.quota()
    limits = {root: {name: pair[1] for name, pair in resources.items()} for root, resources in roots.items()}
    return probe.seen(Outcome.ACCEPTED, Stage.COMMAND, limits=limits)


@behaviour("mailbox/delivery/exactly-once", wanted=Outcome.DELIVERED, severity=Severity.CRITICAL)
async def exactly_once(probe: Probe) -> Observation:
    """A letter arrives once, and not twice

    Everybody gets every letter twice.

    RFC 5321 section 4.5.4.1
    """
    first, chaser = probe.letter(to=TWICE.address), probe.letter(to=TWICE.address, subject="The chaser")
    reply = await probe.deliver(first)
    seen = await probe.in_mailbox(first, TWICE, reply)
    # What came in behind it has passed everything on the way: a second copy would be there by now.
    await probe.in_mailbox(chaser, TWICE, await probe.deliver(chaser))
    async with probe.mailbox(TWICE) as mailbox:
        copies = len(await mailbox.wait_for_message(first.message_id, 0.0))
    if copies > 1:
        return probe.seen(Outcome.ALTERED, Stage.DELIVERY, reply, copies=copies)
    return seen


@behaviour("mailbox/995/uidl-stable", wanted=Outcome.ACCEPTED, severity=Severity.CRITICAL)
async def uidl_stable(probe: Probe) -> Observation:
    """POP3's unique ids are the same in the next session

    Programs that leave mail on the server fetch all of it again, every time.

    RFC 1939 section 7 (UIDL)
    """
    sent = probe.letter(to=UIDLER.address)
    await probe.in_mailbox(sent, UIDLER, await probe.deliver(sent))
    seen = []
    for _ in range(2):
        async with probe.pop3(POP3S_995) as pop3:
            await pop3.login(UIDLER.address, UIDLER.password)
            seen.append(await pop3.uidl())
    outcome = Outcome.ACCEPTED if seen[0] and seen[0] == seen[1] else Outcome.ALTERED
    return probe.seen(outcome, Stage.COMMAND)


@behaviour("mailbox/995/delete", wanted=Outcome.ACCEPTED, severity=Severity.MAJOR)
async def delete(probe: Probe) -> Observation:
    """A message deleted over POP3 is gone in the next session

    Programs that fetch and delete get the same mail again and again.

    RFC 1939 section 5 (DELE)
    """
    sent = probe.letter(to=DELETER.address)
    await probe.in_mailbox(sent, DELETER, await probe.deliver(sent))
    counts = []
    for _ in range(2):
        async with probe.pop3(POP3S_995) as pop3:
            await pop3.login(DELETER.address, DELETER.password)
            numbers = list(await pop3.list())
            counts.append(len(numbers))
            for number in numbers:
                await pop3.dele(number)
    return probe.seen(Outcome.ACCEPTED if counts[0] and not counts[1] else Outcome.LOST, Stage.COMMAND)
