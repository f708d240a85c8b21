"""Users' messages on the way out: recipients, removed headers, added headers."""

from __future__ import annotations

import re

from pytest_mailu.behaviours.better import ARRIVES, BOUNCES, GOES_OUT
from pytest_mailu.behaviours.common import Sent, from_user
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.core.endpoints import SUBMISSION, SUBMISSION_587, SUBMISSIONS_465, Endpoint
from pytest_mailu.core.model import Observation, Outcome, Severity, Stage, Vantage
from pytest_mailu.core.population import ALICE, BOB, DOMAIN, ELSEWHERE, SALES, TEAM, own_mailbox
from pytest_mailu.probe.dsn import dsn_facts
from pytest_mailu.probe.messages import header_names
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.shared import shared
from pytest_mailu.probe.waiting import eventually

WRITER = own_mailbox("outgoing-writer")
READER = own_mailbox("outgoing-reader")
BOUNCED = own_mailbox("outgoing-bounced")
REVEALING = {
    "user-agent": "SecretMail/1.0 (Windows)",
    "x-mailer": "SecretMail 1.0",
    "x-originating-ip": "[198.18.99.99]",
    "x-enigmail": "secret",
}
ABSENT_HEADERS = {"date": "Date", "message-id": "Message-ID"}


@behaviour(
    "submission/{endpoint}/to-alias",
    wanted=Outcome.DELIVERED,
    deep={"endpoint": (SUBMISSION_587,)},
    better=ARRIVES,
    severity=Severity.CRITICAL,
    each={"endpoint": SUBMISSION},
)
async def to_alias(probe: Probe, endpoint: Endpoint) -> Observation:
    """Message to a local alias, sent with a login on {endpoint.words}

    Users cannot reach colleagues by sales@ or info@.

    Mailu docs, "Web administration" (aliases)
    """
    message = probe.mail.compose(to=SALES.address, sender=WRITER.address)
    reply = await probe.mail.submit(message, endpoint, WRITER)
    return await probe.mail.in_mailbox(message, ALICE, reply)


@behaviour(
    "submission/{endpoint}/many-recipients",
    wanted=Outcome.DELIVERED,
    deep={"endpoint": (SUBMISSION_587,)},
    severity=Severity.CRITICAL,
    each={"endpoint": SUBMISSION},
)
async def many_recipients(probe: Probe, endpoint: Endpoint) -> Observation:
    """One message to a mailbox, an alias of two and three addresses outside, on {endpoint.words}

    Some recipients do not receive the message.

    RFC 5321 section 3.3
    """
    outside = [f"{name}@{ELSEWHERE}" for name in ("one", "two", "three")]
    message = probe.mail.compose(to=[READER.address, TEAM.address, *outside], sender=WRITER.address)
    reply = await probe.mail.submit(message, endpoint, WRITER)
    here = [await probe.mail.in_mailbox(message, user, reply) for user in (READER, BOB)]
    reached: set[str] = set()

    async def everybody() -> bool:
        arrivals = await probe.world.arrivals(token=message.token, wait=0)
        reached.update(to.address for arrival in arrivals for to in arrival.recipients)
        return reached >= set(outside)

    complete = await eventually(everybody) and all(seen.outcome is Outcome.DELIVERED for seen in here)
    facts = {"here": [str(seen.outcome) for seen in here], "outside": sorted(reached)}
    return probe.seen(Outcome.DELIVERED if complete else Outcome.LOST, Stage.DELIVERY, reply, **facts)


@behaviour(
    "submission/465-tls/two-letters",
    endpoint=SUBMISSIONS_465,
    wanted=Outcome.DELIVERED,
    deep=True,
    better=GOES_OUT,
    severity=Severity.MAJOR,
)
async def two_messages(probe: Probe) -> Observation:
    """Two messages of a user on one connection

    Programs that send several messages stop after the first.

    RFC 5321 section 3.3
    """
    first, second = (probe.mail.compose(to=f"someone@{ELSEWHERE}", sender=WRITER.address) for _ in range(2))
    async with probe.smtp(SUBMISSIONS_465) as smtp:
        await smtp.login(WRITER.address, WRITER.password)
        await smtp.send(first.sender, first.recipients, first.content)
        reply = (await smtp.send(second.sender, second.recipients, second.content)).reply
    seen = await probe.mail.at_world(first, reply)
    return seen if seen.outcome is not Outcome.DELIVERED else await probe.mail.at_world(second, reply)


@behaviour(
    "submission/465-tls/hides-{header}",
    endpoint=SUBMISSIONS_465,
    wanted=Outcome.DELIVERED,
    deep=True,
    severity=Severity.MINOR,
    each={"header": REVEALING},
)
async def hides(probe: Probe, header: str) -> Observation:
    """Header {header} of a user's message is removed on the way out

    Recipients learn which program or address the user writes from.

    Mailu core/postfix/conf/outclean_header_filter.cf, 1.9 to master
    """
    sent = await _revealing(probe)
    seen = await probe.mail.at_world(sent.message, sent.reply)
    if seen.outcome is not Outcome.DELIVERED:
        return seen
    (arrival, *_) = await probe.world.arrivals(token=sent.message.token)
    hidden = header not in header_names(arrival.content or b"")
    return probe.seen(Outcome.DELIVERED if hidden else Outcome.ALTERED, Stage.DELIVERY, sent.reply, hidden=hidden)


@shared
async def _revealing(probe: Probe) -> Sent:
    """One message with every header that tells something."""
    message = probe.mail.compose(to=f"someone@{ELSEWHERE}", sender=WRITER.address, headers=REVEALING)
    return Sent(message, await probe.mail.submit(message, SUBMISSIONS_465, WRITER))


@behaviour(
    "submission/465-tls/hides-address",
    endpoint=SUBMISSIONS_465,
    wanted=Outcome.DELIVERED,
    deep=True,
    severity=Severity.MAJOR,
)
async def hides_address(probe: Probe) -> Observation:
    """User's IP address does not stand in the outgoing message

    Recipients learn where the user is.

    RFC 6409 section 8 leaves it to the server; Mailu core/postfix/conf/outclean_header_filter.cf (Received)
    """
    sent = await from_user(probe, ALICE, f"someone@{ELSEWHERE}", SUBMISSIONS_465)
    seen = await probe.mail.at_world(sent.message, sent.reply)
    if seen.outcome is not Outcome.DELIVERED:
        return seen
    (arrival, *_) = await probe.world.arrivals(token=sent.message.token)
    head = (arrival.content or b"").partition(b"\r\n\r\n")[0].decode("utf-8", "replace")
    address = re.escape(probe.address_of(Vantage.STRANGER))
    hidden = not re.search(rf"(?<![\d.]){address}(?!\d)", head)
    facts = {"hidden": hidden, "received_lines": header_names(arrival.content or b"").get("received", 0)}
    return probe.seen(Outcome.DELIVERED if hidden else Outcome.ALTERED, Stage.DELIVERY, sent.reply, **facts)


@behaviour(
    "submission/465-tls/without-{header}",
    endpoint=SUBMISSIONS_465,
    wanted=Outcome.DELIVERED,
    severity=Severity.MAJOR,
    each={"header": ABSENT_HEADERS},
)
async def without_header(probe: Probe, header: str) -> Observation:
    """Message without a {header} header

    Simple programs and devices cannot send, or other servers take their mail for spam.

    RFC 5322 section 3.6; RFC 6409 section 8.2 and 8.3: the server may add them
    """
    message = probe.mail.compose(to=f"someone@{ELSEWHERE}", sender=WRITER.address, without=[ABSENT_HEADERS[header]])
    return await probe.mail.at_world(message, await probe.mail.submit(message, SUBMISSIONS_465, WRITER))


@behaviour(
    "submission/465-tls/unknown-recipient",
    endpoint=SUBMISSIONS_465,
    better=BOUNCES,
    severity=Severity.MAJOR,
    timeout=60.0,
)
async def unknown_recipient(probe: Probe) -> Observation:
    """Message to an unknown local user after a login: refused at once, or returned

    Users do not learn that they mistyped a colleague's address.

    RFC 5321 section 3.6.2; Mailu core/postfix/conf/master.cf (REJECT_UNLISTED_RECIPIENT)
    """
    message = probe.mail.compose(to=f"nobody@{DOMAIN}", sender=BOUNCED.address)
    reply = await probe.mail.submit(message, SUBMISSIONS_465, BOUNCED)
    bounce = await probe.mail.notification(message, BOUNCED)
    facts = {} if bounce is None else {"bounce": dsn_facts(bounce)}
    return probe.seen(Outcome.LOST if bounce is None else Outcome.DELIVERED, Stage.DELIVERY, reply, **facts)
