"""Messages without a relay host: which server is found, and what happens when it does not accept a message."""

from __future__ import annotations

from pytest_mailu.behaviours.better import BOUNCES, GOES_OUT
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.outgoing import exchangers_address, put_off
from pytest_mailu.core.endpoints import SUBMISSIONS_465
from pytest_mailu.core.model import Observation, Outcome, Reply, Severity, Stage
from pytest_mailu.core.population import ELSEWHERE, MX_HOST, own_mailbox
from pytest_mailu.probe.dsn import dsn_facts
from pytest_mailu.probe.messages import Message
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.waiting import ARRIVAL_SECONDS
from pytest_mailu.stack.world.zones import DnsRecord

WRITER = own_mailbox("next-hop-writer")
STAGES = ("mail", "rcpt", "data")


@behaviour(
    "relay/next-hop/not-now-at-{stage}",
    wanted=Outcome.DELIVERED,
    deep={"stage": ("mail", "data")},
    better=GOES_OUT,
    severity=Severity.CRITICAL,
    each={"stage": STAGES},
    timeout=60.0,
)
async def not_now(probe: Probe, stage: str) -> Observation:
    """Message that the next server defers once at {stage} stays in the queue and arrives later

    Mail to busy or greylisting servers is lost or returned at once.

    RFC 5321 section 4.5.4.1; RFC 6647
    """
    word = probe.unique_word()
    message = probe.mail.compose(to=f"someone+{word}@{ELSEWHERE}", sender=WRITER.address.replace("@", f"+{word}@"))
    rule = await probe.world.script(stage, sender=message.sender, code=451, enhanced="4.7.1", text="not now", times=1)
    try:
        reply = await probe.mail.submit(message, SUBMISSIONS_465, WRITER)
        reason = await _put_off(probe, message, reply)
        seen = await probe.mail.at_world(message, reply, wait=ARRIVAL_SECONDS)
    finally:
        await probe.world.unscript(rule)
    return probe.with_facts(seen, put_off=reason)


async def _put_off(probe: Probe, message: Message, reply: Reply) -> str:
    """Wait until the message is deferred, have Postfix try again, and give the reason that the queue held."""
    reason, number = await put_off(probe, message, reply)
    if number:
        # Otherwise it was tried again, returned or lost already: the result will show.
        await probe.services.exec("smtp", "postqueue", "-i", number)
    return reason


@behaviour(
    "relay/next-hop/never-at-{stage}",
    deep={"stage": ("mail", "data")},
    better=BOUNCES,
    severity=Severity.MAJOR,
    each={"stage": STAGES},
    timeout=60.0,
)
async def never(probe: Probe, stage: str) -> Observation:
    """Message that the next server refuses at {stage} comes back with a readable reason

    Users do not learn that a message did not arrive, or why.

    RFC 5321 section 6.1; RFC 3464; RFC 6522
    """
    word = probe.unique_word()
    message = probe.mail.compose(to=f"someone+{word}@{ELSEWHERE}", sender=WRITER.address.replace("@", f"+{word}@"))
    rule = await probe.world.script(stage, sender=message.sender, code=550, enhanced="5.7.1", text="never")
    try:
        return await _returned(probe, message)
    finally:
        await probe.world.unscript(rule)


@behaviour("relay/mx/no-such-domain", deep=True, better=BOUNCES, severity=Severity.MAJOR, timeout=60.0)
async def no_such_domain(probe: Probe) -> Observation:
    """Message of a user to a domain that does not exist: refused at once, or returned

    Users do not learn that they mistyped a domain.

    RFC 5321 section 5.1
    """
    return await _returned(probe, probe.mail.compose(to=f"someone@missing.{ELSEWHERE}", sender=WRITER.address))


@behaviour("relay/mx/null-mx", deep=True, better=BOUNCES, severity=Severity.MINOR, timeout=60.0)
async def null_mx(probe: Probe) -> Observation:
    """Message of a user to a domain that accepts no mail (null MX): refused at once, or returned

    Users wait for days for an error.

    RFC 7505
    """
    domain = f"{probe.unique_word()}.{ELSEWHERE}"
    await probe.world.records([DnsRecord(domain, "MX", "0 ."), *await _address(probe, domain)])
    return await _returned(probe, probe.mail.compose(to=f"someone@{domain}", sender=WRITER.address))


async def _returned(probe: Probe, message: Message) -> Observation:
    """DELIVERED with the bounce's facts, or what else happened to the message."""
    reply = await probe.mail.submit(message, SUBMISSIONS_465, WRITER)
    bounce = await probe.mail.notification(message, WRITER)
    if bounce is None:
        return await probe.mail.at_world(message, reply, wait=0)
    facts = dsn_facts(bounce)
    outcome = Outcome.DELIVERED if facts["well_formed"] else Outcome.ALTERED
    return probe.seen(outcome, Stage.DELIVERY, reply, bounce=facts)


@behaviour("relay/mx/by-address", wanted=Outcome.DELIVERED, deep=True, severity=Severity.MAJOR)
async def by_address(probe: Probe) -> Observation:
    """Message of a user to a domain without MX, by its address record

    Users cannot write to small domains without MX.

    RFC 5321 section 5.1 (implicit MX)
    """
    domain = f"{probe.unique_word()}.{ELSEWHERE}"
    await probe.world.records(await _address(probe, domain))
    return await _sent_to(probe, domain)


@behaviour("relay/mx/second-mx", wanted=Outcome.DELIVERED, deep=True, better=GOES_OUT, severity=Severity.MAJOR)
async def second_mx(probe: Probe) -> Observation:
    """Message of a user to a domain whose first MX is unreachable goes to the second

    Mail waits for days although another server would accept it.

    RFC 5321 section 5.1
    """
    domain = f"{probe.unique_word()}.{ELSEWHERE}"
    # An existing machine without a mail server: it refuses the connection at once.
    dead = DnsRecord(f"dead.{domain}", "A", probe.address_of("redis"))
    both = [DnsRecord(domain, "MX", f"10 dead.{domain}"), DnsRecord(domain, "MX", f"20 {MX_HOST}")]
    await probe.world.records([*both, dead])
    return await _sent_to(probe, domain)


async def _sent_to(probe: Probe, domain: str, wait: float = ARRIVAL_SECONDS) -> Observation:
    message = probe.mail.compose(to=f"someone@{domain}", sender=WRITER.address)
    return await probe.mail.at_world(message, await probe.mail.submit(message, SUBMISSIONS_465, WRITER), wait=wait)


async def _address(probe: Probe, domain: str) -> list[DnsRecord]:
    """The address record of the world's mail server, under another name."""
    return [DnsRecord(domain, "A", await exchangers_address(probe))]
