"""What goes on across an upgrade in place: filters, the queue, mail accepted at the last moment, learned spam."""

from __future__ import annotations

import re

from pytest_mailu.behaviours.better import FUNCTION
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.upgrade_mail import digest
from pytest_mailu.core.endpoints import SUBMISSIONS_465
from pytest_mailu.core.model import Direction, Observation, Outcome, Severity, Stage
from pytest_mailu.core.population import ELSEWHERE, own_mailbox
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.waiting import ARRIVAL_SECONDS, eventually
from pytest_mailu.wire.transport.errors import CannotAsk

FILTERED = own_mailbox("lived-in-filter")
WRITER = own_mailbox("lived-in-writer")
RECEIVER = own_mailbox("lived-in-receiver")
SCRIPT = """require ["fileinto", "mailbox"];
if header :contains "Subject" "sorted" { fileinto :create "Sorted"; stop; }
""".replace("\n", "\r\n")
OTHER = 'require ["vacation"];\r\nvacation :days 7 "I am at the sea.";\r\n'
LAST_MOMENT = 30
"""Messages that arrive while the old release is being stopped."""
QUEUED = "queued"
ACCEPTED = "accepted"


async def _filters(probe: Probe) -> None:
    async with probe.filters(FILTERED) as sieve:
        await sieve.putscript("holiday", OTHER)
        await sieve.putscript("sorting", SCRIPT)
        await sieve.setactive("sorting")


@behaviour(
    "upgrade/sieve/scripts",
    better={**FUNCTION, "scripts*": Direction.FIXED},
    severity=Severity.CRITICAL,
    in_place=True,
    live=_filters,
)
async def scripts(probe: Probe) -> Observation:
    """Filters of a user (Sieve scripts), and which of them is active

    Mail is no longer sorted, or automatic replies that were switched off are sent.

    RFC 5804 section 2.7
    """
    async with probe.filters(FILTERED) as sieve:
        active = await sieve.listscripts()
        found = {
            name: {"active": is_on, "text": digest([await sieve.getscript(name)])} for name, is_on in active.items()
        }
    return probe.seen(Outcome.ACCEPTED if found else Outcome.LOST, Stage.COMMAND, scripts=found)


@behaviour("upgrade/sieve/effect", wanted=Outcome.DELIVERED, severity=Severity.CRITICAL, in_place=True, live=_filters)
async def effect(probe: Probe) -> Observation:
    """Filter of a user from before the upgrade sorts a message

    Mail is no longer sorted, although the filter is there.

    RFC 5228 section 4.1
    """
    message = probe.mail.compose(to=FILTERED.address, subject="sorted")
    seen = await probe.mail.in_mailbox(message, FILTERED, await probe.mail.deliver(message))
    if seen.outcome is not Outcome.DELIVERED:
        return seen
    outcome = Outcome.DELIVERED if seen.facts["folder"] == "Sorted" else Outcome.ALTERED
    return probe.seen(outcome, Stage.DELIVERY, folder=seen.facts["folder"])


async def _queue(probe: Probe) -> None:
    """A message that the next server defers, so that it is in the queue when the old release is stopped."""
    message = probe.mail.compose(to=f"rcpt-451-{probe.unique_word()}@{ELSEWHERE}", sender=WRITER.address)
    reply = await probe.mail.submit(message, SUBMISSIONS_465, WRITER)

    async def waits() -> bool:
        entry = await probe.mail.queue_entry(message, reply)
        return entry is not None and entry["queue_name"] == "deferred"

    if not await eventually(waits):
        raise CannotAsk("the message did not come to wait in the queue of the old release")
    probe.memory[QUEUED] = f"{message.token} {message.recipients[0]}"


@behaviour(
    "upgrade/queue/waiting",
    wanted=Outcome.DELIVERED,
    severity=Severity.CRITICAL,
    in_place=True,
    once=True,
    volatile=("seconds",),  # before the upgrade nothing is waited for
    parting=_queue,
    timeout=120.0,
)
async def waiting(probe: Probe) -> Observation:
    """Message that waits in the queue when the old release is stopped arrives afterwards, once

    Mail that the server has accepted is lost, or arrives twice.

    RFC 5321 section 4.2.5: who accepts a message is responsible for it
    """
    if not probe.stack.upgraded:
        # It is sent at the last moment; that it waits then is seen there.
        return probe.seen(Outcome.DELIVERED, Stage.DELIVERY)
    token, _, recipient = probe.memory.get(QUEUED, "").partition(" ")
    if not token:
        raise CannotAsk("no message was waiting in the queue of the old release")
    # The address orders a refusal; this rule goes before it.
    rule = await probe.world.script("rcpt", recipient=recipient, code=0)
    try:
        await probe.services.exec("smtp", "postqueue", "-f")
        arrived = await probe.world.arrivals(token=token, wait=ARRIVAL_SECONDS)
        twice = await probe.world.arrivals(token=token, count=2, wait=1.0) if arrived else []
    finally:
        await probe.world.unscript(rule)
    outcome = Outcome.LOST if not arrived else Outcome.ALTERED if len(twice) > 1 else Outcome.DELIVERED
    return probe.seen(outcome, Stage.DELIVERY)


async def _last_moment(probe: Probe) -> None:
    """Messages that the old release accepts a moment before it is stopped."""
    tokens = []
    for _ in range(LAST_MOMENT):
        message = probe.mail.compose(to=RECEIVER.address)
        await probe.mail.deliver(message)
        tokens.append(message.message_id)
    probe.memory[ACCEPTED] = " ".join(tokens)

    async def none_under_way() -> bool:
        # A server that is stopped in the midst of a delivery may deliver again (RFC 5321 section 6.1): no loss.
        listed = await probe.services.exec("smtp", "postqueue", "-j")
        return RECEIVER.address not in listed.output

    await eventually(none_under_way, 40.0)


@behaviour(
    "upgrade/queue/accepted-last",
    wanted=Outcome.DELIVERED,
    severity=Severity.CRITICAL,
    in_place=True,
    once=True,
    volatile=("seconds",),
    parting=_last_moment,
    timeout=180.0,
)
async def accepted_last(probe: Probe) -> Observation:
    """Messages accepted a moment before the old release is stopped are in the mailbox afterwards, each once

    Mail that the server has accepted is lost, or is there twice.

    RFC 5321 section 4.2.5: who accepts a message is responsible for it
    """
    if not probe.stack.upgraded:
        return probe.seen(Outcome.DELIVERED, Stage.DELIVERY)
    wanted = probe.memory.get(ACCEPTED, "").split()
    if not wanted:
        raise CannotAsk("no message was accepted at the last moment")
    await probe.services.exec("smtp", "postqueue", "-f")
    copies: dict[str, int] = {}

    async def all_there() -> bool:
        async with probe.mailbox(RECEIVER) as mailbox:
            heads = []
            for folder in ("INBOX", "Junk"):
                await mailbox.select(folder, read_only=True)
                fetched = await mailbox.fetch("1:*", "(UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
                heads += [part for each in fetched.values() for part in each.values() if isinstance(part, bytes)]
        copies.update({id_: sum(id_.encode() in head for head in heads) for id_ in wanted})
        return all(copies.values())

    await eventually(all_there, 60.0)
    lost, doubled = (sum(number == 0 for number in copies.values()), sum(number > 1 for number in copies.values()))
    outcome = Outcome.LOST if lost else Outcome.ALTERED if doubled else Outcome.DELIVERED
    if outcome is Outcome.DELIVERED:
        return probe.seen(outcome, Stage.DELIVERY)
    return probe.seen(outcome, Stage.DELIVERY, accepted=len(wanted), lost=lost, doubled=doubled)


async def _learn(probe: Probe) -> None:
    text = f"Subject: cheap watches\r\n\r\n{'Buy cheap watches now. ' * 40}{probe.unique_word()}\r\n"
    await probe.services.exec("antispam", "sh", "-c", 'printf %s "$1" | rspamc learn_spam', "sh", text)


@behaviour(
    "upgrade/spam/learned",
    better={"learned": Direction.MORE},
    severity=Severity.MAJOR,
    in_place=True,
    live=_learn,
    timeout=120.0,
)
async def learned(probe: Probe) -> Observation:
    """Spam that the filter has learned from

    Years of moving mail to Junk are forgotten: more spam comes through.

    core/rspamd/conf/statistic.conf (Bayes, kept in Redis), 1.9 to master
    """
    ran = await probe.services.exec("antispam", "rspamc", "stat")
    numbers = [int(number) for number in re.findall(r"Total learns: ([0-9]{1,12})", ran.output)]
    if not numbers:
        return probe.seen(Outcome.NOT_OFFERED, Stage.COMMAND)
    return probe.seen(Outcome.ACCEPTED, Stage.COMMAND, learned=numbers[0])
