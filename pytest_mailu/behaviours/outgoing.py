"""Messages on their way to another server, also those that wait in the queue: what behaviours about them share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pytest_mailu.core.endpoints import SUBMISSIONS_465
from pytest_mailu.core.model import Observation, Outcome, Reply
from pytest_mailu.core.population import MX_HOST, User
from pytest_mailu.probe.messages import Message
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.waiting import ARRIVAL_SECONDS, eventually
from pytest_mailu.wire.transport.errors import CannotAsk

VERIFIED_SECONDS = 3.0
"""How long the log may take to say how a certificate was found."""
DECIDED_SECONDS = 6.0
"""How long Postfix may take to deliver a message or put it off; while it still tries, it is waited for longer."""


async def sent_to(probe: Probe, address: str, writer: User, *, seconds: float = DECIDED_SECONDS) -> Observation:
    """What becomes of a message of a user, once Postfix has delivered it, put it off or given it back.

    Nothing stays in the queue: it would arrive later, among the messages of other behaviours.
    """
    message = probe.mail.compose(to=address, sender=writer.address)
    reply = await probe.mail.submit(message, SUBMISSIONS_465, writer)

    async def decided() -> bool:
        entry = await probe.mail.queue_entry(message, reply)
        return entry is None or entry["queue_name"] == "deferred"

    try:
        await eventually(decided, seconds)
        return await probe.mail.at_world(message, reply, wait=0.5)
    finally:
        if entry := await probe.mail.queue_entry(message, reply):
            await probe.services.exec("smtp", "postsuper", "-d", entry["queue_id"])


async def put_off(probe: Probe, message: Message, reply: Reply, *, seconds: float = ARRIVAL_SECONDS) -> tuple[str, str]:
    """Wait until a message is deferred: the reason that the queue holds, and its queue id.

    Both are empty where it is not: it left the queue, or was still being tried after `seconds`.
    """
    reason = number = ""
    missing = 0

    async def look() -> bool:
        nonlocal reason, number, missing
        entry = await probe.mail.queue_entry(message, reply)
        # On its way from one queue to the next, one look may miss it.
        missing = 0 if entry is not None else missing + 1
        if entry is not None and entry["queue_name"] == "deferred":
            reason = entry["recipients"][0].get("delay_reason", "")
            number = entry["queue_id"]
        return bool(reason) or missing > 1

    await eventually(look, seconds)
    return reason, number


async def with_verification(probe: Probe, seen: Observation, host: str) -> Observation:
    """The observation of a delivery with the fact whether Postfix verified the certificate of `host`.

    Its log says so (TLS_README, smtp_tls_loglevel = 1, which Mailu sets).
    """
    if seen.outcome is not Outcome.DELIVERED:
        return seen
    words = ("Verified TLS connection established", f" {host}[")
    verified = await probe.evidence.logged("smtp", *words, seconds=VERIFIED_SECONDS)
    return probe.with_facts(seen, verified=verified)


async def exchangers_address(probe: Probe) -> str:
    """The address of the world's mail exchanger."""
    for record in await probe.world.records():
        if (record.name, record.type) == (MX_HOST, "A"):
            return record.value
    raise CannotAsk("the world's own mail server has no address")


@asynccontextmanager
async def dns_ruled(probe: Probe, name: str, type: str = "", **how: Any) -> AsyncIterator[int]:
    """Other answers of the world's DNS (see `World.dns_rule`) while the block runs; yields the rule's number."""
    number = await probe.world.dns_rule(name, type, **how)
    try:
        yield number
    finally:
        await probe.world.dns_unrule(number)
