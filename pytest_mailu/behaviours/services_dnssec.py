"""What `admin` does at its start when the resolver does not validate DNSSEC."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.outgoing import dns_ruled
from pytest_mailu.core.model import Direction, Observation, Outcome, Reply, Severity, Stage
from pytest_mailu.core.transcript import log_events
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.waiting import eventually
from pytest_mailu.stack.world.zones import PUBLIC_NAMES

SECONDS = 90.0
"""How long `admin` may take to come back; it asks every five seconds."""
SAID_SECONDS = 30.0


@behaviour(
    "services/admin/waits-for-dnssec",
    wanted=Outcome.ACCEPTED,
    better={"says_why": Direction.TRUE},
    severity=Severity.MAJOR,
    alone=True,
    deep=True,
    timeout=300.0,
)
async def waits_for_dnssec(probe: Probe) -> Observation:
    """Service admin starts once the resolver validates DNSSEC, and its log says what it waits for until then

    After a reboot, the web site and all logins are down, and nobody knows why.

    Mailu core/admin/start.py (test_DNS); docs, FAQ ("The admin container won't start"); Mailu #2135, #2239
    """

    async with dns_ruled(probe, PUBLIC_NAMES[0], signed=False) as rule:
        starting = asyncio.create_task(probe.services.start_again("admin", kill=False, seconds=SECONDS))

        async def said_or_started() -> bool:
            return starting.done() or bool(await probe.evidence.lines("admin", "DNSSEC validation"))

        try:
            await eventually(said_or_started, SAID_SECONDS)
            waited = not starting.done()
        finally:
            await probe.world.dns_unrule(rule)
            failure = await starting
    if failure is not None:
        seen = probe.seen(Outcome.UNANSWERED, Stage.COMMAND, Reply(text=failure.cause), waited=waited)
        return replace(seen, transcript=log_events(failure.details))
    said = bool(await probe.evidence.lines("admin", "DNSSEC validation"))
    return probe.seen(Outcome.ACCEPTED, Stage.COMMAND, waited=waited, says_why=said or not waited)
