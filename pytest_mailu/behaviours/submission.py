"""Sending with a mail program: RFC 6409 on 587, RFC 8314 on 465."""

from __future__ import annotations

from pytest_mailu.behaviours.better import ARRIVES, GOES_OUT
from pytest_mailu.behaviours.common import from_user
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.core.endpoints import SUBMISSION, SUBMISSION_587, Endpoint
from pytest_mailu.core.model import Observation, Outcome, Severity, Stage
from pytest_mailu.core.population import ALICE, BOB, ELSEWHERE, SALES, User
from pytest_mailu.probe.probe import Probe


@behaviour(
    "submission/{endpoint}/local",
    wanted=Outcome.DELIVERED,
    better=ARRIVES,
    severity=Severity.CRITICAL,
    each={"endpoint": SUBMISSION},
)
async def local(probe: Probe, endpoint: Endpoint) -> Observation:
    """Message to a local mailbox, sent with a login on {endpoint.words}

    Mail programs set to {endpoint.words} cannot send to colleagues.

    RFC 6409 section 4.3; Mailu docs, "Mail client setup"
    """
    message = probe.mail.compose(to=BOB.address, sender=ALICE.address)
    reply = await probe.mail.submit(message, endpoint, ALICE)
    return await probe.mail.in_mailbox(message, BOB, reply, headers=True)


@behaviour(
    "submission/{endpoint}/external",
    wanted=Outcome.DELIVERED,
    better=GOES_OUT,
    severity=Severity.CRITICAL,
    each={"endpoint": SUBMISSION},
)
async def external(probe: Probe, endpoint: Endpoint) -> Observation:
    """Message to another domain, sent with a login on {endpoint.words}

    Mail programs set to {endpoint.words} cannot send to anyone outside.

    RFC 6409 section 4.3; Mailu docs, "Mail client setup"
    """
    sent = await from_user(probe, ALICE, f"someone@{ELSEWHERE}", endpoint)
    return await probe.mail.at_world(sent.message, sent.reply)


@behaviour(
    "submission/{endpoint}/without-login",
    wanted=Outcome.REFUSED,
    affected="Devices and scripts that send on this port without a login are refused.",
    severity=Severity.CRITICAL,
    each={"endpoint": SUBMISSION},
)
async def without_login(probe: Probe, endpoint: Endpoint) -> Observation:
    """Message without a login on {endpoint.words} is refused

    Anyone on the internet can send in users' names.

    RFC 6409 section 4.3
    """
    async with probe.smtp(endpoint) as smtp:
        await smtp.mail(ALICE.address)
        reply = await smtp.rcpt(f"someone@{ELSEWHERE}")
    return probe.seen(Outcome.ACCEPTED, Stage.RCPT, reply)


@behaviour(
    "submission/{endpoint}/others-sender",
    wanted=Outcome.REFUSED,
    affected="Users and applications that send in a colleague's or a shared name are refused.",
    severity=Severity.CRITICAL,
    each={"endpoint": SUBMISSION},
)
async def others_sender(probe: Probe, endpoint: Endpoint) -> Observation:
    """Message in another user's name after a login on {endpoint.words} is refused

    Every user can send in every other user's name.

    RFC 6409 section 6.1; Mailu 2.0 core/postfix/conf/main.cf (smtpd_sender_login_maps)
    """
    return await _sent_as(probe, endpoint, BOB.address)


@behaviour(
    "submission/{endpoint}/own-alias",
    wanted=Outcome.DELIVERED,
    deep={"endpoint": (SUBMISSION_587,)},
    better=GOES_OUT,
    severity=Severity.MAJOR,
    each={"endpoint": SUBMISSION},
)
async def own_alias(probe: Probe, endpoint: Endpoint) -> Observation:
    """Message in the name of one's own alias after a login on {endpoint.words}

    Users who write as sales@ or info@ cannot send.

    Mailu docs, "Web administration": an alias may be used as sender by those it leads to
    """
    return await _sent_as(probe, endpoint, SALES.address)


async def _sent_as(probe: Probe, endpoint: Endpoint, sender: str, user: User = ALICE) -> Observation:
    message = probe.mail.compose(to=f"someone@{ELSEWHERE}", sender=sender)
    reply = await probe.mail.submit(message, endpoint, user)
    return await probe.mail.at_world(message, reply)
