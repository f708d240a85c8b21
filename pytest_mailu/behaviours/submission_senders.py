"""Sender addresses that a user may use after a login, and senders without a login."""

from __future__ import annotations

from pytest_mailu.behaviours.better import FUNCTION, GOES_OUT
from pytest_mailu.behaviours.common import from_user
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.core.endpoints import SUBMISSION, SUBMISSIONS_465, Endpoint
from pytest_mailu.core.model import Observation, Outcome, Severity, Stage, Vantage
from pytest_mailu.core.population import ALICE, ALTERNATIVE, BOB, DOMAIN, ELSEWHERE, SPOOFER, User, own_mailbox
from pytest_mailu.probe.probe import Probe
from pytest_mailu.stack.world.dkim import verify
from pytest_mailu.stack.world.zones import txt_lookup

WRITER = own_mailbox("senders-writer")
OTHERS = (Vantage.OTHER_STRANGER, Vantage.RELAYNET, Vantage.INSIDE)
ANYBODY = {"colleague": BOB.address, "stranger": f"president@{ELSEWHERE}"}


@behaviour(
    "submission/{endpoint}/without-login-{vantage}",
    wanted=Outcome.REFUSED,
    affected="Hosts there that send on this port without a login are refused.",
    severity=Severity.CRITICAL,
    each={"endpoint": SUBMISSION, "vantage": OTHERS},
)
async def without_login_from(probe: Probe, endpoint: Endpoint, vantage: Vantage) -> Observation:
    """Message without a login on {endpoint.words} from {vantage} is refused

    Clients there can send in every user's name.

    RFC 6409 section 4.3; no network is trusted on a submission port (Mailu core/postfix/conf/master.cf, 10025)
    """
    async with probe.smtp(endpoint, vantage) as smtp:
        await smtp.mail(WRITER.address)
        reply = await smtp.rcpt(f"someone@{ELSEWHERE}")
    return probe.seen(Outcome.ACCEPTED, Stage.RCPT, reply)


@behaviour(
    "submission/465-tls/own-detail",
    endpoint=SUBMISSIONS_465,
    wanted=Outcome.DELIVERED,
    better=GOES_OUT,
    severity=Severity.MAJOR,
)
async def own_detail(probe: Probe) -> Observation:
    """Message from one's own address with a detail (`name+shop@`)

    Users who give every shop its own address cannot write from it.

    RFC 5233; Mailu core/admin/mailu/internal/views/postfix.py (postfix_sender_login)
    """
    message = probe.mail.compose(to=f"someone@{ELSEWHERE}", sender=WRITER.address.replace("@", "+shop@"))
    return await probe.mail.at_world(message, await probe.mail.submit(message, SUBMISSIONS_465, WRITER))


@behaviour(
    "submission/465-tls/own-alternative-domain",
    endpoint=SUBMISSIONS_465,
    wanted=Outcome.DELIVERED,
    better=GOES_OUT,
    severity=Severity.MAJOR,
)
async def own_alternative(probe: Probe) -> Observation:
    """Message from one's own address at the alternative domain

    Users cannot send from the alternative domain.

    Mailu docs, "Web administration" (alternative domains); core/admin/mailu/internal/views/postfix.py
    """
    sent = await from_user(probe, WRITER, f"someone@{ELSEWHERE}", SUBMISSIONS_465, f"{WRITER.name}@{ALTERNATIVE}")
    return await probe.mail.at_world(sent.message, sent.reply)


@behaviour(
    "submission/{endpoint}/strangers-sender",
    wanted=Outcome.REFUSED,
    affected="Users and applications that send for another domain are refused.",
    severity=Severity.CRITICAL,
    each={"endpoint": SUBMISSION},
)
async def strangers_sender(probe: Probe, endpoint: Endpoint) -> Observation:
    """Message with a sender at another domain after a login on {endpoint.words} is refused

    One stolen password is enough to write in the name of any bank.

    RFC 6409 section 6.1; Mailu core/postfix/conf/master.cf (reject_authenticated_sender_login_mismatch)
    """
    message = probe.mail.compose(to=f"someone@{ELSEWHERE}", sender=ANYBODY["stranger"], signed=False)
    return await probe.mail.at_world(message, await probe.mail.submit(message, endpoint, WRITER))


@behaviour(
    "submission/465-tls/no-such-sender",
    endpoint=SUBMISSIONS_465,
    wanted=Outcome.REFUSED,
    affected="Applications that send as noreply@ or another address without an account are refused.",
    severity=Severity.MAJOR,
    # Stacks of one release (1.9.50, 2.0.43) answered 550 "User unknown" or 553 "not owned by user".
    volatile=("reply.*",),
)
async def no_such_sender(probe: Probe) -> Observation:
    """Message with an unknown local sender after a login is refused

    Users can invent senders that cannot be answered.

    Mailu core/postfix/conf/master.cf (reject_unlisted_sender)
    """
    message = probe.mail.compose(to=f"someone@{ELSEWHERE}", sender=f"nobody@{DOMAIN}")
    return await probe.mail.at_world(message, await probe.mail.submit(message, SUBMISSIONS_465, WRITER))


@behaviour(
    "submission/465-tls/as-anybody-{whose}",
    endpoint=SUBMISSIONS_465,
    wanted=Outcome.DELIVERED,
    severity=Severity.MAJOR,
    each={"whose": ANYBODY},
)
async def as_anybody(probe: Probe, whose: str) -> Observation:
    """Message in the name of a {whose} by a user who may send as anyone

    Ticket systems and mailing list servers with such an account cannot send.

    Mailu docs, "Web administration" (allow the user to spoof the sender), since 2.0
    """
    message = probe.mail.compose(to=f"someone@{ELSEWHERE}", sender=ANYBODY[whose], signed=False)
    return await probe.mail.at_world(message, await probe.mail.submit(message, SUBMISSIONS_465, SPOOFER))


@behaviour("submission/465-tls/others-header-from", endpoint=SUBMISSIONS_465, severity=Severity.MAJOR)
async def others_header_from(probe: Probe) -> Observation:
    """Message from one's own address with a colleague in the From header

    Recipients take the message for the colleague's, or programs that do so on purpose cannot send.

    RFC 6409 section 8.1; RFC 5322 section 3.6.2
    """
    message = probe.mail.compose(to=f"someone@{ELSEWHERE}", sender=WRITER.address, header_from=BOB.address)
    return await probe.mail.at_world(message, await probe.mail.submit(message, SUBMISSIONS_465, WRITER))


@behaviour(
    "submission/465-tls/null-sender", endpoint=SUBMISSIONS_465, deep=True, better=FUNCTION, severity=Severity.MINOR
)
async def null_sender(probe: Probe) -> Observation:
    """Message with an empty envelope sender after a login

    Programs that send receipts and notifications are treated differently.

    RFC 5321 section 4.5.5; RFC 8098 section 3: receipts have an empty sender
    """
    message = probe.mail.compose(to=f"someone@{ELSEWHERE}", sender="", header_from=WRITER.address)
    return await probe.mail.at_world(message, await probe.mail.submit(message, SUBMISSIONS_465, WRITER))


@behaviour(
    "submission/{endpoint}/dkim", wanted=Outcome.DELIVERED, severity=Severity.CRITICAL, each={"endpoint": SUBMISSION}
)
async def dkim(probe: Probe, endpoint: Endpoint) -> Observation:
    """DKIM signature on mail sent on {endpoint.words} verifies

    Other servers put users' mail into the spam folder, or refuse it by the domain's DMARC policy.

    RFC 6376; Mailu core/rspamd/conf/dkim_signing.conf
    """
    return await _signed(probe, endpoint, ALICE, ALICE.address)


@behaviour(
    "submission/465-tls/dkim-alternative-domain",
    endpoint=SUBMISSIONS_465,
    wanted=Outcome.DELIVERED,
    severity=Severity.MAJOR,
)
async def dkim_alternative(probe: Probe) -> Observation:
    """DKIM signature on mail from the alternative domain verifies

    Other servers distrust mail from the alternative domain.

    RFC 6376; Mailu core/admin/mailu/internal/views/rspamd.py (rspamd_dkim_key)
    """
    return await _signed(probe, SUBMISSIONS_465, WRITER, f"{WRITER.name}@{ALTERNATIVE}")


async def _signed(probe: Probe, endpoint: Endpoint, user: User, sender: str) -> Observation:
    own = "" if sender == user.address else sender
    sent = await from_user(probe, user, f"someone@{ELSEWHERE}", endpoint, own)
    seen = await probe.mail.at_world(sent.message, sent.reply)
    if seen.outcome is not Outcome.DELIVERED:
        return seen
    (arrival, *_) = await probe.world.arrivals(token=sent.message.token)
    found = verify(arrival.content or b"", txt_lookup(await probe.world.records()))
    ours = [signature for signature in found if signature.domain == sender.partition("@")[2]]
    good = any(signature.valid for signature in ours)
    facts = {
        "signatures": [f"{signature.selector}._domainkey.{signature.domain}" for signature in found],
        "valid": good,
        "why": "" if good else (ours[0].why if ours else "no signature of the sender's domain"),
    }
    return probe.seen(Outcome.DELIVERED if good else Outcome.ALTERED, Stage.DELIVERY, sent.reply, **facts)
