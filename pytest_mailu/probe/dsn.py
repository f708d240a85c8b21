"""Facts of delivery status notifications (RFC 3464), bounces above all."""

from __future__ import annotations

import email
import email.policy
import re
from email.message import Message
from typing import Any

FIELDS = ("Action", "Status", "Final-Recipient", "Original-Recipient", "Diagnostic-Code", "Remote-MTA", "Reporting-MTA")
"""The fields of RFC 3464 section 2 that are compared; dates, queue ids and the sender's copy are not."""


def dsn_facts(content: bytes) -> dict[str, Any]:
    """Whether a message is a well-formed notification (RFC 6522), its parts, and its fields."""
    message = email.message_from_bytes(content, policy=email.policy.compat32)
    said: dict[str, str] = {}
    for part in message.walk():
        if part.get_content_type() == "message/delivery-status":
            for group in _groups(part):
                said.update({name: _settled(group[name]) for name in FIELDS if name in group})
    parts = [part.get_content_type() for part in message.get_payload() if isinstance(part, Message)]
    report = message.get_param("report-type")
    return {
        "type": message.get_content_type(),
        "report": str(report or ""),
        "parts": "; ".join(parts) if message.is_multipart() else "",
        "auto_submitted": str(message.get("Auto-Submitted", "")),
        "well_formed": report == "delivery-status" and bool({"Action", "Status", "Final-Recipient"} <= said.keys()),
        **{name.lower().replace("-", "_"): value for name, value in said.items()},
    }


def _settled(value: str) -> str:
    """One line, without the session id that Dovecot's LMTP puts before "Saved" (lmtp-local.c)."""
    return re.sub(r"\b[A-Za-z0-9+/]{16,}=*(?= Saved)", "<session id>", " ".join(str(value).split()))


def _groups(part: Message) -> list[Message]:
    payload = part.get_payload()
    return [group for group in payload if isinstance(group, Message)] if isinstance(payload, list) else []
