"""Content of messages from outside: bodies, large messages and attachments."""

from __future__ import annotations

from io import BytesIO
from zipfile import ZipFile

from pytest_mailu.behaviours.better import ARRIVES, FUNCTION
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.core.endpoints import SMTP_25_OPPORTUNISTIC
from pytest_mailu.core.model import Observation, Outcome, Severity
from pytest_mailu.core.population import own_mailbox
from pytest_mailu.probe.probe import Probe

READER = own_mailbox("inbound-content-reader")
LARGE_READER = own_mailbox("inbound-large-reader")
LARGE = 12_000_000
"""Bytes, as of usual attachments; well below the 50 MB that Mailu allows by default."""
BODIES = {
    "8bit": "Grüße aus Köln, 8 Bit weit\r\n".encode(),
    "dots": b".\r\n..\r\n...\r\n.a\r\na.\r\n",
    "line-998": b"x" * 998 + b"\r\n",
    "from-line": b"From the beginning\r\n>From the end\r\n",
}
ODD = {"line-5000": b"y" * 5000 + b"\r\n"}


def _zip(name: str) -> bytes:
    out = BytesIO()
    with ZipFile(out, "w") as archive:
        archive.writestr(name, b"nothing to see")
    return out.getvalue()


WELCOME = {"pdf": ("paper.pdf", b"%PDF-1.4\n%%EOF\n"), "zip": ("papers.zip", _zip("paper.txt"))}
FORBIDDEN = {
    "exe": ("setup.exe", b"MZ not a program"),
    "js": ("page.js", b"alert(1)"),
    "exe-in-zip": ("papers.zip", _zip("setup.exe")),
    "iso": ("disk.iso", b"CD001"),
}


@behaviour(
    "inbound/25/body-{kind}",
    endpoint=SMTP_25_OPPORTUNISTIC,
    wanted=Outcome.DELIVERED,
    deep=True,
    better=ARRIVES,
    severity=Severity.MAJOR,
    each={"kind": BODIES},
)
async def body_kept(probe: Probe, kind: str) -> Observation:
    """Message body "{kind}" from outside arrives unchanged

    Messages from outside arrive damaged, and their signatures fail.

    RFC 5321 sections 4.5.2 and 4.5.3.1.6; RFC 6152
    """
    return await _body(probe, BODIES[kind])


@behaviour(
    "inbound/25/body-{kind}",
    endpoint=SMTP_25_OPPORTUNISTIC,
    deep=True,
    better=FUNCTION,
    severity=Severity.MINOR,
    each={"kind": ODD},
)
async def body_odd(probe: Probe, kind: str) -> Observation:
    """Message body "{kind}" from outside, which servers should not send but some do

    Such messages are refused, or arrive changed, unlike before.

    RFC 5321 section 4.5.3.1.6
    """
    return await _body(probe, ODD[kind])


async def _body(probe: Probe, body: bytes) -> Observation:
    message = probe.mail.compose(to=READER.address, signed=False).with_body(body).signed()
    parameters = () if body.isascii() else ("BODY=8BITMIME",)
    async with probe.smtp(SMTP_25_OPPORTUNISTIC) as smtp:
        done = await smtp.send(message.sender, message.recipients, message.content, mail_parameters=parameters)
    return await probe.mail.in_mailbox(message, READER, done.reply)


@behaviour(
    "inbound/25/large",
    endpoint=SMTP_25_OPPORTUNISTIC,
    deep=True,
    wanted=Outcome.DELIVERED,
    better=ARRIVES,
    severity=Severity.CRITICAL,
    timeout=90.0,
)
async def large(probe: Probe) -> Observation:
    """Message of 12 MB from outside

    Photos and documents from outside do not arrive.

    RFC 1870; Mailu docs, "Configuration reference" (MESSAGE_SIZE_LIMIT)
    """
    message = probe.mail.compose(to=LARGE_READER.address, signed=False).of_size(LARGE).signed()
    return await probe.mail.in_mailbox(message, LARGE_READER, await probe.mail.deliver(message), wait=40.0)


@behaviour(
    "inbound/25/attachment-{kind}",
    endpoint=SMTP_25_OPPORTUNISTIC,
    wanted=Outcome.DELIVERED,
    deep={"kind": ("zip",)},
    better=ARRIVES,
    severity=Severity.CRITICAL,
    each={"kind": WELCOME},
)
async def attachment(probe: Probe, kind: str) -> Observation:
    """Message from outside with an attachment ({kind})

    Documents from outside do not arrive, or arrive damaged.

    RFC 2183; Mailu core/rspamd/conf/forbidden_file_extension.map
    """
    return await _attached(probe, *WELCOME[kind])


@behaviour(
    "inbound/25/attachment-{kind}",
    endpoint=SMTP_25_OPPORTUNISTIC,
    wanted=Outcome.REFUSED,
    affected="People who send such files on purpose are refused.",
    severity=Severity.MAJOR,
    each={"kind": FORBIDDEN},
)
async def forbidden_attachment(probe: Probe, kind: str) -> Observation:
    """Message from outside with a forbidden attachment ({kind}) is refused

    Programs from strangers reach users by mail.

    Mailu core/rspamd/conf/multimap.conf (FORBIDDEN_FILE_EXTENSION) and forbidden_file_extension.map, since 2.0
    """
    return await _attached(probe, *FORBIDDEN[kind])


async def _attached(probe: Probe, name: str, content: bytes) -> Observation:
    sent = probe.mail.compose(to=READER.address, signed=False).with_attachment(name, content).signed()
    return await probe.mail.in_mailbox(sent, READER, await probe.mail.deliver(sent))


@behaviour("inbound/25/gtube", endpoint=SMTP_25_OPPORTUNISTIC, wanted=Outcome.REFUSED, severity=Severity.MAJOR)
async def gtube(probe: Probe) -> Observation:
    """Message from outside with the spam test string (GTUBE) is refused

    The spam filter does not filter.

    Rspamd, "GTUBE"
    """
    text = b"XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\r\n"
    return await _body(probe, text)
