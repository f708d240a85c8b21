"""SMTP transactions of users: extensions that mail programs use, delivery status notifications, and line ends."""

from __future__ import annotations

from pytest_mailu.behaviours.better import FUNCTION, GOES_OUT
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.core.endpoints import SUBMISSIONS_465
from pytest_mailu.core.model import Direction, Observation, Outcome, Reply, Severity, Stage
from pytest_mailu.core.population import ELSEWHERE, own_mailbox
from pytest_mailu.probe.dsn import dsn_facts
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.smuggling import ENDS, exchange, smuggle
from pytest_mailu.wire.smtp.reply import expect_positive

WRITER = own_mailbox("transactions-writer")
READER = own_mailbox("transactions-reader")
NOTIFIED = own_mailbox("transactions-notified")
SOMEONE = f"someone@{ELSEWHERE}"


@behaviour("submission/465-tls/smtputf8", endpoint=SUBMISSIONS_465, better=FUNCTION | GOES_OUT, severity=Severity.MINOR)
async def smtputf8(probe: Probe) -> Observation:
    """Message to an address with a non-ASCII local part (SMTPUTF8)

    Users cannot write to addresses with non-Latin letters.

    RFC 6531
    """
    message = probe.mail.compose(to=f"jürgen@{ELSEWHERE}", sender=WRITER.address)
    async with probe.smtp(SUBMISSIONS_465) as smtp:
        await smtp.login(WRITER.address, WRITER.password)
        offered = "SMTPUTF8" in await smtp.ehlo()
        if not offered:
            return probe.seen(Outcome.NOT_OFFERED, Stage.EHLO)
        sending = await smtp.send(
            message.sender, message.recipients, message.content, mail_parameters=("SMTPUTF8", "BODY=8BITMIME")
        )
    return await probe.mail.at_world(message, sending.reply)


@behaviour(
    "submission/465-tls/chunking-in-{pieces}",
    endpoint=SUBMISSIONS_465,
    wanted=Outcome.DELIVERED,
    better=GOES_OUT,
    severity=Severity.MAJOR,
    each={"pieces": (1, 3)},
)
async def chunking(probe: Probe, pieces: int) -> Observation:
    """Message sent with BDAT in {pieces} pieces, where the server offers it

    Programs that use BDAT cannot send.

    RFC 3030
    """
    message = probe.mail.compose(to=SOMEONE, sender=WRITER.address)
    async with probe.smtp(SUBMISSIONS_465) as smtp:
        await smtp.login(WRITER.address, WRITER.password)
        if "CHUNKING" not in await smtp.ehlo():
            return probe.seen(Outcome.NOT_OFFERED, Stage.EHLO)
        await smtp.mail(message.sender)
        await smtp.rcpt(SOMEONE)
        size = len(message.content) // pieces + 1
        for start in range(0, len(message.content), size):
            reply = await smtp.bdat(message.content[start : start + size], last=start + size >= len(message.content))
    return await probe.mail.at_world(message, reply)


@behaviour(
    "submission/465-tls/pipelining",
    endpoint=SUBMISSIONS_465,
    wanted=Outcome.DELIVERED,
    better=GOES_OUT,
    severity=Severity.MAJOR,
)
async def pipelining(probe: Probe) -> Observation:
    """MAIL, RCPT and DATA of a user sent in one packet

    Programs that use PIPELINING cannot send.

    RFC 2920
    """
    message = probe.mail.compose(to=SOMEONE, sender=WRITER.address)
    async with probe.smtp(SUBMISSIONS_465) as smtp:
        await smtp.login(WRITER.address, WRITER.password)
        offered = "PIPELINING" in await smtp.ehlo()
        replies = await smtp.pipeline(f"MAIL FROM:<{message.sender}>", f"RCPT TO:<{SOMEONE}>", "DATA", stage=Stage.DATA)
        for reply, stage in zip(replies, (Stage.MAIL, Stage.RCPT, Stage.DATA), strict=True):
            expect_positive(reply, stage)
        done = expect_positive(await smtp.payload(message.content.replace(b"\r\n.", b"\r\n..") + b".\r\n"), Stage.DATA)
    seen = await probe.mail.at_world(message, done)
    return probe.with_facts(seen, offered=offered)


@behaviour(
    "submission/465-tls/dsn-passed-on",
    endpoint=SUBMISSIONS_465,
    deep=True,
    better=FUNCTION | {"mail": Direction.KEPT, "rcpt": Direction.KEPT},
    severity=Severity.MINOR,
)
async def dsn_passed_on(probe: Probe) -> Observation:
    """Request for a delivery receipt is passed on to the next server

    Users who ask for delivery receipts get none.

    RFC 3461 section 5.2.1
    """
    message = probe.mail.compose(to=SOMEONE, sender=WRITER.address)
    async with probe.smtp(SUBMISSIONS_465) as smtp:
        await smtp.login(WRITER.address, WRITER.password)
        sending = await smtp.send(
            message.sender,
            message.recipients,
            message.content,
            mail_parameters=("RET=HDRS", "ENVID=note-1"),
            rcpt_parameters=("NOTIFY=SUCCESS,FAILURE", f"ORCPT=rfc822;{SOMEONE}"),
        )
    seen = await probe.mail.at_world(message, sending.reply)
    if seen.outcome is not Outcome.DELIVERED:
        return seen
    (arrival, *_) = await probe.world.arrivals(token=message.token)
    asked = [word for word in arrival.sender_params if not word.startswith("SIZE=")]
    return probe.with_facts(seen, mail=asked, rcpt=list(arrival.recipients[0].params))


@behaviour(
    "submission/465-tls/dsn-success",
    endpoint=SUBMISSIONS_465,
    deep=True,
    better=FUNCTION | {"receipt.well_formed": Direction.TRUE},
    severity=Severity.MINOR,
    timeout=60.0,
)
async def dsn_success(probe: Probe) -> Observation:
    """Delivery receipt for a message to a local mailbox

    Users who ask for delivery receipts get none, or different ones.

    RFC 3461 section 6.2.4; RFC 3464
    """
    message = probe.mail.compose(to=READER.address, sender=NOTIFIED.address)
    async with probe.smtp(SUBMISSIONS_465) as smtp:
        await smtp.login(NOTIFIED.address, NOTIFIED.password)
        sending = await smtp.send(
            message.sender, message.recipients, message.content, rcpt_parameters=("NOTIFY=SUCCESS",)
        )
    note = await probe.mail.notification(message, NOTIFIED)
    facts = {} if note is None else {"receipt": dsn_facts(note)}
    return probe.seen(Outcome.LOST if note is None else Outcome.DELIVERED, Stage.DELIVERY, sending.reply, **facts)


@behaviour(
    "submission/465-tls/smuggling-{end}",
    endpoint=SUBMISSIONS_465,
    wanted=Outcome.REFUSED,
    affected="Scripts and devices that end messages with such line ends are refused.",
    severity=Severity.CRITICAL,
    each={"end": ENDS},
)
async def smuggling(probe: Probe, end: str) -> Observation:
    """Second message hidden behind {end} in a user's message is not accepted

    Users, and attackers who write through their programs, can send in any name (SMTP smuggling).

    CVE-2023-51764; RFC 5321 section 4.1.1.4; Postfix smtpd_forbid_bare_newline
    """
    outer = probe.mail.compose(to=SOMEONE, sender=WRITER.address)
    inner = probe.mail.compose(to=SOMEONE, sender=READER.address)
    async with probe.smtp(SUBMISSIONS_465) as smtp:
        await smtp.login(WRITER.address, WRITER.password)
        return await smuggle(probe, smtp, outer, inner, ENDS[end])


@behaviour(
    "submission/465-tls/line-end-{end}",
    endpoint=SUBMISSIONS_465,
    deep=True,
    better=FUNCTION | GOES_OUT,
    severity=Severity.MINOR,
    each={"end": ("lf", "cr")},
)
async def line_end(probe: Probe, end: str) -> Observation:
    """Message of a user with {end} as line end, as old scripts send

    Such scripts and devices cannot send, or their messages arrive changed.

    RFC 5321 section 2.3.8; Postfix smtpd_forbid_bare_newline, in Mailu since 2.0
    """
    message = probe.mail.compose(to=SOMEONE, sender=WRITER.address)
    bare = {"lf": b"\n", "cr": b"\r"}[end]
    payload = message.content.replace(b"\r\n.", b"\r\n..").replace(b"\r\n", bare)
    async with probe.smtp(SUBMISSIONS_465) as smtp:
        await smtp.login(WRITER.address, WRITER.password)
        await smtp.mail(message.sender)
        await smtp.rcpt(SOMEONE)
        reply, more, hung_up = await exchange(smtp, payload + b"\r\n.\r\n")
    if reply.code.startswith("2"):
        seen = await probe.mail.at_world(message, reply)
    else:
        seen = probe.seen(_refusal(reply), Stage.DATA, reply)
    return probe.with_facts(seen, hung_up=hung_up, more_replies=[extra.code for extra in more])


def _refusal(reply: Reply) -> Outcome:
    return Outcome.DEFERRED if reply.code.startswith("4") else Outcome.REFUSED
