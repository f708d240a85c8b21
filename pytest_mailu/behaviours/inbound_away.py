"""Automatic replies of an absent user: to people once, and never to machines (RFC 3834, RFC 5230)."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.core.endpoints import SMTP_25_OPPORTUNISTIC
from pytest_mailu.core.model import Direction, Observation, Outcome, Reply, Severity, Stage
from pytest_mailu.core.population import AWAY, AWAY_ONCE, ELSEWHERE, User
from pytest_mailu.probe.messages import Message
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.waiting import ARRIVAL_SECONDS
from pytest_mailu.wire.transport.errors import NotServed


@dataclass(frozen=True, slots=True)
class Machine:
    """A sender: its local part (`{word}` makes it unique), headers, and whether the envelope sender is empty."""

    name: str = "stranger-{word}"
    headers: Mapping[str, str] = field(default_factory=dict)
    null: bool = False


MACHINES = MappingProxyType(
    {
        "noreply": Machine("noreply-{word}"),
        "no-reply": Machine("no-reply-{word}"),
        "bounce": Machine(null=True),
        "list": Machine(headers={"List-Id": f"<talk.{ELSEWHERE}>", "List-Unsubscribe": f"<mailto:off@{ELSEWHERE}>"}),
        "auto-generated": Machine(headers={"Auto-Submitted": "auto-generated"}),
        "auto-replied": Machine(headers={"Auto-Submitted": "auto-replied"}),
    }
)


@behaviour(
    "inbound/away/reply",
    endpoint=SMTP_25_OPPORTUNISTIC,
    wanted=Outcome.DELIVERED,
    better={"answers": Direction.TRUE},
    severity=Severity.MAJOR,
    timeout=60.0,
)
async def reply(probe: Probe) -> Observation:
    """Automatic reply of an absent user to a person

    People who write to an absent user are not told.

    RFC 5230; Mailu core/admin/mailu/internal/templates/default.sieve (vacation)
    """
    sent, author = await _write(probe, Machine())
    found = await probe.world.arrivals(recipient=author, wait=ARRIVAL_SECONDS)
    if not found:
        return probe.seen(Outcome.LOST, Stage.DELIVERY)
    answer = found[0]
    message = email.message_from_bytes(answer.content or b"", policy=email.policy.default)
    facts = {
        "sender": answer.sender,
        "from": str(message["From"]),
        "to": str(message["To"]),
        "subject": str(message["Subject"]),
        "auto_submitted": str(message["Auto-Submitted"] or ""),
        "answers": message["In-Reply-To"] == sent.message_id,
        "text": message.get_content().strip() if message.get_content_type() == "text/plain" else "",
    }
    return probe.seen(Outcome.DELIVERED, Stage.DELIVERY, **facts)


@behaviour(
    "inbound/away/once",
    endpoint=SMTP_25_OPPORTUNISTIC,
    wanted=Outcome.NOT_OFFERED,
    deep=True,
    severity=Severity.MAJOR,
    timeout=60.0,
)
async def once(probe: Probe) -> Observation:
    """No second automatic reply to the same person

    Two absent users answer each other for ever.

    RFC 5230 section 4.2 (:days)
    """
    sender = f"stranger-{probe.unique_word()}@{ELSEWHERE}"
    for _ in range(2):
        message = probe.mail.compose(to=AWAY_ONCE.address, sender=sender)
        await probe.mail.deliver(message)
        if not await probe.world.arrivals(recipient=sender, wait=ARRIVAL_SECONDS):
            return probe.seen(Outcome.LOST, Stage.DELIVERY)
    await _control(probe, message, AWAY_ONCE)
    answers = await probe.world.arrivals(recipient=sender, wait=0)
    return probe.seen(Outcome.DELIVERED if len(answers) > 1 else Outcome.NOT_OFFERED, Stage.DELIVERY)


@behaviour(
    "inbound/away/none-to-{machine}",
    endpoint=SMTP_25_OPPORTUNISTIC,
    deep=True,
    wanted=Outcome.NOT_OFFERED,
    severity=Severity.MINOR,
    each={"machine": MACHINES},
    timeout=60.0,
)
async def none_to(probe: Probe, machine: str) -> Observation:
    """No automatic reply to a machine ("{machine}")

    Automatic replies go to lists, shops and other machines, and can loop.

    RFC 3834 section 2; RFC 5230 section 4.6; Mailu 2024.06 default.sieve for noreply
    """
    message, author = await _write(probe, MACHINES[machine])
    await _control(probe, message)
    found = await probe.world.arrivals(recipient=author, wait=0)
    return probe.seen(Outcome.DELIVERED if found else Outcome.NOT_OFFERED, Stage.DELIVERY)


async def _write(probe: Probe, machine: Machine, to: User = AWAY) -> tuple[Message, str]:
    """Send a message to an absent user; gives the message and the address that a reply would go to."""
    author = f"{machine.name.format(word=probe.unique_word())}@{ELSEWHERE}"
    sender = "" if machine.null else author
    message = probe.mail.compose(to=to.address, sender=sender, header_from=author, headers=machine.headers)
    await probe.mail.deliver(message)
    return message, author


async def _control(probe: Probe, message: Message, user: User = AWAY) -> None:
    """Wait for the reply to a later message of a person: a reply to the first message would have arrived by then.

    Raises NotServed (lost) where none comes: that nobody gets a reply says nothing of machines.
    """
    async with probe.mailbox(user) as mailbox:
        await mailbox.wait_for_message(message.message_id, ARRIVAL_SECONDS)
    _, author = await _write(probe, Machine(), user)
    if not await probe.world.arrivals(recipient=author, wait=ARRIVAL_SECONDS):
        raise NotServed(Outcome.LOST, Stage.DELIVERY, Reply(text="a person got no automatic reply either"))
