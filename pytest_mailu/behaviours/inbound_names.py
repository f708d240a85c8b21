"""Addresses and names with special characters: recipients of every kind, and what stands in From, To and Subject."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pytest_mailu.behaviours.better import ARRIVES, FUNCTION
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.core.endpoints import SMTP_25_OPPORTUNISTIC
from pytest_mailu.core.model import Observation, Outcome, Severity, Stage
from pytest_mailu.core.population import ALICE, CAROL, DOMAIN, ELSEWHERE, INTERNATIONAL, ODD_ADDRESSES, own_mailbox
from pytest_mailu.probe.headers import fields
from pytest_mailu.probe.messages import Message
from pytest_mailu.probe.probe import Probe
from pytest_mailu.stack.world.dkim import sign

READER = own_mailbox("names-reader")
INTERNATIONAL_READER = own_mailbox("names-international", domain=INTERNATIONAL)
DETAILS = {
    "detail-signs": f"carol+a-b_c.d=e@{DOMAIN}",
    "detail-upper": f"CAROL+Lists@{DOMAIN}",
    "detail-twice": f"carol+a+b@{DOMAIN}",
    "detail-long": f"carol+{'x' * 58}@{DOMAIN}",
    "detail-empty": f"carol+@{DOMAIN}",
}
KINDS = {kind: alias.address for kind, alias in ODD_ADDRESSES.items()} | DETAILS
QUOTED = {
    "quoted-string": f'"carol"@{DOMAIN}',
    "quoted-detail": f'"carol+a b"@{DOMAIN}',
    "source-route": f"@relay.example:carol@{DOMAIN}",
    "trailing-dot": f"carol@{DOMAIN}.",
}
"""Spellings that RFC 5321 knows and few programs use."""
NAMES = {
    "encoded-word": "=?utf-8?q?J=C3=BCrgen_M=C3=BCller?=",
    "encoded-base64": "=?utf-8?b?5p2x5Lqs?= =?utf-8?b?5aSn6Ziq?=",
    "encoded-latin-1": "=?iso-8859-1?Q?Fran=E7ois?=",
    "quotes": '"Jane \\"JD\\" Doe"',
    "comma": '"Doe, Jane"',
    "parentheses": '"Jane (sales)"',
    "at-sign": '"jane@home.example"',
    "backslash": '"Jane \\\\ Doe"',
    "comment": "Jane (of sales) Doe",
    "dots": '"Dr. J. Doe"',
    "semicolon": '"Doe; Jane"',
    "empty": '""',
}
"""Display names as they are written in a header field, by kind (RFC 5322 section 3.4, RFC 2047)."""
RAW = "Jürgen Müller, 東京"


@behaviour(
    "inbound/address/{kind}",
    wanted=Outcome.DELIVERED,
    endpoint=SMTP_25_OPPORTUNISTIC,
    deep={"kind": ("underscore", "hyphens", "digits", "detail-upper", "detail-twice", "detail-empty")},
    better=ARRIVES,
    severity=Severity.MAJOR,
    each={"kind": KINDS},
)
async def address(probe: Probe, kind: str) -> Observation:
    """Message from outside to an address of the kind "{kind}"

    Mail to such addresses does not arrive.

    RFC 5321 sections 4.1.2 and 4.5.3.1; RFC 5233; Mailu core/admin/mailu/models.py (resolve_destination)
    """
    message = probe.mail.compose(to=ALICE.address)
    message = replace(message, recipients=(KINDS[kind],))
    return await probe.mail.in_mailbox(message, CAROL, await probe.mail.deliver(message))


@behaviour(
    "inbound/address/{kind}",
    endpoint=SMTP_25_OPPORTUNISTIC,
    deep={"kind": ("quoted-detail", "source-route")},
    better=FUNCTION,
    severity=Severity.MINOR,
    each={"kind": QUOTED},
)
async def spelling(probe: Probe, kind: str) -> Observation:
    """Message from outside to an address that is spelled unusually ({kind})

    Mail from programs that spell addresses like this is refused, or arrives elsewhere.

    RFC 5321 sections 4.1.2 (quoted strings), 4.1.1.3 and appendix C (source routes)
    """
    message = replace(probe.mail.compose(to=ALICE.address), recipients=(QUOTED[kind],))
    return await probe.mail.in_mailbox(message, CAROL, await probe.mail.deliver(message), wait=6.0)


def named(message: Message) -> Message:
    """The message with a mailbox of every kind of `NAMES` in To, and a sender and subject with special characters."""
    head, _, body = message.content.partition(b"\r\n\r\n")
    mailboxes = ",\r\n ".join(f"{name} <{kind}@{ELSEWHERE}>" for kind, name in NAMES.items())
    lines = []
    for line in head.decode().split("\r\n"):
        match line.partition(":")[0].lower():
            case "to":
                lines.append(f"To: {mailboxes}")
            case "from":
                lines.append(f"From: {NAMES['comma']} <{message.sender}>")
            case "subject":
                lines.append(f'Subject: =?utf-8?q?Gr=C3=B6=C3=9Fe_=26?= "so" (or\\so) [{message.token}]')
            case _:
                lines.append(line)
    return replace(message, content="\r\n".join(lines).encode() + b"\r\n\r\n" + body)


@behaviour(
    "inbound/address/international-domain",
    wanted=Outcome.DELIVERED,
    endpoint=SMTP_25_OPPORTUNISTIC,
    better=ARRIVES,
    severity=Severity.MAJOR,
)
async def international(probe: Probe) -> Observation:
    """Message from outside to a mailbox at a domain whose name is not ASCII

    Mail to such domains does not arrive.

    RFC 5890 (A-labels); Mailu core/admin/mailu/models.py (IdnaDomain)
    """
    message = probe.mail.compose(to=INTERNATIONAL_READER.address)
    return await probe.mail.in_mailbox(message, INTERNATIONAL_READER, await probe.mail.deliver(message))


@behaviour(
    "inbound/names/{kind}",
    wanted=Outcome.DELIVERED,
    endpoint=SMTP_25_OPPORTUNISTIC,
    severity=Severity.MINOR,
    each={"kind": (*NAMES, "from", "subject")},
)
async def names(probe: Probe, kind: str) -> Observation:
    """Names with special characters in the header arrive unchanged ({kind})

    Readers see wrong names, answer to wrong addresses, or signatures fail.

    RFC 5322 section 3.4; RFC 2047; Postfix rewrites addresses in headers (core/postfix/conf/main.cf, canonical maps)
    """

    async def ask(own: Probe) -> tuple[Observation, dict[str, str], dict[str, str]]:
        message = named(own.mail.compose(to=READER.address, signed=False))
        message = replace(message, content=sign(message.content, ELSEWHERE))
        seen, content = await own.mail.landed(message, READER, await own.mail.deliver(message))
        sent, found = (own.with_common_names(_shown(text)) for text in (message.content, content))
        return seen, sent, found

    seen, sent, found = await probe.shared("inbound: message with special names", ask)
    if seen.outcome not in (Outcome.DELIVERED, Outcome.ALTERED):
        return seen
    field = kind if kind in ("from", "subject") else "to"
    wanted = sent[field] if field == kind else f"{NAMES[kind]} <{kind}@{ELSEWHERE}>"
    kept = wanted in found.get(field, "")
    facts: dict[str, Any] = {} if kept else {"found": found.get(field, "")}
    return probe.seen(Outcome.DELIVERED if kept else Outcome.ALTERED, Stage.DELIVERY, **facts)


def _shown(content: bytes) -> dict[str, str]:
    """The three fields as they stand in a message."""
    return {name: value for name, value in fields(content) if name in ("to", "from", "subject")}


@behaviour(
    "inbound/names/raw-{field}",
    endpoint=SMTP_25_OPPORTUNISTIC,
    deep=True,
    better=FUNCTION,
    severity=Severity.MINOR,
    each={"field": ("from", "subject")},
)
async def raw(probe: Probe, field: str) -> Observation:
    """Name with letters outside ASCII in the header without encoding ({field}), sent with SMTPUTF8

    Mail of modern programs from other countries is refused or unreadable.

    RFC 6532; RFC 6531
    """

    async def ask(own: Probe) -> tuple[Observation, dict[str, str]]:
        message = own.mail.compose(to=READER.address, signed=False)
        head, _, body = message.content.partition(b"\r\n\r\n")
        text = head.decode().replace("From: ", f'From: "{RAW}" <', 1).replace("\r\nTo:", ">\r\nTo:", 1)
        text = text.replace("Subject: ", f"Subject: {RAW} ", 1)
        message = replace(message, content=sign(text.encode() + b"\r\n\r\n" + body, ELSEWHERE))
        async with own.smtp(SMTP_25_OPPORTUNISTIC) as smtp:
            if "SMTPUTF8" not in smtp.offered:
                return own.seen(Outcome.NOT_OFFERED, Stage.EHLO), {}
            done = await smtp.send(
                message.sender, message.recipients, message.content, mail_parameters=("SMTPUTF8", "BODY=8BITMIME")
            )
        seen, content = await own.mail.landed(message, READER, done.reply)
        return seen, own.with_common_names(_shown(content))

    seen, found = await probe.shared("inbound: message with raw names", ask)
    if seen.outcome not in (Outcome.DELIVERED, Outcome.ALTERED):
        return seen
    kept = RAW in found.get(field, "")
    facts: dict[str, Any] = {} if kept else {"found": found}
    return probe.seen(Outcome.DELIVERED if kept else Outcome.ALTERED, Stage.DELIVERY, **facts)
