"""Messages from outside to less usual recipients, and from less usual senders."""

from __future__ import annotations

from pytest_mailu.behaviours.better import ARRIVES, BOUNCES, FUNCTION
from pytest_mailu.behaviours.common import from_outside
from pytest_mailu.behaviours.declaration import EVERYTHING, LIMITER, behaviour
from pytest_mailu.core.endpoints import SMTP_25_OPPORTUNISTIC
from pytest_mailu.core.model import Direction, Observation, Outcome, Severity, Stage, Vantage
from pytest_mailu.core.population import (
    ALICE,
    ALTERNATIVE,
    BOB,
    DISABLED,
    DOMAIN,
    ELSEWHERE,
    FULL,
    HOSTNAME,
    OTHER_STRANGER_HOST,
    SALES,
    TEAM,
    own_mailbox,
)
from pytest_mailu.probe.dsn import dsn_facts
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.waiting import ARRIVAL_SECONDS

READER = own_mailbox("inbound-addresses-reader")
HELO = {"our-own-name": HOSTNAME, "address-literal": "[198.18.99.99]", "short": "laptop"}


@behaviour(
    "inbound/25/alias-with-detail",
    endpoint=SMTP_25_OPPORTUNISTIC,
    wanted=Outcome.DELIVERED,
    deep=True,
    better=ARRIVES,
    severity=Severity.MAJOR,
)
async def alias_detail(probe: Probe) -> Observation:
    """Message to an alias with a detail (`sales+fair@`)

    Mail to such addresses does not arrive.

    RFC 5233; Mailu core/admin/mailu/models.py (resolve_destination)
    """
    message = probe.mail.compose(to=SALES.address.replace("@", "+fair@"))
    return await probe.mail.in_mailbox(message, ALICE, await probe.mail.deliver(message))


@behaviour(
    "inbound/25/alias-of-two-{user}",
    endpoint=SMTP_25_OPPORTUNISTIC,
    wanted=Outcome.DELIVERED,
    deep={"user": ("bob",)},
    better=ARRIVES,
    severity=Severity.CRITICAL,
    each={"user": ("alice", "bob")},
)
async def alias_of_two(probe: Probe, user: str) -> Observation:
    """Message to an alias of two users: the copy for {user}

    Some members of a team do not receive its mail.

    Mailu docs, "Web administration" (aliases)
    """
    sent = await from_outside(probe, TEAM.address)
    return await probe.mail.in_mailbox(sent.message, {"alice": ALICE, "bob": BOB}[user], sent.reply)


@behaviour(
    "inbound/25/unknown-user-alternative",
    endpoint=SMTP_25_OPPORTUNISTIC,
    wanted=Outcome.REFUSED,
    severity=Severity.MAJOR,
)
async def unknown_at_alternative(probe: Probe) -> Observation:
    """Message from outside to an unknown user at the alternative domain is refused at once

    The server sends bounces to strangers (backscatter), or loses mail with a typo in the address.

    RFC 5321 section 3.3; Mailu core/admin/mailu/internal/views/postfix.py (postfix_alias_map)
    """
    message = probe.mail.compose(to=f"nobody@{ALTERNATIVE}")
    return await probe.mail.in_mailbox(message, READER, await probe.mail.deliver(message), wait=1.0)


@behaviour("inbound/25/postmaster", endpoint=SMTP_25_OPPORTUNISTIC, deep=True, better=FUNCTION, severity=Severity.MINOR)
async def postmaster(probe: Probe) -> Observation:
    """Message to postmaster, an address that every mail domain must have

    Administrators of other servers cannot report a problem.

    RFC 5321 section 4.5.1
    """
    message = probe.mail.compose(to=f"postmaster@{DOMAIN}")
    return await probe.mail.at_world(message, await probe.mail.deliver(message), wait=1.0)


@behaviour("inbound/25/disabled-user", endpoint=SMTP_25_OPPORTUNISTIC, severity=Severity.MAJOR)
async def disabled(probe: Probe) -> Observation:
    """Message to a disabled user

    Mail to a user who left is refused, or is stored, unlike before.

    Mailu docs, "Web administration" (enabled); core/admin/mailu/internal/views/postfix.py (postfix_mailbox_map)
    """
    message = probe.mail.compose(to=DISABLED.address)
    return await probe.mail.in_mailbox(message, DISABLED, await probe.mail.deliver(message))


@behaviour(
    "inbound/25/full-mailbox", endpoint=SMTP_25_OPPORTUNISTIC, better=BOUNCES, severity=Severity.MAJOR, timeout=60.0
)
async def full(probe: Probe) -> Observation:
    """Message to a full mailbox: refused, kept in the queue, or returned with a reason

    Senders do not learn that the message was not delivered.

    RFC 3463 (4.2.2 and 5.2.2); Dovecot quota_full_tempfail
    """
    message = probe.mail.compose(to=FULL.address, sender=f"stranger-{probe.unique_word()}@{ELSEWHERE}").of_size(5_000)
    reply = await probe.mail.deliver(message)
    arrivals = await probe.world.arrivals(recipient=message.sender, wait=ARRIVAL_SECONDS)
    if not arrivals:
        return await probe.mail.in_mailbox(message, FULL, reply, wait=0)
    bounce = dsn_facts(arrivals[0].content or b"")
    return probe.seen(Outcome.REFUSED, Stage.DELIVERY, reply, bounce=bounce, bounce_sender=arrivals[0].sender)


@behaviour(
    "inbound/25/some-of-many",
    endpoint=SMTP_25_OPPORTUNISTIC,
    wanted=Outcome.DELIVERED,
    deep=True,
    better=ARRIVES,
    severity=Severity.MAJOR,
)
async def some_of_many(probe: Probe) -> Observation:
    """Message to three addresses, one of them unknown: the other two receive it

    One wrong address keeps a message from all recipients.

    RFC 5321 section 3.3
    """
    message = probe.mail.compose(to=[READER.address, f"nobody@{DOMAIN}", BOB.address])
    async with probe.smtp(SMTP_25_OPPORTUNISTIC) as smtp:
        done = await smtp.send(message.sender, message.recipients, message.content)
    codes = {address.partition("@")[0]: reply.code for address, reply in done.recipients.items()}
    seen = await probe.mail.in_mailbox(message, READER, done.reply)
    if seen.outcome is Outcome.DELIVERED:
        seen = await probe.mail.in_mailbox(message, BOB, done.reply)
    return probe.with_facts(seen, recipients=codes)


@behaviour(
    "inbound/25/twice",
    endpoint=SMTP_25_OPPORTUNISTIC,
    wanted=Outcome.DELIVERED,
    deep=True,
    better={"copies": Direction.FIXED},
    severity=Severity.MINOR,
)
async def twice(probe: Probe) -> Observation:
    """The same message sent twice, as a server does that lost the reply

    Messages are lost that look like others, or arrive more often than they were sent.

    RFC 5321 section 6.2; RFC 1047
    """
    message = probe.mail.compose(to=READER.address)
    await probe.mail.deliver(message)
    reply = await probe.mail.deliver(message)
    async with probe.mailbox(READER) as mailbox:
        found = await mailbox.wait_for_message(message.message_id, ARRIVAL_SECONDS, at_least=2)
    return probe.seen(Outcome.DELIVERED if found else Outcome.LOST, Stage.DELIVERY, reply, copies=len(found))


@behaviour(
    "inbound/25/null-sender",
    endpoint=SMTP_25_OPPORTUNISTIC,
    wanted=Outcome.DELIVERED,
    better=ARRIVES,
    severity=Severity.CRITICAL,
)
async def null_sender(probe: Probe) -> Observation:
    """Bounce from outside (empty envelope sender) to a mailbox

    Users do not learn that their messages came back.

    RFC 5321 section 4.5.5: every server must take mail with an empty sender
    """
    message = probe.mail.compose(to=READER.address, sender="", header_from=f"mailer-daemon@{ELSEWHERE}")
    return await probe.mail.in_mailbox(message, READER, await probe.mail.deliver(message))


@behaviour(
    "inbound/25/from-another-network",
    needs=EVERYTHING | {LIMITER},
    endpoint=SMTP_25_OPPORTUNISTIC,
    wanted=Outcome.DELIVERED,
    better=ARRIVES,
    severity=Severity.CRITICAL,
)
async def another_network(probe: Probe) -> Observation:
    """Message from a server in another network, which the login limiter does not exempt

    Mail from some networks does not arrive.

    Mailu core/admin/mailu/internal/views/auth.py (port 25 asks `admin` about every connection)
    """
    message = probe.mail.compose(to=READER.address, sender=f"stranger@{OTHER_STRANGER_HOST.partition('.')[2]}")
    return await probe.mail.in_mailbox(
        message, READER, await probe.mail.deliver(message, vantage=Vantage.OTHER_STRANGER)
    )


@behaviour(
    "inbound/25/helo-{kind}", endpoint=SMTP_25_OPPORTUNISTIC, deep=True, severity=Severity.MINOR, each={"kind": HELO}
)
async def helo(probe: Probe, kind: str) -> Observation:
    """Message from a server whose HELO name is of the kind "{kind}"

    Mail from badly configured servers is treated differently.

    RFC 5321 section 4.1.4: a server must not refuse for the name alone; Rspamd hfilter
    """
    message = probe.mail.compose(to=READER.address)
    async with probe.smtp(SMTP_25_OPPORTUNISTIC, name=HELO[kind]) as smtp:
        done = await smtp.send(message.sender, message.recipients, message.content)
    return await probe.mail.in_mailbox(message, READER, done.reply)
