"""Facts of delivery status notifications (RFC 3464), bounces above all."""

from __future__ import annotations

import email
import email.policy
import re
from email.message import Message
from typing import Any

from pytest_mailu.core.text import show_line
from pytest_mailu.wire.transport.errors import CannotAsk

LONGEST = 1 << 18
LONGEST_FIELD = 1000
MOST_PARTS = 20
"""Bytes of a message, characters of a field, and parts that are read."""

FIELDS = ("Action", "Status", "Final-Recipient", "Original-Recipient", "Diagnostic-Code", "Remote-MTA", "Reporting-MTA")
"""The fields of RFC 3464 section 2 that are compared; dates, queue ids and the sender's copy are not."""


def dsn_facts(content: bytes) -> dict[str, Any]:
    """Whether a message is a well-formed notification (RFC 6522), its parts, and its fields.

    Raises `CannotAsk` for one that cannot be read.
    """
    try:
        return _facts(email.message_from_bytes(content[:LONGEST], policy=email.policy.compat32))
    except Exception as error:  # email's own, for a message that makes no sense; RecursionError for one nested too deep
        raise CannotAsk(f"a notification that cannot be read: {show_line(str(error), 80)}") from error


def _facts(message: Message) -> dict[str, Any]:
    said: dict[str, str] = {}
    for part in message.walk():
        if part.get_content_type() == "message/delivery-status":
            for group in _groups(part):
                said.update({name: _settled(group[name]) for name in FIELDS if name in group})
    parts = [part.get_content_type()[:LONGEST_FIELD] for part in _groups(message)[:MOST_PARTS]]
    report = message.get_param("report-type")
    return {
        "type": message.get_content_type()[:LONGEST_FIELD],
        "report": show_line(str(report or ""), LONGEST_FIELD),
        "parts": "; ".join(parts) if message.is_multipart() else "",
        "auto_submitted": show_line(str(message.get("Auto-Submitted", "")), LONGEST_FIELD),
        "well_formed": report == "delivery-status" and bool({"Action", "Status", "Final-Recipient"} <= said.keys()),
        **{name.lower().replace("-", "_"): value for name, value in said.items()},
    }


def _settled(value: str) -> str:
    """One line, without the session id that Dovecot's LMTP puts before "Saved" (lmtp-local.c)."""
    line = show_line(" ".join(str(value)[: 4 * LONGEST_FIELD].split()), LONGEST_FIELD)
    return re.sub(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{16,}+=*(?= Saved)", "<session id>", line)


def _groups(part: Message) -> list[Message]:
    payload = part.get_payload()
    return [group for group in payload if isinstance(group, Message)] if isinstance(payload, list) else []
