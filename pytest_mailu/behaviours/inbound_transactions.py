"""SMTP transactions from outside on port 25: sizes, extensions, several messages, and line ends."""

from __future__ import annotations

from pytest_mailu.behaviours.better import ARRIVES, FUNCTION
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.core.endpoints import SMTP_25_OPPORTUNISTIC
from pytest_mailu.core.model import Observation, Outcome, Severity, Stage
from pytest_mailu.core.population import ELSEWHERE, own_mailbox
from pytest_mailu.core.text import whole_number
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.smuggling import ENDS, exchange, smuggle
from pytest_mailu.wire.smtp.reply import expect_positive

READER = own_mailbox("inbound-transactions-reader")


@behaviour(
    "inbound/25/size-announced-too-large",
    endpoint=SMTP_25_OPPORTUNISTIC,
    wanted=Outcome.REFUSED,
    severity=Severity.MINOR,
)
async def announced(probe: Probe) -> Observation:
    """Message with a SIZE above the limit is refused before it is sent

    Other servers send the whole message again and again before they learn that it is too large.

    RFC 1870 section 6.1
    """
    async with probe.smtp(SMTP_25_OPPORTUNISTIC) as smtp:
        limit = whole_number(smtp.offered.get("SIZE", ""))
        if limit is None:
            return probe.seen(Outcome.NOT_OFFERED, Stage.EHLO)
        await smtp.mail(f"stranger@{ELSEWHERE}", f"SIZE={limit + 1}")
        reply = await smtp.rcpt(READER.address)
    return probe.seen(Outcome.ACCEPTED, Stage.RCPT, reply)


@behaviour(
    "inbound/25/size-sent-too-large",
    endpoint=SMTP_25_OPPORTUNISTIC,
    wanted=Outcome.REFUSED,
    severity=Severity.MAJOR,
    variant="small-messages",
    deep=True,
)
async def sent_too_large(probe: Probe) -> Observation:
    """Message larger than MESSAGE_SIZE_LIMIT, sent without SIZE

    Messages of any size fill the disk, or another server tries again for days.

    RFC 1870 section 6.3; RFC 3463 (5.3.4)
    """
    limit = await probe.services.exec("smtp", "postconf", "-h", "message_size_limit")
    message = probe.mail.compose(to=READER.address, signed=False).of_size(int(limit.output) + 4_000).signed()
    return await probe.mail.in_mailbox(message, READER, await probe.mail.deliver(message), wait=5.0)


@behaviour("inbound/25/smtputf8", endpoint=SMTP_25_OPPORTUNISTIC, better=FUNCTION, severity=Severity.MINOR)
async def smtputf8(probe: Probe) -> Observation:
    """Message from an address with a non-ASCII local part (SMTPUTF8)

    People whose addresses have non-Latin letters cannot write to users here.

    RFC 6531
    """
    message = probe.mail.compose(to=READER.address, sender=f"jürgen@{ELSEWHERE}", signed=False)
    async with probe.smtp(SMTP_25_OPPORTUNISTIC) as smtp:
        if "SMTPUTF8" not in smtp.offered:
            return probe.seen(Outcome.NOT_OFFERED, Stage.EHLO)
        done = await smtp.send(
            message.sender, message.recipients, message.content, mail_parameters=("SMTPUTF8", "BODY=8BITMIME")
        )
    return await probe.mail.in_mailbox(message, READER, done.reply)


@behaviour("inbound/25/chunking", endpoint=SMTP_25_OPPORTUNISTIC, better=FUNCTION, severity=Severity.MINOR)
async def chunking(probe: Probe) -> Observation:
    """Message from outside sent with BDAT, where the server offers it

    Mail from servers that use BDAT does not arrive.

    RFC 3030
    """
    message = probe.mail.compose(to=READER.address)
    async with probe.smtp(SMTP_25_OPPORTUNISTIC) as smtp:
        if "CHUNKING" not in smtp.offered:
            return probe.seen(Outcome.NOT_OFFERED, Stage.EHLO)
        await smtp.mail(message.sender)
        await smtp.rcpt(READER.address)
        reply = await smtp.bdat(message.content)
    return await probe.mail.in_mailbox(message, READER, reply)


@behaviour(
    "inbound/25/pipelining",
    endpoint=SMTP_25_OPPORTUNISTIC,
    wanted=Outcome.DELIVERED,
    deep=True,
    better=ARRIVES,
    severity=Severity.MAJOR,
)
async def pipelining(probe: Probe) -> Observation:
    """MAIL, RCPT and DATA sent in one packet from outside

    Mail from servers that use PIPELINING does not arrive.

    RFC 2920; Postfix smtpd_forbid_unauth_pipelining
    """
    message = probe.mail.compose(to=READER.address)
    async with probe.smtp(SMTP_25_OPPORTUNISTIC) as smtp:
        offered = "PIPELINING" in smtp.offered
        lines = (f"MAIL FROM:<{message.sender}>", f"RCPT TO:<{READER.address}>", "DATA")
        for reply, stage in zip(
            await smtp.pipeline(*lines, stage=Stage.DATA), (Stage.MAIL, Stage.RCPT, Stage.DATA), strict=True
        ):
            expect_positive(reply, stage)
        done = expect_positive(await smtp.payload(message.content.replace(b"\r\n.", b"\r\n..") + b".\r\n"), Stage.DATA)
    return probe.with_facts(await probe.mail.in_mailbox(message, READER, done), offered=offered)


@behaviour(
    "inbound/25/two-letters",
    endpoint=SMTP_25_OPPORTUNISTIC,
    wanted=Outcome.DELIVERED,
    deep=True,
    better=ARRIVES,
    severity=Severity.MAJOR,
)
async def two_messages(probe: Probe) -> Observation:
    """Two messages from outside on one connection

    Servers that send many messages on one connection stop after the first.

    RFC 5321 section 3.3
    """
    first, second = probe.mail.compose(to=READER.address), probe.mail.compose(to=READER.address)
    async with probe.smtp(SMTP_25_OPPORTUNISTIC) as smtp:
        await smtp.send(first.sender, first.recipients, first.content)
        reply = (await smtp.send(second.sender, second.recipients, second.content)).reply
    seen = await probe.mail.in_mailbox(first, READER, reply)
    return seen if seen.outcome is not Outcome.DELIVERED else await probe.mail.in_mailbox(second, READER, reply)


@behaviour(
    "inbound/25/smuggling-{end}",
    endpoint=SMTP_25_OPPORTUNISTIC,
    wanted=Outcome.REFUSED,
    affected="Scripts and devices that end messages with such line ends are refused.",
    severity=Severity.CRITICAL,
    each={"end": ENDS},
)
async def smuggling(probe: Probe, end: str) -> Observation:
    """Second message hidden behind {end} in a stranger's message is not accepted

    Strangers can write in anyone's name, past all checks of the sender (SMTP smuggling).

    CVE-2023-51764; RFC 5321 section 4.1.1.4; Postfix smtpd_forbid_bare_newline, in Mailu since 2.0.36
    """
    outer = probe.mail.compose(to=READER.address)
    inner = probe.mail.compose(to=READER.address)
    async with probe.smtp(SMTP_25_OPPORTUNISTIC) as smtp:
        return await smuggle(probe, smtp, outer, inner, ENDS[end])


@behaviour(
    "inbound/25/line-end-{end}",
    endpoint=SMTP_25_OPPORTUNISTIC,
    deep=True,
    better=FUNCTION,
    severity=Severity.MINOR,
    each={"end": ("lf", "cr")},
)
async def line_end(probe: Probe, end: str) -> Observation:
    """Message from outside with {end} as line end

    Mail from careless programs is refused, or arrives changed.

    RFC 5321 section 2.3.8; Postfix smtpd_forbid_bare_newline
    """
    message = probe.mail.compose(to=READER.address)
    bare = {"lf": b"\n", "cr": b"\r"}[end]
    payload = message.content.replace(b"\r\n.", b"\r\n..").replace(b"\r\n", bare)
    async with probe.smtp(SMTP_25_OPPORTUNISTIC) as smtp:
        await smtp.mail(message.sender)
        await smtp.rcpt(READER.address)
        reply, more, hung_up = await exchange(smtp, payload + b"\r\n.\r\n")
    if reply.code.startswith("2"):
        seen = await probe.mail.in_mailbox(message, READER, reply)
    else:
        seen = probe.seen(Outcome.DEFERRED if reply.code.startswith("4") else Outcome.REFUSED, Stage.DATA, reply)
    return probe.with_facts(seen, hung_up=hung_up, more_replies=[extra.code for extra in more])
