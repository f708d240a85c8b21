"""Messages to domains whose DNS is large, slow or broken for a while."""

from __future__ import annotations

from pytest_mailu.behaviours.better import GOES_OUT
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.outgoing import dns_ruled, exchangers_address, put_off, sent_to
from pytest_mailu.core.endpoints import SUBMISSIONS_465
from pytest_mailu.core.model import Direction, Observation, Outcome, Severity
from pytest_mailu.core.population import ELSEWHERE, own_mailbox
from pytest_mailu.probe.probe import Probe
from pytest_mailu.stack.world.zones import DnsRecord

WRITER = own_mailbox("odd-dns-writer")
EXCHANGERS = 12
"""With names of 200 characters each, their answer has more bytes than any resolver takes by UDP."""
LATE_SECONDS = 1.5
"""For each answer; a message needs several. The engine's resolver gives up after 4 seconds."""
PATIENCE = 40.0
BROKEN = {"mx": "", "address": "host.", "tlsa": "_25._tcp."}
"""What is broken → the name that is, before the domain."""


@behaviour("relay/dns/over-tcp", wanted=Outcome.DELIVERED, better=GOES_OUT, severity=Severity.MAJOR)
async def over_tcp(probe: Probe) -> Observation:
    """Message to a domain whose DNS answers come by TCP alone, since they are too large for UDP

    Mail to large providers waits and is returned after days ("Host found but no data record of requested type").

    RFC 7766 section 5; Mailu #2934 (musl before 1.2.4 did not ask again by TCP)
    """
    domain = await _domain(probe)
    async with dns_ruled(probe, f"*{domain}", tcp=True):
        return await sent_to(probe, f"someone@{domain}", WRITER)


@behaviour("relay/dns/many-exchangers", wanted=Outcome.DELIVERED, deep=True, better=GOES_OUT, severity=Severity.MAJOR)
async def many_exchangers(probe: Probe) -> Observation:
    """Message to a domain with so many mail exchangers that their names do not fit into UDP

    Mail to large providers waits and is returned after days.

    RFC 7766 section 5; Mailu #2934
    """
    domain, label = await _domain(probe), "x" * 60
    names = [f"{label}.{label}.{label}.mx-{number}.{domain}" for number in range(EXCHANGERS)]
    address = await exchangers_address(probe)
    exchangers = [DnsRecord(domain, "MX", f"10 {name}") for name in names]
    await probe.world.records([*exchangers, *(DnsRecord(name, "A", address) for name in names)])
    return await sent_to(probe, f"someone@{domain}", WRITER)


@behaviour(
    "relay/dns/slow", wanted=Outcome.DELIVERED, deep=True, better=GOES_OUT, severity=Severity.MAJOR, timeout=120.0
)
async def slow(probe: Probe) -> Observation:
    """Message to a domain whose DNS takes seconds for each answer

    Mail to domains with slow name servers waits and is returned after days.

    RFC 1035 section 4.2.1
    """
    domain = await _domain(probe)
    async with dns_ruled(probe, f"*{domain}", delay=LATE_SECONDS):
        return await sent_to(probe, f"someone@{domain}", WRITER, seconds=PATIENCE)


@behaviour(
    "relay/dns/lost-question",
    wanted=Outcome.DELIVERED,
    deep=True,
    better=GOES_OUT,
    severity=Severity.MAJOR,
    timeout=120.0,
)
async def lost_question(probe: Probe) -> Observation:
    """Message to a domain whose DNS does not answer the first question, and answers when it is asked again

    Each packet that is lost returns mail, or holds it up for good.

    RFC 1035 section 4.2.1; RFC 5321 section 4.5.4.1
    """
    domain = await _domain(probe)
    async with dns_ruled(probe, domain, "MX", answer="silence", times=1) as rule:
        return (await _in_the_end(probe, domain, rule))[0]


@behaviour(
    "relay/dns/servfail-{what}",
    wanted=Outcome.DELIVERED,
    deep={"what": ("address", "tlsa")},
    better={**GOES_OUT, "waited": Direction.TRUE},
    severity=Severity.MAJOR,
    each={"what": BROKEN},
    timeout=120.0,
)
async def servfail(probe: Probe, what: str) -> Observation:
    """Message to a domain whose DNS fails (SERVFAIL, {what}) waits, and is delivered when it answers again

    Mail to domains whose DNS is broken for a while is returned at once, or, without TLSA records, goes out unchecked.

    RFC 5321 section 5.1; Mailu core/admin/mailu/utils.py (has_dane_record, DEFER_ON_TLS_ERROR)
    """
    domain = await _domain(probe)
    async with dns_ruled(probe, f"{BROKEN[what]}{domain}", answer="servfail") as rule:
        seen, waited = await _in_the_end(probe, domain, rule)
    return probe.with_facts(seen, waited=waited)


async def _in_the_end(probe: Probe, domain: str, rule: int) -> tuple[Observation, bool]:
    """What becomes of a message, and whether it had to wait: then the rule ends, and Postfix tries again."""
    message = probe.mail.compose(to=f"someone@{domain}", sender=WRITER.address)
    reply = await probe.mail.submit(message, SUBMISSIONS_465, WRITER)
    _, number = await put_off(probe, message, reply, seconds=PATIENCE)
    await probe.world.dns_unrule(rule)
    if number:
        await probe.services.exec("smtp", "postqueue", "-i", number)
    return await probe.mail.at_world(message, reply), bool(number)


async def _domain(probe: Probe) -> str:
    """A domain of its own, whose mail exchanger is the world's under the name `host` in it."""
    domain = f"{probe.unique_word()}.{ELSEWHERE}"
    host = DnsRecord(f"host.{domain}", "A", await exchangers_address(probe))
    await probe.world.records([DnsRecord(domain, "MX", f"10 {host.name}"), host])
    return domain
