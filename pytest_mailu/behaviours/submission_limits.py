"""Limits for users' messages: size, and recipients per day."""

from __future__ import annotations

from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.core.endpoints import SUBMISSIONS_465
from pytest_mailu.core.model import Observation, Outcome, Severity, Stage
from pytest_mailu.core.population import ELSEWHERE, own_mailbox
from pytest_mailu.core.text import whole_number
from pytest_mailu.probe.probe import Probe
from pytest_mailu.wire.smtp.reply import positive
from pytest_mailu.wire.transport.errors import CannotAsk

WRITER = own_mailbox("limits-writer")
BUSY = own_mailbox("limits-busy")
SOMEONE = f"someone@{ELSEWHERE}"
LARGE = 12_000_000
"""Bytes, as of usual attachments; well below the 50 MB that Mailu allows by default."""
SPARE = 4_000
"""Bytes that servers add and count (Received lines)."""
MOST = 400
"""Recipients to try before giving up; Mailu's default limit is 200 a day."""


@behaviour(
    "submission/465-tls/large",
    endpoint=SUBMISSIONS_465,
    deep=True,
    wanted=Outcome.DELIVERED,
    severity=Severity.CRITICAL,
    timeout=90.0,
    # Two stacks of 2024.06.24 differed in whether so large a message was signed, for an unknown reason.
    volatile=("facts.arrival.headers.*",),
)
async def large(probe: Probe) -> Observation:
    """Message of 12 MB after a login

    Photos and documents cannot be sent.

    RFC 1870; Mailu docs, "Configuration reference" (MESSAGE_SIZE_LIMIT)
    """
    message = probe.mail.compose(to=SOMEONE, sender=WRITER.address).of_size(LARGE)
    return await probe.mail.at_world(message, await probe.mail.submit(message, SUBMISSIONS_465, WRITER), wait=40.0)


@behaviour(
    "submission/465-tls/size-announced-too-large",
    endpoint=SUBMISSIONS_465,
    wanted=Outcome.REFUSED,
    severity=Severity.MINOR,
)
async def announced(probe: Probe) -> Observation:
    """Message with a SIZE above the limit is refused before it is sent

    Programs send the whole message for minutes before they learn that it is too large.

    RFC 1870 section 6.1
    """
    async with probe.smtp(SUBMISSIONS_465) as smtp:
        await smtp.login(WRITER.address, WRITER.password)
        limit = whole_number((await smtp.ehlo()).get("SIZE", ""))
        if limit is None:
            return probe.seen(Outcome.NOT_OFFERED, Stage.EHLO)
        await smtp.mail(WRITER.address, f"SIZE={limit + 1}")
        reply = await smtp.rcpt(SOMEONE)
    return probe.seen(Outcome.ACCEPTED, Stage.RCPT, reply)


@behaviour(
    "submission/465-tls/size-just-below-the-limit",
    endpoint=SUBMISSIONS_465,
    wanted=Outcome.DELIVERED,
    severity=Severity.MAJOR,
    variant="small-messages",
    deep=True,
)
async def just_below(probe: Probe) -> Observation:
    """Message slightly below MESSAGE_SIZE_LIMIT

    Messages are refused that the settings allow.

    RFC 1870; Mailu docs, "Configuration reference" (MESSAGE_SIZE_LIMIT)
    """
    limit = await _limit(probe)
    message = probe.mail.compose(to=SOMEONE, sender=WRITER.address).of_size(limit - SPARE)
    return await probe.mail.at_world(message, await probe.mail.submit(message, SUBMISSIONS_465, WRITER))


@behaviour(
    "submission/465-tls/size-sent-too-large",
    endpoint=SUBMISSIONS_465,
    wanted=Outcome.REFUSED,
    severity=Severity.MAJOR,
    variant="small-messages",
    deep=True,
)
async def sent_too_large(probe: Probe) -> Observation:
    """Message larger than MESSAGE_SIZE_LIMIT, sent without SIZE

    Messages of any size fill the disk, or a program hangs or tries again for ever.

    RFC 1870 section 6.3; RFC 3463 (5.3.4, 5.2.3)
    """
    limit = await _limit(probe)
    message = probe.mail.compose(to=SOMEONE, sender=WRITER.address).of_size(limit + SPARE)
    return await probe.mail.at_world(message, await probe.mail.submit(message, SUBMISSIONS_465, WRITER), wait=5.0)


async def _limit(probe: Probe) -> int:
    """MESSAGE_SIZE_LIMIT in bytes, as Postfix has it."""
    ran = await probe.services.exec("smtp", "postconf", "-h", "message_size_limit")
    limit = whole_number(ran.output.strip())
    if limit is None:
        raise CannotAsk(f"Postfix does not say its message_size_limit: {ran.errors.strip()!r}")
    return limit


@behaviour(
    "submission/465-tls/rate-limit",
    endpoint=SUBMISSIONS_465,
    deep=True,
    wanted=Outcome.DEFERRED,
    severity=Severity.MAJOR,
    timeout=120.0,
)
async def rate_limit(probe: Probe) -> Observation:
    """More recipients in a day than MESSAGE_RATELIMIT allows are deferred

    One stolen password is enough to send any amount of spam, or users are stopped earlier than before.

    Mailu docs, "Configuration reference" (MESSAGE_RATELIMIT); core/admin/mailu/internal/views/postfix.py
    """
    async with probe.smtp(SUBMISSIONS_465) as smtp:
        await smtp.login(BUSY.address, BUSY.password)
        await smtp.mail(BUSY.address)
        for number in range(MOST):
            reply = await smtp.command(f"RCPT TO:<someone-{number}@{ELSEWHERE}>", Stage.RCPT)
            if not positive(reply):
                deferred = reply.code.startswith("4")
                outcome = Outcome.DEFERRED if deferred else Outcome.REFUSED
                return probe.seen(outcome, Stage.RCPT, reply, taken=number)
    return probe.seen(Outcome.ACCEPTED, Stage.RCPT, reply, taken=MOST)
