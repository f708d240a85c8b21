"""Messages from outside while one of Mailu's services is down: they must be kept, by us or by the sender, and
delivered.

Two cases differ. *Paused*: the service's name and address exist, and it does not answer (an overloaded machine).
*Gone*: the container is stopped, and its name leaves the engine's DNS (an administrator restarts one service). A sender
whose message is deferred tries again afterwards, as mail servers do (RFC 5321 section 4.5.4).
"""

from __future__ import annotations

from typing import Any

from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.sending_server import attempt, taken_in_the_end
from pytest_mailu.core.endpoints import SMTP_25_OPPORTUNISTIC
from pytest_mailu.core.model import Observation, Outcome, Reply, Severity, Stage
from pytest_mailu.core.population import User, own_mailbox
from pytest_mailu.probe.messages import Message
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.waiting import eventually

READER = own_mailbox("inbound-down-reader")
PATIENCE = 6.0
"""Seconds that a sender waits for a reply; real ones wait for minutes (RFC 5321 section 4.5.3.2)."""
PATIENCE_AFTERWARDS = 20.0
"""The same once all services are back."""
AGAIN_SECONDS = 40.0
"""For how long a sender tries again then."""
SERVICES = ("imap", "admin", "antispam")


@behaviour(
    "inbound/down/{service}-held-still",
    endpoint=SMTP_25_OPPORTUNISTIC,
    wanted=Outcome.DELIVERED,
    deep=True,
    severity=Severity.MAJOR,
    each={"service": SERVICES},
    disturbs=lambda service, **_: (service,),
    timeout=150.0,
)
async def held_still(probe: Probe, service: str) -> Observation:
    """Message from outside while the service {service} is paused

    Mail is lost or returned whenever the machine is overloaded.

    RFC 5321 sections 4.2.5 and 4.5.4; Mailu core/postfix/conf/main.cf (milter_default_action, virtual_transport)
    """
    return await without(probe, service, READER, gone=False)


@behaviour(
    "inbound/down/imap-gone",
    endpoint=SMTP_25_OPPORTUNISTIC,
    wanted=Outcome.DELIVERED,
    deep=True,
    severity=Severity.MAJOR,
    disturbs=("imap",),
    timeout=150.0,
)
async def gone(probe: Probe) -> Observation:
    """Message from outside while the container of imap is stopped and its name is gone

    Mail is lost or returned whenever a service restarts.

    RFC 5321 sections 4.2.5 and 4.5.4; Postfix: a name that is not found bounces (5.4.4)
    """
    return await without(probe, "imap", READER, gone=True)


async def without(probe: Probe, service: str, reader: User, *, gone: bool) -> Observation:
    """What becomes of a message to `reader` while a service is gone, or paused."""
    message = probe.mail.compose(to=reader.address)
    async with probe.services.stopped(service) if gone else probe.services.paused(service):
        first = await attempt(probe, message, PATIENCE)
        if first.reply is not None:
            await _settle(probe, message, first.reply)
    reply = await taken_in_the_end(probe, message, first, patience=PATIENCE_AFTERWARDS, seconds=AGAIN_SECONDS)
    facts: dict[str, Any] = {"first": first.words}
    if first.reply is None:
        facts["tried_again"] = True
    if entry := await probe.mail.queue_entry(message, reply):
        await probe.services.exec("smtp", "postqueue", "-i", entry["queue_id"])
    if await probe.world.arrivals(recipient=message.sender, wait=1.0):
        seen = await probe.mail.in_mailbox(message, reader, reply, wait=1.0)
        facts["bounced"] = True
        if seen.outcome is not Outcome.DELIVERED:
            seen = probe.seen(Outcome.REFUSED, Stage.DELIVERY, reply)
    else:
        seen = await probe.mail.in_mailbox(message, reader, reply, wait=20.0)
    return probe.with_facts(seen, **facts)


async def _settle(probe: Probe, message: Message, reply: Reply) -> None:
    """Wait until an accepted message is deferred or returned, before the service comes back."""

    async def settled() -> bool:
        entry = await probe.mail.queue_entry(message, reply)
        return entry is None or entry["queue_name"] == "deferred"

    await eventually(settled, 5.0)
