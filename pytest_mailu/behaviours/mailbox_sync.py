"""Several programs on one mailbox: how they learn of changes."""

from __future__ import annotations

import re
from typing import Any

from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.helpers import response_code_name, stored_message, temporary_folder
from pytest_mailu.behaviours.needs import MAILBOX
from pytest_mailu.core.endpoints import IMAPS_993
from pytest_mailu.core.model import Direction, Observation, Outcome, Severity, Stage
from pytest_mailu.core.population import own_mailbox
from pytest_mailu.probe.probe import Probe
from pytest_mailu.wire.imap.reply import ImapReply, text_of

SYNCER = own_mailbox("syncer")
IDLER = own_mailbox("idler")


@behaviour(
    "mailbox/993/uids-stay", needs=MAILBOX, endpoint=IMAPS_993, wanted=Outcome.ACCEPTED, severity=Severity.CRITICAL
)
async def uids_stay(probe: Probe) -> Observation:
    """UIDs are the same in the next session, and new messages get higher ones

    Programs discard their copies and download all mail again.

    RFC 9051 section 2.3.1.1
    """
    async with temporary_folder(probe, SYNCER) as (imap, name):
        validity, uids = [], []
        for _ in range(2):
            await imap.append(name, stored_message())
            async with probe.imap(IMAPS_993) as session:
                await session.login(SYNCER.address, SYNCER.password)
                validity.append((await session.select(name)).get("uidvalidity"))
                uids.append(await session.search("ALL"))
    first, second = uids
    right = validity[0] is not None and validity[0] == validity[1] and second[:1] == first and second == sorted(second)
    return probe.seen(Outcome.ACCEPTED if right else Outcome.ALTERED, Stage.COMMAND)


@behaviour(
    "mailbox/993/condstore",
    needs=MAILBOX,
    endpoint=IMAPS_993,
    wanted=Outcome.ACCEPTED,
    deep=True,
    better={"counted": Direction.TRUE},
    severity=Severity.MINOR,
)
async def condstore(probe: Probe) -> Observation:
    """CONDSTORE: changes are counted, and an old view does not overwrite a newer flag

    Programs that synchronise with CONDSTORE download everything each time.

    RFC 7162 section 3.1
    """
    async with temporary_folder(probe, SYNCER) as (imap, name):
        await imap.append(name, stored_message())
        selected = await imap.do(f"SELECT {name} (CONDSTORE)")
        before = highest_modseq(selected)
        await imap.store("1:*", "+FLAGS (\\Flagged)")
        changed = await imap.fetch("1:*", "(UID MODSEQ)")
        late = await imap.command(f"UID STORE 1:* (UNCHANGEDSINCE {before or 1}) +FLAGS (\\Deleted)")
    counted = before is not None and all(message["MODSEQ"][0] > before for message in changed.values())
    facts: dict[str, Any] = {"counted": counted, "late": response_code_name(late)}
    right = counted and facts["late"] == "MODIFIED"
    return probe.seen(Outcome.ACCEPTED if right else Outcome.NOT_OFFERED, Stage.COMMAND, **facts)


@behaviour(
    "mailbox/993/qresync",
    needs=MAILBOX,
    endpoint=IMAPS_993,
    wanted=Outcome.ACCEPTED,
    deep=True,
    severity=Severity.MINOR,
)
async def qresync(probe: Probe) -> Observation:
    """QRESYNC: a program that reconnects is told what was removed

    Programs that rely on QRESYNC compare whole folders, or show removed messages.

    RFC 7162 section 3.2
    """
    async with temporary_folder(probe, SYNCER) as (imap, name):
        for _ in range(2):
            await imap.append(name, stored_message())
        await imap.enable("QRESYNC")
        selected = await imap.do(f"SELECT {name} (CONDSTORE)")
        validity = (await imap.select(name)).get("uidvalidity")
        gone = (await imap.search("ALL"))[0]
        await imap.store(gone, "+FLAGS (\\Deleted)")
        await imap.do(f"UID EXPUNGE {gone}")
        await imap.select()
        again = await imap.do(f"SELECT {name} (QRESYNC ({validity} {highest_modseq(selected) or 1}))")
    vanished = [text_of(response.line) for response in again.named("VANISHED")]
    outcome = Outcome.ACCEPTED if vanished == [f"VANISHED (EARLIER) {gone}"] else Outcome.NOT_OFFERED
    return probe.seen(outcome, Stage.COMMAND, told=len(vanished))


@behaviour(
    "mailbox/993/two-sessions",
    needs=MAILBOX,
    endpoint=IMAPS_993,
    wanted=Outcome.ACCEPTED,
    better={"told": Direction.KEPT},
    severity=Severity.MAJOR,
)
async def two_sessions(probe: Probe) -> Observation:
    """Changes in one session are told to another one with the same folder open

    Phones show messages that were read or deleted on the desktop.

    RFC 9051 section 7.4 and 7.5.1
    """
    async with temporary_folder(probe, SYNCER) as (imap, name), probe.imap(IMAPS_993) as second:
        await second.login(SYNCER.address, SYNCER.password)
        await second.select(name)
        responses = []
        for change in ("append", "flag", "remove"):
            if change == "append":
                await imap.append(name, stored_message())
                await imap.noop()
            elif change == "flag":
                await imap.store("1:*", "+FLAGS (\\Deleted)")
            else:
                await imap.expunge()
            news = await second.noop()
            responses.append(sorted({response.word for response in news.untagged} & {"EXISTS", "FETCH", "EXPUNGE"}))
    right = [("EXISTS" in responses[0]), ("FETCH" in responses[1]), ("EXPUNGE" in responses[2])] == [True] * 3
    return probe.seen(
        Outcome.ACCEPTED if right else Outcome.LOST, Stage.COMMAND, told=[" ".join(words) for words in responses]
    )


@behaviour(
    "mailbox/993/idle",
    endpoint=IMAPS_993,
    wanted=Outcome.ACCEPTED,
    better={"told_of_flag": Direction.TRUE},
    severity=Severity.MAJOR,
)
async def idle(probe: Probe) -> Observation:
    """IMAP IDLE tells of a new message and of another program's changes

    Phones show new mail late, or only when asked.

    RFC 9051 section 6.3.13
    """
    async with probe.imap(IMAPS_993) as imap:
        await imap.login(IDLER.address, IDLER.password)
        await imap.select()
        async with imap.idle() as idling:
            await probe.mail.deliver(probe.mail.compose(to=IDLER.address))
            mail = await idling.wait_for("EXISTS", seconds=12.0)
            if mail is not None:
                async with probe.mailbox(IDLER) as second:
                    await second.select()
                    await second.store("*", "+FLAGS (\\Flagged)")
                    flag = await idling.wait_for("FETCH", seconds=8.0)
    if mail is None:
        return probe.seen(Outcome.UNANSWERED, Stage.COMMAND)
    return probe.seen(Outcome.ACCEPTED if flag else Outcome.UNANSWERED, Stage.COMMAND, told_of_flag=flag is not None)


def highest_modseq(reply: ImapReply) -> int | None:
    """HIGHESTMODSEQ from the answer to SELECT (RFC 7162 section 3.1.2.1)."""
    for response in reply.named("OK"):
        if match := re.search(r"\[HIGHESTMODSEQ (\d{1,19})\]", text_of(response.line), re.IGNORECASE):
            return int(match[1])
    return None
