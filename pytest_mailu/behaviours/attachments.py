"""Search in attachments: the full-text index has their text, which another service (Apache Tika) reads for it.

Dovecot sends it attachments while it makes its index, and waits (fts_tika in core/dovecot/conf/dovecot.conf, since
2024.06).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pytest_mailu.behaviours.declaration import EVERYTHING, behaviour
from pytest_mailu.behaviours.mailbox_search import nonsense
from pytest_mailu.behaviours.scanners_messages import Attachment
from pytest_mailu.core.endpoints import IMAPS_993
from pytest_mailu.core.model import Observation, Outcome, Severity, Stage
from pytest_mailu.core.optional_services import TIKA
from pytest_mailu.core.population import own_mailbox
from pytest_mailu.probe import documents
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.waiting import eventually

FINDER = own_mailbox("attachment-finder")
NEEDED = EVERYTHING | {TIKA}
PATIENCE = 40.0
"""How long Dovecot may take to index a new message: a search waits for that up to 50 seconds (fts_index_timeout)."""

KINDS: Mapping[str, Callable[[str], Attachment]] = {
    "pdf": lambda word: Attachment("paper.pdf", documents.pdf(f"Where is the {word} of the house")),
    "docx": lambda word: Attachment("letter.docx", documents.word(f"Where is the {word} of the house")),
}


@behaviour(
    "attachments/search/{kind}",
    endpoint=IMAPS_993,
    needs=NEEDED,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    each={"kind": KINDS},
    timeout=120.0,
)
async def found(probe: Probe, kind: str) -> Observation:
    """New message is found by a word of its attachment ({kind})

    Users do not find messages by what is in their attachments.

    Mailu docs, "Configuration reference" (FULL_TEXT_SEARCH_ATTACHMENTS), since 2024.06; Dovecot, "fts_tika"
    """
    word = nonsense(probe)
    message = KINDS[kind](word).to(probe.mail.compose(to=FINDER.address, signed=False)).signed()
    seen = await probe.mail.in_mailbox(message, FINDER, await probe.mail.deliver(message))
    if seen.outcome is not Outcome.DELIVERED:
        return seen
    count = 0
    async with probe.imap(IMAPS_993, timeout=PATIENCE + 15.0) as imap:
        await imap.login(FINDER.address, FINDER.password)
        await imap.select()

        async def look() -> bool:
            nonlocal count
            count = len(await imap.search(f"TEXT {word}"))
            return count > 0

        await eventually(look, PATIENCE)
    return probe.seen(Outcome.ACCEPTED if count == 1 else Outcome.LOST, Stage.COMMAND, found=count)


@behaviour(
    "attachments/down/{what}",
    endpoint=IMAPS_993,
    needs=NEEDED,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    each={"what": ("delivery", "search")},
    alone=True,
    deep=True,
    timeout=180.0,
)
async def without(probe: Probe, what: str) -> Observation:
    """Messages with attachments arrive and are found by their subject while Tika, which reads them, is down ({what})

    A service for search keeps users from their mail.

    Mailu setup/flavors/compose/docker-compose.yml (fts_attachments), since 2024.06; Dovecot, "fts_tika"
    """

    async def ask(own: Probe) -> tuple[Observation, int]:
        word = nonsense(own)
        composed = own.mail.compose(to=FINDER.address, subject=word, signed=False)
        message = KINDS["docx"](word).to(composed).signed()
        async with own.services.stopped(TIKA):
            seen = await own.mail.in_mailbox(message, FINDER, await own.mail.deliver(message))
            if seen.outcome is not Outcome.DELIVERED:
                return seen, 0
            async with own.imap(IMAPS_993, timeout=PATIENCE + 15.0) as imap:
                await imap.login(FINDER.address, FINDER.password)
                await imap.select()
                return seen, len(await imap.search(f"SUBJECT {word}"))

    seen, count = await probe.shared(("search without tika",), ask, seconds=150.0)
    if what == "delivery":
        return seen if seen.outcome is not Outcome.DELIVERED else probe.seen(Outcome.ACCEPTED, Stage.DELIVERY)
    return probe.seen(Outcome.ACCEPTED if count == 1 else Outcome.LOST, Stage.COMMAND, found=count)
