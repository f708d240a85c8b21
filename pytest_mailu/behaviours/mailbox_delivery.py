"""Delivered messages: exactly once, and what moving them to Junk and back teaches the filter.

Dovecot pipes what is moved into Junk or out of it to Rspamd (core/dovecot/conf/report-spam.sieve, spam.script and the
same for ham). Rspamd logs what it has learned. Its counters would grow by other mail as well.
"""

from __future__ import annotations

from collections.abc import Sequence

from pytest_mailu.behaviours.better import ARRIVES
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.helpers import temporary_folder
from pytest_mailu.core.endpoints import IMAPS_993
from pytest_mailu.core.model import Observation, Outcome, Severity, Stage
from pytest_mailu.core.population import own_mailbox
from pytest_mailu.probe.messages import Message
from pytest_mailu.probe.probe import Probe
from pytest_mailu.wire.imap.session import ImapSession

TWICE = own_mailbox("delivered-twice")
JUNKER = own_mailbox("junk-appended")
EMPTIER = own_mailbox("junk-emptied")
LEARNERS = (own_mailbox("learns-junk"), own_mailbox("learns-not-junk"))
"""Each has a Junk folder that only one behaviour uses: in Dovecot 2.3.13 (1.9.50) a MOVE out of it and an APPEND to
it wait two minutes for each other's locks."""

LEARNING_SECONDS = 40.0
"""How long a command may take in which Dovecot teaches Rspamd: it ends when `rspamc` does."""

ENOUGH_WORDS = """The harbour was quiet on that morning, and nobody spoke about the ships that had left in the night.
A letter lay upon the table beside some bread, a lamp and three green bottles from the cellar of our neighbour.
Whoever reads these lines shall know where the garden begins, how far the river runs, and why the mill stands still.
"""
"""Rspamd learns nothing from a message with fewer than eleven meaningful words (classifier-bayes, `min_tokens`)."""
LESSONS = {
    "junk": (LEARNERS[0], ("Junk",), "spam"),
    "not-junk": (LEARNERS[1], ("Junk", "INBOX"), "ham"),
}


@behaviour("mailbox/delivery/exactly-once", wanted=Outcome.DELIVERED, better=ARRIVES, severity=Severity.CRITICAL)
async def exactly_once(probe: Probe) -> Observation:
    """Message arrives exactly once

    Users receive every message twice.

    RFC 5321 section 4.5.4.1
    """
    first, chaser = probe.mail.compose(to=TWICE.address), probe.mail.compose(to=TWICE.address, subject="The chaser")
    reply = await probe.mail.deliver(first)
    seen = await probe.mail.in_mailbox(first, TWICE, reply)
    # A later message has arrived: a second copy of this one would be there by now.
    await probe.mail.in_mailbox(chaser, TWICE, await probe.mail.deliver(chaser))
    async with probe.mailbox(TWICE) as mailbox:
        copies = len(await mailbox.wait_for_message(first.message_id, 0.0))
    if copies > 1:
        return probe.seen(Outcome.ALTERED, Stage.DELIVERY, reply, copies=copies)
    return seen


@behaviour(
    "mailbox/993/teaches-{lesson}",
    endpoint=IMAPS_993,
    deep=True,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    each={"lesson": LESSONS},
    timeout=90.0,
)
async def teaches(probe: Probe, lesson: str) -> Observation:
    """Moving a message teaches the spam filter: {lesson}

    Users sort spam, and the filter learns nothing from it.

    Mailu docs, "FAQ" (how the spam filter learns); core/dovecot/conf/dovecot.conf (imapsieve_mailbox1, 2)
    """
    user, path, kind = LESSONS[lesson]
    message = probe.mail.compose(to=user.address, body=ENOUGH_WORDS)
    seen = await probe.mail.in_mailbox(message, user, await probe.mail.deliver(message))
    if seen.outcome is not Outcome.DELIVERED:
        return seen
    async with probe.imap(IMAPS_993, timeout=LEARNING_SECONDS) as imap:
        await imap.login(user.address, user.password)
        flags = await _take(imap, message, str(seen.facts["folder"]), path)
    learned = await probe.evidence.logged("antispam", f"learned message as {kind}", message.token)
    facts = {"flags": flags, "delivered_to": seen.facts["folder"]}
    return probe.seen(Outcome.ACCEPTED if learned else Outcome.LOST, Stage.DELIVERY, **facts)


@behaviour(
    "mailbox/993/append-to-junk", endpoint=IMAPS_993, wanted=Outcome.ACCEPTED, severity=Severity.MINOR, timeout=60.0
)
async def append_to_junk(probe: Probe) -> Observation:
    """Message that a program stores in Junk teaches the spam filter

    Spam that a mail program moved from another account teaches nothing.

    Mailu core/dovecot/conf/dovecot.conf (imapsieve_mailbox1_causes; APPEND since 2.0)
    """
    spam = probe.mail.compose(to=JUNKER.address, body=ENOUGH_WORDS)
    async with probe.imap(IMAPS_993, timeout=LEARNING_SECONDS) as imap:
        await imap.login(JUNKER.address, JUNKER.password)
        await imap.append("Junk", spam.content)
    learned = await probe.evidence.logged("antispam", "learned message as spam", spam.token)
    return probe.seen(Outcome.ACCEPTED if learned else Outcome.LOST, Stage.DELIVERY)


@behaviour(
    "mailbox/993/junk-to-trash",
    endpoint=IMAPS_993,
    wanted=Outcome.ACCEPTED,
    deep=True,
    severity=Severity.MINOR,
    timeout=90.0,
)
async def junk_to_trash(probe: Probe) -> Observation:
    """Moving spam from Junk to Trash does not teach the filter that it is good mail

    Users who empty Junk teach the filter that spam is welcome.

    Mailu core/dovecot/conf/report-ham.sieve
    """
    spam, chaser = (probe.mail.compose(to=EMPTIER.address, body=ENOUGH_WORDS) for _ in range(2))
    async with temporary_folder(probe, EMPTIER, timeout=LEARNING_SECONDS) as (imap, name):
        for message in (spam, chaser):
            await imap.append("Junk", message.content)
        await _take(imap, spam, "Junk", ("Trash",))
        await _take(imap, chaser, "Junk", (name,))
    # The chaser is good mail and came later: once it is learned, the other one would be too.
    read = await probe.evidence.logged("antispam", "learned message as ham", chaser.token)
    wrong = await probe.evidence.logged("antispam", "learned message as ham", spam.token, seconds=0.5)
    outcome = Outcome.ALTERED if wrong else Outcome.ACCEPTED if read else Outcome.LOST
    return probe.seen(outcome, Stage.DELIVERY, chaser_learned=read)


async def _take(imap: ImapSession, message: Message, start: str, path: Sequence[str]) -> list[str]:
    """Move a message through folders; gives its flags at the end."""
    folder = start
    for name in path:
        if name != folder:
            found = await imap.wait_for_message(message.message_id, 5.0, folders=[folder])
            await imap.select(folder)
            await imap.move(found[0].uid, name)
            folder = name
    found = await imap.wait_for_message(message.message_id, 5.0, folders=[folder])
    await imap.select()
    return [flag for flag in found[0].flags if flag != "\\Recent"]
