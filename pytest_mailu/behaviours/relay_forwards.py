"""Mail that this server passes on for its users: to whom, in whose name, and the way back."""

from __future__ import annotations

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
    """The mailbox of a user who forwards everything and keeps nothing, which must stay empty

    Mailboxes that nobody looks into fill up, and what was to be elsewhere only lies here as well.

    Mailu docs, "Web administration" (forwards)
    """
    sent = probe.mail.compose(to=PASSES.address)
    reply = await probe.mail.deliver(sent)
    seen = await probe.mail.at_world(sent, reply)
    if seen.outcome is not Outcome.DELIVERED:
        return seen
    async with probe.mailbox(PASSES) as mailbox:
        found = await mailbox.wait_for_message(sent.message_id, 0.5)
    return probe.seen(Outcome.DELIVERED if found else Outcome.NOT_OFFERED, Stage.DELIVERY, reply)


@behaviour(
    "relay/srs/{kind}",
    wanted=Outcome.DELIVERED,
    deep={"kind": ("alias",)},
    severity=Severity.MAJOR,
    each={"kind": PASSED_ON},
)
async def srs(probe: Probe, kind: str) -> Observation:
    """The envelope sender of a stranger's letter that is passed on ({kind}): in our name, not in the stranger's

    Other servers turn forwarded mail away, since we are no sender for the stranger's domain (SPF).

    RFC 7208 section 2.4; Sender Rewriting Scheme; Mailu core/admin/mailu/internal/views/postfix.py
    """
    sent = probe.mail.compose(to=PASSED_ON[kind])
    reply = await probe.mail.deliver(sent)
    seen = await probe.mail.at_world(sent, reply)
    if seen.outcome is not Outcome.DELIVERED:
        return seen
    sender = str(seen.facts["arrival"]["sender"])
    ours = sender.upper().startswith("SRS")
    return probe.seen(Outcome.DELIVERED if ours else Outcome.ALTERED, Stage.DELIVERY, reply, sender=sender)


@behaviour("relay/srs/bounce-comes-back", wanted=Outcome.DELIVERED, deep=True, severity=Severity.MAJOR)
async def srs_bounce(probe: Probe) -> Observation:
    """A bounce from elsewhere to the rewritten sender, which goes back to the stranger who wrote

    Whoever writes to a forwarded address never learns that the letter did not arrive.

    Sender Rewriting Scheme; Mailu core/admin/mailu/internal/views/postfix.py (postfix_recipient_map)
    """
    sent = probe.mail.compose(to=OUTSIDE.address)
    reply = await probe.mail.deliver(sent)
    arrivals = await probe.world.arrivals(token=sent.token, wait=ARRIVAL_SECONDS)
    if not arrivals:
        return await probe.mail.at_world(sent, reply, wait=0)
    bounce = probe.mail.compose(to=arrivals[0].sender, sender="", header_from=f"mailer-daemon@{ELSEWHERE}")
    answer = await probe.mail.deliver(bounce)
    return await probe.mail.at_world(bounce, answer)


@behaviour("relay/srs/made-up", wanted=Outcome.REFUSED, severity=Severity.CRITICAL)
async def srs_made_up(probe: Probe) -> Observation:
    """A letter to a rewritten sender that we never made, which must be refused

    The server is an open relay to whoever writes such addresses.

    Sender Rewriting Scheme (its hash); Mailu core/admin/mailu/internal/views/postfix.py (postfix_recipient_map)
    """
    sent = probe.mail.compose(to=f"SRS0=aaaa=AA={ELSEWHERE}=someone@{DOMAIN}")
    return await probe.mail.at_world(sent, await probe.mail.deliver(sent), wait=6.0)


@behaviour("relay/alias/refused-elsewhere", deep=True, severity=Severity.MAJOR)
async def refused_elsewhere(probe: Probe) -> Observation:
    """A stranger's letter to an alias whose destination elsewhere does not exist any more: does the stranger learn?

    Mail to aliases that lead nowhere is lost in silence.

    RFC 5321 section 6.1; RFC 3464
    """
    sent = probe.mail.compose(to=REFUSED_OUTSIDE.address, sender=f"stranger-{probe.unique_word()}@{ELSEWHERE}")
    reply = await probe.mail.deliver(sent)
    arrivals = await probe.world.arrivals(recipient=sent.sender, wait=ARRIVAL_SECONDS)
    if not arrivals:
        return await probe.mail.at_world(sent, reply, wait=0)
    facts = dsn_facts(arrivals[0].content or b"")
    return probe.seen(Outcome.DELIVERED, Stage.DELIVERY, reply, bounce=facts, sender=arrivals[0].sender)


@behaviour("relay/domain/submitted", wanted=Outcome.DELIVERED, severity=Severity.CRITICAL)
async def to_relayed_domain(probe: Probe) -> Observation:
    """A user's letter to a domain that Mailu relays to another server

    Users cannot write to the domain behind this server.

    Mailu docs, "Web administration" (relayed domain list)
    """
    sent = probe.mail.compose(to=f"somebody@{RELAYED}", sender=ALICE.address)
    return await probe.mail.at_world(sent, await probe.mail.submit(sent, SUBMISSIONS_465, ALICE))
