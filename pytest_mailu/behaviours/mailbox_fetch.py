"""What IMAP FETCH tells of a known message: ENVELOPE, BODYSTRUCTURE and single parts (RFC 9051 section 6.4.5)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any

from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.helpers import temporary_folder
from pytest_mailu.behaviours.needs import MAILBOX
from pytest_mailu.core.endpoints import IMAPS_993
from pytest_mailu.core.model import Observation, Outcome, Severity, Stage
from pytest_mailu.core.population import own_mailbox
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.questions import Answers, in_one_session
from pytest_mailu.probe.shared import shared
from pytest_mailu.wire.imap.reply import text_of
from pytest_mailu.wire.imap.session import ImapSession

FETCHER = own_mailbox("fetcher")

KNOWN = b"""Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r
From: =?utf-8?q?J=C3=B6rg?= Gray <gray@elsewhere.example>\r
Sender: office@elsewhere.example\r
Reply-To: replies@elsewhere.example\r
To: "Reader, A." <reader@post.example>, second@post.example\r
Cc: minutes@elsewhere.example\r
Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= and figures\r
Message-ID: <known-1@elsewhere.example>\r
In-Reply-To: <known-0@elsewhere.example>\r
MIME-Version: 1.0\r
Content-Type: multipart/mixed; boundary=outer\r
\r
--outer\r
Content-Type: multipart/alternative; boundary=inner\r
\r
--inner\r
Content-Type: text/plain; charset=utf-8\r
Content-Transfer-Encoding: quoted-printable\r
\r
Gr=C3=BC=C3=9Fe\r
--inner\r
Content-Type: text/html; charset=utf-8\r
\r
<p>figures</p>\r
--inner--\r
--outer\r
Content-Type: application/pdf; name="=?utf-8?q?Gr=C3=B6=C3=9Fe=2Epdf?="\r
Content-Disposition: attachment; filename*=utf-8''Gr%C3%B6%C3%9Fe.pdf\r
Content-Transfer-Encoding: base64\r
\r
JVBERi0xLjQK\r
--outer--\r
"""
"""A message with a known structure: alternatives, and an attachment with a non-ASCII name."""
ENVELOPE = {
    "date": "1996-07-17T02:23:25-07:00",
    "subject": "=?utf-8?q?Gr=C3=BC=C3=9Fe?= and figures",
    "from": [{"name": "=?utf-8?q?J=C3=B6rg?= Gray", "route": None, "mailbox": "gray", "host": "elsewhere.example"}],
    "sender": [{"name": None, "route": None, "mailbox": "office", "host": "elsewhere.example"}],
    "reply_to": [{"name": None, "route": None, "mailbox": "replies", "host": "elsewhere.example"}],
    "to": [
        {"name": "Reader, A.", "route": None, "mailbox": "reader", "host": "post.example"},
        {"name": None, "route": None, "mailbox": "second", "host": "post.example"},
    ],
    "cc": [{"name": None, "route": None, "mailbox": "minutes", "host": "elsewhere.example"}],
    "bcc": None,
    "in_reply_to": "<known-0@elsewhere.example>",
    "message_id": "<known-1@elsewhere.example>",
}
PARTS = {
    "BODY[1.1]": b"Gr=C3=BC=C3=9Fe",
    "BODY[1.2]": b"<p>figures</p>",
    "BODY[2]": b"JVBERi0xLjQK",
    "BODY[HEADER.FIELDS (MESSAGE-ID)]": b"Message-ID: <known-1@elsewhere.example>\r\n\r\n",
    "BODY[1.2.MIME]": b"Content-Type: text/html; charset=utf-8\r\n\r\n",
    "BODY[]<6>": b"Wed, 17",
}


FETCHED = {
    "envelope": "ENVELOPE",
    "bodystructure": "BODYSTRUCTURE",
    "parts": " ".join(name.replace("BODY[", "BODY.PEEK[").replace("<6>", "<6.7>") for name in PARTS),
}


@behaviour("mailbox/993/envelope", needs=MAILBOX, endpoint=IMAPS_993, wanted=Outcome.ACCEPTED, severity=Severity.MAJOR)
async def envelope(probe: Probe) -> Observation:
    """IMAP ENVELOPE of a known message

    Message lists show wrong senders, subjects or dates.

    RFC 9051 section 7.5.2 (ENVELOPE)
    """
    found = (await _known(probe))["envelope"]
    seen = plain(found.get("ENVELOPE"))
    return probe.seen(Outcome.ACCEPTED if seen == ENVELOPE else Outcome.ALTERED, Stage.COMMAND, envelope=seen)


@behaviour(
    "mailbox/993/bodystructure", needs=MAILBOX, endpoint=IMAPS_993, wanted=Outcome.ACCEPTED, severity=Severity.MAJOR
)
async def bodystructure(probe: Probe) -> Observation:
    """IMAP BODYSTRUCTURE of a known message with alternatives and a non-ASCII attachment name

    Programs do not find the text, or show no attachments.

    RFC 9051 section 7.5.2 (BODYSTRUCTURE)
    """
    found = (await _known(probe))["bodystructure"]
    facts = {"structure": plain(found.get("BODYSTRUCTURE"))}
    right = all(word in str(facts).lower() for word in ("alternative", "html", "pdf", "base64"))
    return probe.seen(Outcome.ACCEPTED if right else Outcome.ALTERED, Stage.COMMAND, **facts)


@behaviour("mailbox/993/parts", needs=MAILBOX, endpoint=IMAPS_993, wanted=Outcome.ACCEPTED, severity=Severity.MAJOR)
async def parts(probe: Probe) -> Observation:
    """Single parts of a known message

    Programs show wrong texts, or attachments that cannot be opened.

    RFC 9051 section 6.4.5.1
    """
    found = (await _known(probe))["parts"]
    right = {name: found.get(name) == content for name, content in PARTS.items()}
    return probe.seen(Outcome.ACCEPTED if all(right.values()) else Outcome.ALTERED, Stage.COMMAND, right=right)


@shared
async def _known(probe: Probe) -> Answers[dict[str, Any]]:
    """What is fetched of the known message, by the names in `FETCHED`."""

    @asynccontextmanager
    async def known_message() -> AsyncIterator[ImapSession]:
        async with temporary_folder(probe, FETCHER) as (imap, name):
            await imap.append(name, KNOWN)
            await imap.noop()
            yield imap

    def of(items: str) -> Callable[[ImapSession], Awaitable[dict[str, Any]]]:
        async def fetched(imap: ImapSession) -> dict[str, Any]:
            return next(iter((await imap.fetch("1:*", f"(UID {items})")).values()), {})

        return fetched

    return await in_one_session(known_message, {name: of(items) for name, items in FETCHED.items()})


def plain(value: Any) -> Any:
    """A response of imapclient as JSON can hold it: its own types by their fields, bytes as text."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name.strip("_"): plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple | list):
        return [plain(inner) for inner in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return value if isinstance(value, int | None) else text_of(value)
