"""Folder names of every class: created, filled, listed, renamed and removed as they are."""

from __future__ import annotations

from typing import Any

from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.helpers import stored_message
from pytest_mailu.core.drawn import FOLDER_NAMES
from pytest_mailu.core.endpoints import IMAPS_993
from pytest_mailu.core.model import Observation, Outcome, Severity, Stage
from pytest_mailu.core.population import own_mailbox
from pytest_mailu.core.text import TEXT_LIMIT, show_line
from pytest_mailu.probe.probe import Probe
from pytest_mailu.wire.imap.session import ImapSession
from pytest_mailu.wire.transport.errors import NotServed

USERS = {kind: own_mailbox(f"folder-names-{kind}") for kind in FOLDER_NAMES}
"""Each has a mailbox to itself: Dovecot can fail where two sessions create folders in one mailbox."""
ALWAYS = ("ampersand", "quotes", "other-scripts")


@behaviour(
    "mailbox/993/folder-name/{kind}",
    endpoint=IMAPS_993,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    each={"kind": FOLDER_NAMES},
    deep={"kind": tuple(kind for kind in FOLDER_NAMES if kind not in ALWAYS)},
    # Another run draws another name.
    volatile=("facts.name",),
)
async def folder_name(probe: Probe, kind: str) -> Observation:
    """Folder whose name is of the class "{kind}"

    Users cannot create folders with such names, or do not find the mail in them.

    RFC 9051 section 5.1; RFC 3501 section 5.1.3 (modified UTF-7)
    """
    user, name = USERS[kind], probe.drawn(FOLDER_NAMES, kind)
    failed = ""
    async with probe.imap(IMAPS_993) as imap:
        await imap.login(user.address, user.password)
        await _clear(imap, name)
        try:
            await imap.create(name)
            failed = (
                "list" if show_line(name, TEXT_LIMIT) not in [folder.name for folder in await imap.folders()] else ""
            )
            await imap.append(name, stored_message())
            if (await imap.status(name, "MESSAGES"))["MESSAGES"] != 1:
                failed = "append"
            await imap.rename(name, _renamed(name))
            await imap.delete(_renamed(name))
        except NotServed as end:
            return probe.with_facts(probe.not_served(end), name=name)
    facts: dict[str, Any] = {"name": name} | ({"failed": failed} if failed else {})
    return probe.seen(Outcome.LOST if failed else Outcome.ACCEPTED, Stage.COMMAND, **facts)


def _renamed(name: str) -> str:
    return f"{name} 2"


async def _clear(imap: ImapSession, name: str) -> None:
    """Delete what an attempt left whose DELETE got no answer: it would be in the way of every later one."""
    for folder in await imap.folders():
        if folder.name in (name, _renamed(name)):
            await imap.delete(folder.name)
