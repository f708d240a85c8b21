"""Messages that this server forwards for its users: recipient, envelope sender (SRS) and bounces."""

from __future__ import annotations

from pytest_mailu.behaviours.better import BOUNCES, FUNCTION, GOES_OUT
from pytest_mailu.behaviours.common import from_outside
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.core.endpoints import SUBMISSIONS_465
from pytest_mailu.core.model import Observation, Outcome, Severity, Stage
from pytest_mailu.core.population import ALICE, DOMAIN, ELSEWHERE, OUTSIDE, PASSES, REFUSED_OUTSIDE, RELAYED
from pytest_mailu.probe.dsn import dsn_facts
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.waiting import ARRIVAL_SECONDS

PASSED_ON = {"alias": OUTSIDE.address, "forward": PASSES.address}


@behaviour("relay/forward/no-copy-stays", wanted=Outcome.NOT_OFFERED, deep=True, severity=Severity.MAJOR)
async def no_copy(probe: Probe) -> Observation:
    """Mailbox of a user who forwards and keeps no copy stays empty

    Mailboxes that no one reads fill up.

    Mailu docs, "Web administration" (forwards)
    """
    sent = await from_outside(probe, PASSES.address)
    seen = await probe.mail.at_world(sent.message, sent.reply)
    if seen.outcome is not Outcome.DELIVERED:
        return seen
    async with probe.mailbox(PASSES) as mailbox:
        found = await mailbox.wait_for_message(sent.message.message_id, 0.5)
    return probe.seen(Outcome.DELIVERED if found else Outcome.NOT_OFFERED, Stage.DELIVERY, sent.reply)


@behaviour(
    "relay/srs/{kind}",
    wanted=Outcome.DELIVERED,
    deep={"kind": ("alias",)},
    severity=Severity.MAJOR,
    each={"kind": PASSED_ON},
)
async def srs(probe: Probe, kind: str) -> Observation:
    """Envelope sender of a forwarded message ({kind}) is rewritten to our domain (SRS)

    Other servers refuse forwarded mail because SPF fails.

    RFC 7208 section 2.4; Sender Rewriting Scheme; Mailu core/admin/mailu/internal/views/postfix.py
    """
    sent = await from_outside(probe, PASSED_ON[kind])
    seen = await probe.mail.at_world(sent.message, sent.reply)
    if seen.outcome is not Outcome.DELIVERED:
        return seen
    sender = str(seen.facts["arrival"]["sender"])
    ours = sender.upper().startswith("SRS")
    return probe.seen(Outcome.DELIVERED if ours else Outcome.ALTERED, Stage.DELIVERY, sent.reply, sender=sender)


@behaviour("relay/srs/bounce-comes-back", wanted=Outcome.DELIVERED, deep=True, better=GOES_OUT, severity=Severity.MAJOR)
async def srs_bounce(probe: Probe) -> Observation:
    """Bounce to a rewritten sender goes back to the original sender

    Senders never learn that their message to a forwarded address did not arrive.

    Sender Rewriting Scheme; Mailu core/admin/mailu/internal/views/postfix.py (postfix_recipient_map)
    """
    sent = await from_outside(probe, OUTSIDE.address)
    arrivals = await probe.world.arrivals(token=sent.message.token, wait=ARRIVAL_SECONDS)
    if not arrivals:
        return await probe.mail.at_world(sent.message, sent.reply, wait=0)
    bounce = probe.mail.compose(to=arrivals[0].sender, sender="", header_from=f"mailer-daemon@{ELSEWHERE}")
    answer = await probe.mail.deliver(bounce)
    return await probe.mail.at_world(bounce, answer)


@behaviour("relay/srs/made-up", wanted=Outcome.REFUSED, severity=Severity.CRITICAL)
async def srs_made_up(probe: Probe) -> Observation:
    """Message to an invented rewritten sender is refused

    The server is an open relay through such addresses.

    Sender Rewriting Scheme (its hash); Mailu core/admin/mailu/internal/views/postfix.py (postfix_recipient_map)
    """
    message = probe.mail.compose(to=f"SRS0=aaaa=AA={ELSEWHERE}=someone@{DOMAIN}")
    return await probe.mail.at_world(message, await probe.mail.deliver(message), wait=6.0)


@behaviour("relay/alias/refused-elsewhere", deep=True, better=FUNCTION | BOUNCES, severity=Severity.MAJOR)
async def refused_elsewhere(probe: Probe) -> Observation:
    """Message to an alias whose destination is refused elsewhere: whether the sender is told

    Mail to aliases with a dead destination is lost without notice.

    RFC 5321 section 6.1; RFC 3464
    """
    message = probe.mail.compose(to=REFUSED_OUTSIDE.address, sender=f"stranger-{probe.unique_word()}@{ELSEWHERE}")
    reply = await probe.mail.deliver(message)
    arrivals = await probe.world.arrivals(recipient=message.sender, wait=ARRIVAL_SECONDS)
    if not arrivals:
        return await probe.mail.at_world(message, reply, wait=0)
    facts = dsn_facts(arrivals[0].content or b"")
    return probe.seen(Outcome.DELIVERED, Stage.DELIVERY, reply, bounce=facts, sender=arrivals[0].sender)


@behaviour("relay/domain/submitted", wanted=Outcome.DELIVERED, better=GOES_OUT, severity=Severity.CRITICAL)
async def to_relayed_domain(probe: Probe) -> Observation:
    """Message of a user to a relayed domain

    Users cannot write to the domain behind this server.

    Mailu docs, "Web administration" (relayed domain list)
    """
    message = probe.mail.compose(to=f"somebody@{RELAYED}", sender=ALICE.address)
    return await probe.mail.at_world(message, await probe.mail.submit(message, SUBMISSIONS_465, ALICE))
