"""Messages with a unique token each, by which they are found again."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, localtime

from pytest_mailu.core.population import ELSEWHERE
from pytest_mailu.stack.world.dkim import sign

BODY = "A letter from pytest-mailu.\r\n\r\nSecond paragraph, with a line that starts with a dot:\r\n.dotted\r\n"


@dataclass(frozen=True, slots=True)
class Message:
    """One message with its envelope. `content` has CRLF line ends, as DATA wants it without dot stuffing."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    message_id: str
    token: str

    @property
    def body(self) -> bytes:
        """What comes after the header."""
        return self.content.partition(b"\r\n\r\n")[2]

    def with_body(self, body: bytes) -> Message:
        """The same head over these very bytes and a last line with the token (see `compose_message` for why)."""
        head = self.content.partition(b"\r\n\r\n")[0]
        return replace(self, content=head + b"\r\n\r\n" + body + self.token.encode() + b"\r\n")

    def of_size(self, size: int) -> Message:
        """The same head over lines of text, so that the whole has `size` bytes (the head and a line at least)."""
        line = b"0123456789" * 7 + b"\r\n"
        missing = max(size - len(self.with_body(b"").content), 0)
        lines, rest = divmod(missing, len(line))
        if rest == 1:  # no line is that short: the last two share what is left
            lines, rest = lines - 1, rest + len(line)
        return self.with_body(line * max(lines, 0) + (b"x" * (rest - 2) + b"\r\n" if rest else b""))

    def with_attachment(self, name: str, content: bytes | EmailMessage) -> Message:
        """The same head over a line of text with the token, and a file; a message is attached as it is (RFC 2046)."""
        whole = EmailMessage(policy=SMTP)
        for line in self.content.partition(b"\r\n\r\n")[0].decode().split("\r\n"):
            field, _, value = line.partition(": ")
            if field.lower() in ("from", "to", "subject", "date", "message-id"):
                whole[field] = value
        whole.set_content(f"See what is attached. {self.token}\n")
        if isinstance(content, EmailMessage):
            whole.add_attachment(content)
        else:
            whole.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
        return replace(self, content=whole.as_bytes())

    def signed(self) -> Message:
        """The same with a DKIM signature of `ELSEWHERE` (RFC 6376), as the content is now."""
        return replace(self, content=sign(self.content, ELSEWHERE))


def compose_message(
    *,
    to: str | Sequence[str],
    sender: str | None = None,
    header_from: str | None = None,
    subject: str = "A question",
    body: str = BODY,
    headers: Mapping[str, str] | None = None,
    without: Sequence[str] = (),
) -> Message:
    """A well-formed message (RFC 5322) with a token of its own in Subject and Message-ID.

    `sender` is a stranger at `ELSEWHERE` with a local part of its own, unless given: Rspamd puts off everything between
    a sender and a recipient once one message was put off (greylist.lua), and one question must not spoil the next.
    `header_from` differs from the envelope's `sender` only where that is the question; `without` names headers to leave
    out; `headers` are added.
    """
    recipients = (to,) if isinstance(to, str) else tuple(to)
    token = secrets.token_hex(8)
    sender = f"stranger-{token}@{ELSEWHERE}" if sender is None else sender
    domain = (header_from or sender).rpartition("@")[2] or ELSEWHERE
    message_id = f"<{token}@{domain}>"
    message = EmailMessage(policy=SMTP.clone(utf8=not (sender + "".join(recipients)).isascii()))
    author = header_from or sender or f"postmaster@{ELSEWHERE}"
    message["From"] = Address(display_name="", addr_spec=author) if author.isascii() else author
    message["To"] = ", ".join(recipients)
    message["Subject"] = f"{subject} [{token}]"
    message["Date"] = format_datetime(localtime())
    message["Message-ID"] = message_id
    for name, value in (headers or {}).items():
        message[name] = value
    # Rspamd greylists by body as well (greylist.lua): no two messages may have the same.
    text = f"{body}{token}\n".replace("\r\n", "\n")
    message.set_content(text, cte="7bit" if body.isascii() else None)
    for name in without:
        del message[name]
    return Message(sender, recipients, message.as_bytes(), message_id, token)


def header_names(content: bytes) -> dict[str, int]:
    """How often each header occurs in a message, by its name in lower case."""
    names: dict[str, int] = {}
    for match in re.finditer(rb"(?m)^([!-9;-~]+):", content.partition(b"\r\n\r\n")[0]):
        name = match[1].decode("ascii").lower()
        names[name] = names.get(name, 0) + 1
    return names
