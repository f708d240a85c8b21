"""A dozen standard messages of strangers, as spam filters meet them every day."""

from __future__ import annotations

import io
import secrets
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from email.message import EmailMessage
from email.policy import SMTP
from types import MappingProxyType

from pytest_mailu.core.eicar import EICAR
from pytest_mailu.core.population import ALICE, BOB, ELSEWHERE, FORGED, STRANGER_HOST
from pytest_mailu.probe.messages import Message, compose_message
from pytest_mailu.stack.world.dkim import sign

GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
"""The test string of spam filters (Rspamd, "GTUBE")."""


@dataclass(frozen=True, slots=True)
class StandardMessage:
    """`how` are arguments of `compose_message`; `attachment` is a file name and content; `helo` names the sender.

    `sender_at` is the domain of a sender with a local part of its own each time. On data of an old release, greylisting
    remembers a sender, and lets pass what it put off there.
    """

    how: Mapping[str, object] = field(default_factory=dict)
    attachment: tuple[str, bytes] = ("", b"")
    html: str = ""
    large: int = 0
    signed: bool = True
    helo: str = STRANGER_HOST
    sender_at: str = ""

    def message(self) -> Message:
        """The message, with a token of its own."""
        sender = {"sender": f"stranger-{secrets.token_hex(8)}@{self.sender_at}"} if self.sender_at else {}
        made = compose_message(**{"to": ALICE.address, **sender, **self.how})  # type: ignore[arg-type]
        if self.html or self.attachment[0]:
            made = replace(made, content=self._parts(made))
        if self.large:
            made = made.of_size(self.large)
        return replace(made, content=sign(made.content, ELSEWHERE)) if self.signed else made

    def _parts(self, made: Message) -> bytes:
        head = made.content.partition(b"\r\n\r\n")[0].decode()
        whole = EmailMessage(policy=SMTP)
        for line in head.split("\r\n"):
            name, _, value = line.partition(": ")
            if name.lower() not in ("content-type", "content-transfer-encoding", "mime-version"):
                whole[name] = value
        if self.html:
            whole.set_content(f"<html><body>{self.html}<p>{made.token}</p></body></html>", subtype="html")
        else:
            whole.set_content(f"See what is attached. {made.token}\n")
            name, content = self.attachment
            whole.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
        return whole.as_bytes()


def _macro_document() -> bytes:
    """An Office document with a part where macros are: a name, no macro."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/vbaProject.bin", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 512)
    return out.getvalue()


def _zip(name: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, b"nothing to see")
    return out.getvalue()


_LINK = '<p>Look at <a href="http://bank.example/login">http://shop.example/</a> now.</p>'
_LIST = {"List-Id": f"<talk.{ELSEWHERE}>", "List-Unsubscribe": f"<mailto:off@{ELSEWHERE}>", "Precedence": "list"}
_NULL = {"sender": "", "header_from": f"mailer-daemon@{ELSEWHERE}", "subject": "Undelivered Mail Returned to Sender"}

STANDARD: Mapping[str, StandardMessage] = MappingProxyType(
    {
        "plain": StandardMessage(),
        "gtube": StandardMessage({"body": f"{GTUBE}\r\n"}),
        "no-spf": StandardMessage(sender_at="no-records.example", signed=False),
        "spf-fail": StandardMessage(sender_at=FORGED, signed=False),
        "forged-from": StandardMessage({"header_from": BOB.address}, signed=False),
        "unsigned": StandardMessage(signed=False),
        "no-reverse-name": StandardMessage(helo="unknown"),
        "html-only": StandardMessage(html="<p>Only HTML here, and a few words more.</p>"),
        "link": StandardMessage(html=_LINK),
        "attachment-exe": StandardMessage(attachment=("setup.exe", b"MZ not a program")),
        "attachment-exe-in-zip": StandardMessage(attachment=("papers.zip", _zip("setup.exe"))),
        "attachment-macro": StandardMessage(attachment=("letter.docm", _macro_document())),
        "attachment-pdf": StandardMessage(attachment=("paper.pdf", b"%PDF-1.4\n%%EOF\n")),
        "eicar": StandardMessage({"body": f"{EICAR.decode()}\r\n"}),
        "large": StandardMessage(large=300_000),
        "mailing-list": StandardMessage({"headers": _LIST}),
        "no-date": StandardMessage({"without": ("Date",)}),
        "no-message-id": StandardMessage({"without": ("Message-ID",)}),
        "no-subject": StandardMessage({"without": ("Subject",)}),
        "bounce": StandardMessage(_NULL),
        "not-latin": StandardMessage({"subject": "Привет 東京", "body": "Добрый день, 東京 と 大阪\r\n"}),
        "capitals": StandardMessage({"subject": "FREE MONEY!!! ACT NOW $$$", "body": "CLICK HERE. 100% FREE!!!\r\n"}),
    }
)
"""Messages by kind."""
