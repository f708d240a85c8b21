"""Content of users' messages, as it arrives at others."""

from __future__ import annotations

from dataclasses import replace

from pytest_mailu.behaviours.better import ARRIVES, FUNCTION, GOES_OUT
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.core.endpoints import SUBMISSIONS_465
from pytest_mailu.core.model import Observation, Outcome, Severity
from pytest_mailu.core.population import ELSEWHERE, own_mailbox
from pytest_mailu.probe.messages import Message
from pytest_mailu.probe.probe import Probe

WRITER = own_mailbox("content-writer")
READER = own_mailbox("content-reader")
NOTIFIED = own_mailbox("content-notified")
SOMEONE = f"someone@{ELSEWHERE}"

BODIES = {
    "8bit": "Grüße aus Köln, 8 Bit weit\r\n".encode(),
    "dots": b".\r\n..\r\n...\r\n.a\r\na.\r\n",
    "line-998": b"x" * 998 + b"\r\n",
    "line-5000": b"y" * 5000 + b"\r\n",
    "trailing-space": b"a line with spaces at its end   \r\n\t\r\n",
    "no-text": b"",
    "nul": b"a\x00b\r\n",
}
"""RFC 6152 for 8 bits; RFC 5321 sections 4.5.2 for dots and 4.5.3.1.6 for lines of at most 998 characters."""
KEPT = ("8bit", "dots", "line-998", "trailing-space", "no-text")
ODD = ("line-5000", "nul")


def _made(probe: Probe, body: bytes, to: str = SOMEONE) -> Message:
    return probe.mail.compose(to=to, sender=WRITER.address).with_body(body)


@behaviour(
    "submission/465-tls/body-{kind}",
    endpoint=SUBMISSIONS_465,
    wanted=Outcome.DELIVERED,
    deep=True,
    better=GOES_OUT,
    severity=Severity.MAJOR,
    each={"kind": KEPT},
)
async def body_kept(probe: Probe, kind: str) -> Observation:
    """Message body "{kind}" of a user arrives unchanged at another server

    Users' messages arrive damaged, and their signatures fail.

    RFC 5321 sections 4.5.2 and 4.5.3.1.6; RFC 6152
    """
    return await _body(probe, kind)


@behaviour(
    "submission/465-tls/body-{kind}",
    endpoint=SUBMISSIONS_465,
    deep=True,
    better=FUNCTION,
    severity=Severity.MINOR,
    each={"kind": ODD},
)
async def body_odd(probe: Probe, kind: str) -> Observation:
    """Message body "{kind}" of a user, which programs should not send but some do

    Such messages are refused, or arrive changed, unlike before.

    RFC 5321 section 4.5.3.1.6; RFC 5322 section 2.3 (no NUL); Postfix smtp_line_length_limit
    """
    return await _body(probe, kind)


async def _body(probe: Probe, kind: str) -> Observation:
    message = _made(probe, BODIES[kind])
    parameters = ("BODY=8BITMIME",) if kind == "8bit" else ()
    async with probe.smtp(SUBMISSIONS_465) as smtp:
        await smtp.login(WRITER.address, WRITER.password)
        reply = (await smtp.send(message.sender, message.recipients, message.content, mail_parameters=parameters)).reply
    seen = await probe.mail.at_world(message, reply)
    if seen.outcome is not Outcome.DELIVERED or seen.facts["arrival"]["body_kept"]:
        return seen
    return replace(seen, outcome=Outcome.ALTERED)


@behaviour(
    "submission/465-tls/8bit-to-mailbox",
    endpoint=SUBMISSIONS_465,
    wanted=Outcome.DELIVERED,
    deep=True,
    better=ARRIVES,
    severity=Severity.MAJOR,
)
async def eight_bits_here(probe: Probe) -> Observation:
    """8-bit message from one user to another

    Umlauts and other non-ASCII characters arrive damaged.

    RFC 6152
    """
    message = _made(probe, BODIES["8bit"], READER.address)
    async with probe.smtp(SUBMISSIONS_465) as smtp:
        await smtp.login(WRITER.address, WRITER.password)
        sending = await smtp.send(
            message.sender, message.recipients, message.content, mail_parameters=("BODY=8BITMIME",)
        )
    return await probe.mail.in_mailbox(message, READER, sending.reply)


@behaviour("submission/465-tls/gtube", endpoint=SUBMISSIONS_465, severity=Severity.MINOR)
async def gtube(probe: Probe) -> Observation:
    """Spam test string (GTUBE) in a user's message to another domain

    The spam filter checks users' mail, or does not any more.

    Rspamd, "GTUBE"; Mailu core/rspamd/conf
    """
    text = b"XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\r\n"
    message = _made(probe, text)
    return await probe.mail.at_world(message, await probe.mail.submit(message, SUBMISSIONS_465, WRITER))
