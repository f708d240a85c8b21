"""A scanner that is down when Rspamd starts, or slow: mail flows, nothing gets through unseen, and all is well after.

*Down*: the container is stopped, and Rspamd starts anew without it; then the scanner comes. *Slow*: the scanner is
paused for a while, and then answers. A sender whose message is deferred tries again, as mail servers do (RFC 5321
section 4.5.4).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from pytest_mailu.behaviours.better import ARRIVES
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.scanners_messages import BAD, GOOD, from_outside, kept_out, with_scanner
from pytest_mailu.behaviours.sending_server import NONE_YET, Attempt, attempt, taken_in_the_end
from pytest_mailu.core.endpoints import SMTP_25_OPPORTUNISTIC
from pytest_mailu.core.model import Observation, Outcome, Severity
from pytest_mailu.core.population import own_mailbox
from pytest_mailu.probe.messages import Message
from pytest_mailu.probe.probe import Probe
from pytest_mailu.wire.transport.errors import NotServed

WAITING = own_mailbox("scanners-down-reader")
PATIENCE = 45.0
"""Seconds that a sender waits for a reply while the scanner is down; real ones wait for minutes."""
SLOW_SECONDS = 6.0
"""How long a slow scanner takes."""
AGAIN_SECONDS = 60.0
"""For how long a sender tries again once the scanner is back."""
START_SECONDS = 90.0
"""How long Rspamd may take to be back."""
TIMEOUT = 300.0
HARM = ("virus", "afterwards")
"""What is to be kept out: sent while the scanner cannot look, and once it is back."""
FINE = ("text", "clean")
"""What is to arrive: a message that no scanner looks at, and one with a clean attachment."""


@dataclass(frozen=True, slots=True)
class Passed:
    """What became of one message: what the first attempt came to, and the whole of it in the end."""

    first: str
    end: Observation | NotServed


@behaviour(
    "scanners/{scanner}/down-at-start/{kind}",
    endpoint=SMTP_25_OPPORTUNISTIC,
    needs=with_scanner,
    wanted=Outcome.DELIVERED,
    better=ARRIVES,
    severity=Severity.MAJOR,
    each={"scanner": GOOD, "kind": FINE},
    alone=True,
    deep=True,
    timeout=TIMEOUT,
)
async def arrives_without(probe: Probe, scanner: str, kind: str) -> Observation:
    """Message from outside ({kind}) that comes while {scanner} is down arrives in the end

    Mail is returned or lost while a scanner starts or is updated.

    Mailu core/rspamd/conf/force_actions.conf (ANTIVIRUS_FAILED, since 2.0.33); Mailu #2917; RFC 5321 section 4.5.4
    """
    return _told(probe, (await _without(probe, scanner))[kind])


@behaviour(
    "scanners/{scanner}/down-at-start/{kind}",
    endpoint=SMTP_25_OPPORTUNISTIC,
    needs=with_scanner,
    wanted=Outcome.REFUSED,
    affected="Nobody: this is the test virus, or a document like it.",
    severity=Severity.CRITICAL,
    each={"scanner": BAD, "kind": HARM},
    alone=True,
    deep=True,
    timeout=TIMEOUT,
)
async def kept_out_without(probe: Probe, scanner: str, kind: str) -> Observation:
    """Message that {scanner} has to stop ({kind}) is stopped although {scanner} was down at the start

    Viruses reach users after every restart of the server.

    Mailu core/rspamd/conf/force_actions.conf (ANTIVIRUS_FAILED, since 2.0.33); Mailu #2321, #2917
    """
    return kept_out(probe, _told(probe, (await _without(probe, scanner))[kind]))


@behaviour(
    "scanners/{scanner}/slow/{kind}",
    endpoint=SMTP_25_OPPORTUNISTIC,
    needs=with_scanner,
    wanted=Outcome.DELIVERED,
    better=ARRIVES,
    severity=Severity.MAJOR,
    each={"scanner": GOOD, "kind": FINE},
    alone=True,
    deep=True,
    timeout=TIMEOUT,
)
async def arrives_slowly(probe: Probe, scanner: str, kind: str) -> Observation:
    """Message from outside ({kind}) that comes while {scanner} is slow arrives in the end

    Mail is returned or lost when the machine is overloaded.

    Mailu core/rspamd/conf/antivirus.conf and external_services.conf (timeout, retransmits)
    """
    return _told(probe, (await _slow(probe, scanner))[kind])


@behaviour(
    "scanners/{scanner}/slow/{kind}",
    endpoint=SMTP_25_OPPORTUNISTIC,
    needs=with_scanner,
    wanted=Outcome.REFUSED,
    affected="Nobody: this is the test virus, or a document like it.",
    severity=Severity.CRITICAL,
    each={"scanner": BAD, "kind": HARM},
    alone=True,
    deep=True,
    timeout=TIMEOUT,
)
async def kept_out_slowly(probe: Probe, scanner: str, kind: str) -> Observation:
    """Message that {scanner} has to stop ({kind}) is stopped although {scanner} is slow

    Viruses reach users when the machine is overloaded.

    Mailu core/rspamd/conf/antivirus.conf and external_services.conf (timeout, retransmits)
    """
    return kept_out(probe, _told(probe, (await _slow(probe, scanner))[kind]))


def _told(probe: Probe, passed: Passed) -> Observation:
    seen = probe.not_served(passed.end) if isinstance(passed.end, NotServed) else passed.end
    return probe.with_facts(seen, first=passed.first)


async def _without(probe: Probe, scanner: str) -> Mapping[str, Passed]:
    async def ask(own: Probe) -> Mapping[str, Passed]:
        messages = _messages(own, scanner)
        async with own.services.stopped(scanner, restarting="antispam"):
            tried = await asyncio.gather(*(attempt(own, message, PATIENCE) for message in messages.values()))
        ends = await _in_the_end(own, scanner, messages, tried)
        # Rspamd that started without a scanner goes on without it: nothing that is asked later would be scanned.
        if failure := await own.services.start_again("antispam", kill=False, seconds=START_SECONDS):
            raise failure
        return ends

    return await probe.shared(("scanner down", scanner), ask, seconds=TIMEOUT)


async def _slow(probe: Probe, scanner: str) -> Mapping[str, Passed]:
    async def ask(own: Probe) -> Mapping[str, Passed]:
        messages = _messages(own, scanner)
        async with own.services.paused(scanner):
            attempts = [asyncio.ensure_future(attempt(own, message, PATIENCE)) for message in messages.values()]
            await asyncio.wait(attempts, timeout=SLOW_SECONDS)
        return await _in_the_end(own, scanner, messages, await asyncio.gather(*attempts))

    return await probe.shared(("scanner slow", scanner), ask, seconds=TIMEOUT)


def _messages(probe: Probe, scanner: str) -> dict[str, Message]:
    """What is sent while the scanner cannot look."""
    return {
        "text": probe.mail.compose(to=WAITING.address),
        "clean": from_outside(probe, GOOD[scanner], WAITING),
        "virus": from_outside(probe, BAD[scanner], WAITING),
    }


async def _in_the_end(
    probe: Probe, scanner: str, messages: Mapping[str, Message], tried: list[Attempt]
) -> dict[str, Passed]:
    """What became of all once the scanner is back, and of what it is to keep out then."""
    firsts = {**dict(zip(messages, tried, strict=True)), "afterwards": NONE_YET}
    everything = {**messages, "afterwards": from_outside(probe, BAD[scanner], WAITING)}
    ends = await asyncio.gather(*(_end(probe, everything[kind], firsts[kind]) for kind in everything))
    return {kind: Passed(firsts[kind].words, end) for kind, end in zip(everything, ends, strict=True)}


async def _end(probe: Probe, message: Message, first: Attempt) -> Observation | NotServed:
    """A message is tried again until it is taken or refused; what was taken is in the mailbox, or kept out."""
    try:
        reply = await taken_in_the_end(probe, message, first, patience=PATIENCE, seconds=AGAIN_SECONDS)
    except NotServed as end:
        return end
    return await probe.mail.in_mailbox(message, WAITING, reply)
