"""Many messages while every service is killed and started again: what was accepted is there exactly once."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.core.endpoints import SMTP_25_OPPORTUNISTIC
from pytest_mailu.core.model import Direction, Observation, Outcome, Reply, Severity, Stage
from pytest_mailu.core.population import User, own_mailbox
from pytest_mailu.core.releases import CORE_SERVICES
from pytest_mailu.probe.messages import Message
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.waiting import eventually
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed

READER = own_mailbox("restarts-reader")
MESSAGES = 200
SENDERS = 6
"""Connections at a time."""
PATIENCE = 15.0
"""Seconds for each reply."""
TRIES = 40
RETRY_SECONDS = 2.0
"""How many times a sender tries a message, and how long it waits before the next try."""
ARRIVE_SECONDS = 90.0
"""How long the last message may take to arrive, once all services are up."""
FLUSH_SECONDS = 5.0
"""Postfix is told again after so long to try what it put off: its own pauses are longer than `ARRIVE_SECONDS`."""
CUT_OFF = 40
"""How many copies may be the second one of a delivery that was cut off before its reply (RFC 1047). Postfix has up to
20 at a time to one destination (default_destination_concurrency_limit), and both ends are killed once."""


@dataclass(slots=True)
class Journal:
    """What became of the messages on the way in. `accepted` ones must be there exactly once.

    Of `unsure` ones the connection broke after their end: a second copy is then no fault (RFC 1047).
    """

    accepted: set[str] = field(default_factory=set)
    unsure: set[str] = field(default_factory=set)
    refused: dict[str, Reply] = field(default_factory=dict)


@behaviour(
    "inbound/restarts/{count}-messages",
    endpoint=SMTP_25_OPPORTUNISTIC,
    wanted=Outcome.DELIVERED,
    better={"missing": Direction.FEWER, "doubled": Direction.FEWER, "refused": Direction.FEWER},
    severity=Severity.CRITICAL,
    each={"count": (MESSAGES,)},
    alone=True,
    deep=True,
    timeout=420.0,
)
async def nothing_lost(probe: Probe, count: int) -> Observation:
    """Each of {count} messages that come in while every service is killed and started again is there exactly once

    Mail is lost or doubled when the machine loses power, or when services are updated.

    RFC 5321 section 6.1: whoever answers 250 is responsible; RFC 1047 for the doubled ones
    """
    journal = Journal()
    waiting = [probe.mail.compose(to=READER.address) for _ in range(count)]
    tokens = {message.message_id for message in waiting}
    senders = [asyncio.create_task(send_all(probe, waiting, journal)) for _ in range(SENDERS)]
    try:
        for service in CORE_SERVICES:
            await probe.services.start_again(service, kill=True, seconds=60.0)
        await asyncio.gather(*senders)
    finally:
        for sender in senders:
            sender.cancel()
    found = await arrived(probe, READER, journal.accepted & tokens)
    missing = sorted(journal.accepted - set(found))
    if missing and (held := await _in_queue(probe)):
        raise CannotAsk(f"{held} messages are still in the queue {ARRIVE_SECONDS:g} s after the last restart")
    doubled = sum(copies > 1 and id_ not in journal.unsure for id_, copies in found.items())
    beyond = max(0, doubled - CUT_OFF)
    facts: dict[str, Any] = {"missing": len(missing), "doubled": beyond, "refused": len(journal.refused)}
    reply = next(iter(journal.refused.values()), None)
    if missing or journal.refused:
        return probe.seen(Outcome.LOST if missing else Outcome.REFUSED, Stage.DELIVERY, reply, **facts)
    return probe.seen(Outcome.ALTERED if beyond else Outcome.DELIVERED, Stage.DELIVERY, **facts)


async def send_all(probe: Probe, waiting: list[Message], journal: Journal) -> None:
    """Send one message after the other, each until it is accepted or refused for good."""
    while waiting:
        message = waiting.pop()
        for _ in range(TRIES):
            if await _sent(probe, message, journal):
                break
            await asyncio.sleep(RETRY_SECONDS)
        else:
            raise CannotAsk(f"a message was not accepted in {TRIES} tries")


async def _sent(probe: Probe, message: Message, journal: Journal) -> bool:
    """One try; whether the message is off the sender's hands."""
    ended = False
    try:
        async with probe.smtp(SMTP_25_OPPORTUNISTIC, timeout=PATIENCE) as smtp:
            await smtp.mail(message.sender)
            await smtp.rcpt(message.recipients[0])
            ended = True
            await smtp.data(message.content)
    except NotServed as end:
        if end.outcome is Outcome.REFUSED and end.reply is not None and end.reply.code.startswith("5"):
            journal.refused[message.message_id] = end.reply
            return True
        if ended and end.outcome is Outcome.UNANSWERED:
            journal.unsure.add(message.message_id)
        return False
    except CannotAsk:
        if ended:
            journal.unsure.add(message.message_id)
        return False
    journal.accepted.add(message.message_id)
    return True


async def arrived(probe: Probe, reader: User, accepted: set[str]) -> Counter[str]:
    """How often each message is in the mailbox of `reader`, once all accepted ones are there or time is up."""
    found: Counter[str] = Counter()
    clock = asyncio.get_running_loop().time
    flushed = -FLUSH_SECONDS

    async def all_there() -> bool:
        nonlocal flushed
        if clock() >= flushed + FLUSH_SECONDS:
            await probe.services.exec("smtp", "postqueue", "-f")
            flushed = clock()
        found.clear()
        async with probe.mailbox(reader) as mailbox:
            for folder in ("INBOX", "Junk"):
                try:
                    await mailbox.select(folder, read_only=True)
                except NotServed as end:
                    if end.outcome is Outcome.UNANSWERED:
                        raise
                    continue
                for head in (await mailbox.fetch("1:*", "(UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")).values():
                    texts = (part.decode("ascii", "replace") for part in head.values() if isinstance(part, bytes))
                    found.update("".join(texts).partition(":")[2].split()[:1])
        return accepted <= set(found)

    await eventually(all_there, ARRIVE_SECONDS)
    return found


async def _in_queue(probe: Probe) -> int:
    """How many messages to the reader Postfix still holds (postqueue(1), -j: a line for each)."""
    listed = await probe.services.exec("smtp", "postqueue", "-j")
    return sum(READER.address in line for line in listed.output.splitlines())
