"""The automatic reply of a user who is away: to people once, and never to machines (RFC 3834, RFC 5230)."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from pytest_mailu.behaviours.registry import behaviour
from pytest_mailu.letters import Letter
from pytest_mailu.model import Observation, Outcome, Severity, Stage
from pytest_mailu.population import AWAY, ELSEWHERE
from pytest_mailu.probe import ARRIVAL_SECONDS, Probe
from pytest_mailu.stack.world import Arrival


@dataclass(frozen=True, slots=True)
class Machine:
    """A sender that must get no reply: its local part (`{word}` makes it unique), and headers of its letters."""

    name: str = "stranger+{word}"
    headers: Mapping[str, str] = field(default_factory=dict)


MACHINES = MappingProxyType(
    {
        "noreply": Machine("noreply+{word}"),
        "no-reply": Machine("no-reply+{word}"),
        "mailer-daemon": Machine("mailer-daemon+{word}"),
        "list": Machine(headers={"List-Id": f"<talk.{ELSEWHERE}>", "List-Unsubscribe": f"<mailto:off@{ELSEWHERE}>"}),
        "bulk": Machine(headers={"Precedence": "bulk"}),
        "auto-generated": Machine(headers={"Auto-Submitted": "auto-generated"}),
        "auto-replied": Machine(headers={"Auto-Submitted": "auto-replied"}),
    }
)


@behaviour("inbound/away/reply", wanted=Outcome.DELIVERED, severity=Severity.MAJOR, timeout=60.0)
async def reply(probe: Probe) -> Observation:
    """The automatic reply to a person who writes

    Whoever writes to somebody on holiday waits for an answer.

    RFC 5230; Mailu core/admin/mailu/internal/templates/default.sieve (vacation)
    """
    answer, sent = await _answer(probe, Machine())
    if answer is None:
        return probe.seen(Outcome.LOST, Stage.DELIVERY)
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


@behaviour("inbound/away/once", wanted=Outcome.NOT_OFFERED, severity=Severity.MAJOR, timeout=60.0)
async def once(probe: Probe) -> Observation:
    """The second letter of a person who has had the automatic reply already: no reply

    Two users who are away write to each other for ever.

    RFC 5230 section 4.2 (:days)
    """
    first, sent = await _answer(probe, Machine())
    if first is None:
        return probe.seen(Outcome.LOST, Stage.DELIVERY)
    again = probe.letter(to=AWAY.address, sender=sent.sender)
    await probe.deliver(again)
    await _control(probe, again)
    answers = await probe.world.arrivals(recipient=sent.sender, wait=0)
    return probe.seen(Outcome.DELIVERED if len(answers) > 1 else Outcome.NOT_OFFERED, Stage.DELIVERY)


@behaviour(
    "inbound/away/none-to-{machine}",
    wanted=Outcome.NOT_OFFERED,
    severity=Severity.MINOR,
    each={"machine": MACHINES},
    timeout=60.0,
)
async def none_to(probe: Probe, machine: str) -> Observation:
    """A letter from a machine ("{machine}") to a user who is away: no reply

    Automatic replies go to lists, shops and other machines, and loop.

    RFC 3834 section 2; RFC 5230 section 4.6; Mailu 2024.06 default.sieve for noreply
    """
    answer, sent = await _answer(probe, MACHINES[machine], wait=0.0)
    if answer is None:
        await _control(probe, sent)
        found = await probe.world.arrivals(recipient=sent.sender, wait=0)
        answer = found[0] if found else None
    return probe.seen(Outcome.NOT_OFFERED if answer is None else Outcome.DELIVERED, Stage.DELIVERY)


async def _answer(probe: Probe, machine: Machine, wait: float = ARRIVAL_SECONDS) -> tuple[Arrival | None, Letter]:
    """Write to the user who is away, and wait for the answer at the world."""
    sender = f"{machine.name.format(word=probe.word())}@{ELSEWHERE}"
    sent = probe.letter(to=AWAY.address, sender=sender, headers=machine.headers)
    await probe.deliver(sent)
    if wait:
        found = await probe.world.arrivals(recipient=sender, wait=wait)
    else:
        async with probe.mailbox(AWAY) as mailbox:
            await mailbox.wait_for_message(sent.message_id, ARRIVAL_SECONDS)
        found = []
    return (found[0] if found else None), sent


async def _control(probe: Probe, sent: Letter) -> None:
    """Once a later letter of a person has had its reply, one to `sent` would be here as well."""
    async with probe.mailbox(AWAY) as mailbox:
        await mailbox.wait_for_message(sent.message_id, ARRIVAL_SECONDS)
    await _answer(probe, Machine())
