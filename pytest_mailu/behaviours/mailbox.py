"""Folders over IMAP: what a new mailbox has, and what users do with them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.helpers import stored_message, temporary_folder
from pytest_mailu.behaviours.needs import MAILBOX
from pytest_mailu.core.endpoints import IMAPS_993
from pytest_mailu.core.model import Direction, Observation, Outcome, Severity, Stage
from pytest_mailu.core.population import FULL, own_mailbox
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.questions import Answers, in_one_session
from pytest_mailu.probe.shared import shared
from pytest_mailu.wire.imap.reply import ImapReply
from pytest_mailu.wire.imap.session import Folder, ImapSession

UNTOUCHED = own_mailbox("untouched")
ARRANGER = own_mailbox("folder-arranger")
COUNTED = own_mailbox("quota-counted")
"""The first keeps the folders of a new mailbox; only one behaviour uses the quota of the last."""

SPECIAL = frozenset({"\\Drafts", "\\Junk", "\\Sent", "\\Trash"})
KINDS = {
    "plain": (own_mailbox("folders-plain"), "probe {0}", "renamed {0}"),
    "nested": (own_mailbox("folders-nested"), "probe {0}/below/deeper", "probe {0}/renamed"),
    "non-ascii": (own_mailbox("folders-non-ascii"), "Prüfung & Größe {0}", "Проверка {0} 統計"),
}
"""Mailbox, name before and name after; `/` stands for the server's hierarchy separator. Each kind has a mailbox of
its own: Dovecot can fail where two sessions create folders in one mailbox."""
REFUSALS = {
    "create-existing": "CREATE {0}",
    "select-missing": "SELECT no-such-folder",
    "append-to-missing": "APPEND no-such-folder ",
    "rename-to-existing": "RENAME {0} INBOX",
    "delete-inbox": "DELETE INBOX",
    "delete-missing": "DELETE no-such-folder",
}
"""`{0}` is a folder that exists."""


def special_uses(folders: list[Folder]) -> dict[str, list[str]]:
    """The special uses (RFC 6154) of each folder by its name. Other attributes depend on the moment."""
    return {folder.name: [attribute for attribute in folder.attributes if attribute in SPECIAL] for folder in folders}


@behaviour(
    "mailbox/993/folders",
    needs=MAILBOX,
    endpoint=IMAPS_993,
    wanted=Outcome.ACCEPTED,
    better={"folders.*": Direction.KEPT, "subscribed": Direction.KEPT},
    severity=Severity.MAJOR,
)
async def folders(probe: Probe) -> Observation:
    """Folders of a new mailbox, their special uses and subscriptions

    Programs do not find Sent, Drafts, Junk and Trash, and create folders of their own.

    RFC 6154; Mailu core/dovecot/conf/dovecot.conf (namespace inbox)
    """
    async with probe.imap(IMAPS_993) as imap:
        await imap.login(UNTOUCHED.address, UNTOUCHED.password)
        found = special_uses(await imap.folders())
        asked = special_uses(await imap.folders(special_use=True))
        subscribed = [folder.name for folder in await imap.subscribed()]
    uses = {use for attributes in found.values() for use in attributes}
    outcome = Outcome.ACCEPTED if uses >= SPECIAL else Outcome.NOT_OFFERED
    return probe.seen(outcome, Stage.COMMAND, folders=found, told_when_asked=asked == found, subscribed=subscribed)


@behaviour(
    "mailbox/993/create-rename-delete/{kind}",
    needs=MAILBOX,
    endpoint=IMAPS_993,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    each={"kind": KINDS},
)
async def create_rename_delete(probe: Probe, kind: str) -> Observation:
    """Create, subscribe, rename and delete a folder (name: {kind})

    Users cannot manage their folders.

    RFC 9051 sections 6.3.4 to 6.3.8; RFC 3501 section 5.1.3 for names outside ASCII
    """
    word = probe.unique_word()
    user, *patterns = KINDS[kind]
    async with probe.imap(IMAPS_993) as imap:
        await imap.login(user.address, user.password)
        level = (await imap.folders("INBOX"))[0].delimiter or "."
        name, to = (pattern.format(word).replace("/", level) for pattern in patterns)

        async def there() -> list[str]:
            return [folder.name for folder in await imap.folders(f"*{word}*") if folder.name in (name, to)]

        await imap.create(name)
        await imap.subscribe(name)
        subscribed = name in [folder.name for folder in await imap.subscribed(f"*{word}*")]
        steps = [await there()]
        await imap.append(name, stored_message())
        await imap.rename(name, to)
        steps.append(await there())
        kept = (await imap.status(to, "MESSAGES"))["MESSAGES"]
        await imap.unsubscribe(name)
        await imap.delete(to)
        steps.append(await there())
        if kind == "nested":
            for parent in (f"probe {word}{level}below", f"probe {word}"):
                await imap.command(f'DELETE "{parent}"')
    right = steps == [[name], [to], []] and subscribed and kept == 1
    facts: dict[str, Any] = {
        "steps": [len(step) for step in steps],
        "subscribed": subscribed,
        "messages_kept": kept,
        "level": level,
    }
    return probe.seen(Outcome.ACCEPTED if right else Outcome.LOST, Stage.COMMAND, **facts)


@behaviour(
    "mailbox/993/refuses-{what}",
    needs=MAILBOX,
    endpoint=IMAPS_993,
    wanted=Outcome.REFUSED,
    severity=Severity.MINOR,
    each={"what": REFUSALS},
)
async def refuses(probe: Probe, what: str) -> Observation:
    """Impossible folder command is refused with a reason: {what}

    Programs take a failure for success, or cannot tell users what is wrong.

    RFC 9051 sections 6.3.4 to 6.3.12; RFC 5530 for the response codes
    """
    reply = (await _impossible(probe))[what]
    return probe.seen(Outcome.ACCEPTED if reply.ok else Outcome.REFUSED, Stage.COMMAND, reply.reply)


@shared
async def _impossible(probe: Probe) -> Answers[ImapReply]:
    """The replies to all the impossible commands."""

    def reply(command: str) -> Callable[[tuple[ImapSession, str]], Awaitable[ImapReply]]:
        async def answer(session: tuple[ImapSession, str]) -> ImapReply:
            imap, name = session
            return await imap.command(command.format(name), *([stored_message()] if command.endswith(" ") else []))

        return answer

    questions = {what: reply(command) for what, command in REFUSALS.items()}
    return await in_one_session(lambda: temporary_folder(probe, ARRANGER), questions)


@behaviour(
    "mailbox/993/quota",
    needs=MAILBOX,
    endpoint=IMAPS_993,
    wanted=Outcome.ACCEPTED,
    better={"counts": Direction.TRUE},
    severity=Severity.MINOR,
)
async def quota(probe: Probe) -> Observation:
    """IMAP QUOTA shows the limit and counts what is stored

    Users do not see how full their mailbox is.

    RFC 9208; Mailu core/dovecot/conf/dovecot.conf (quota = count)
    """
    large = stored_message(body="x" * 70 + "\r\n" + ("y" * 70 + "\r\n") * 3000)
    async with temporary_folder(probe, COUNTED) as (imap, name):
        before = await imap.quota()
        await imap.append(name, large)
        after = await imap.quota()
    limits = {root: {kind: pair[1] for kind, pair in kinds.items()} for root, kinds in after.items()}
    grown = any(
        after[root].get("STORAGE", (0, 0))[0] > kinds.get("STORAGE", (0, 0))[0] for root, kinds in before.items()
    )
    return probe.seen(Outcome.ACCEPTED if grown else Outcome.NOT_OFFERED, Stage.COMMAND, limits=limits, counts=grown)


@behaviour(
    "mailbox/993/append-over-quota", needs=MAILBOX, endpoint=IMAPS_993, wanted=Outcome.REFUSED, severity=Severity.MAJOR
)
async def append_over_quota(probe: Probe) -> Observation:
    """Message that exceeds the quota is refused

    The quota has no effect, or programs do not learn that the mailbox is full.

    RFC 9208 section 4.2 (OVERQUOTA)
    """
    async with probe.imap(IMAPS_993) as imap:
        await imap.login(FULL.address, FULL.password)
        reply = await imap.command("APPEND Drafts ", stored_message(body="z" * 70 + "\r\n" + ("z" * 70 + "\r\n") * 100))
    return probe.seen(Outcome.ACCEPTED if reply.ok else Outcome.REFUSED, Stage.COMMAND, reply.reply)
