"""What people write in web mail: new messages and answers. Where they arrive is read by IMAP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from enum import StrEnum
from typing import Any

from pytest_mailu.behaviours.better import ARRIVES
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.needs import WEB_MAIL_SENDING, of_web_mail
from pytest_mailu.behaviours.webmail_mailbox import LINES, arrived, look_for, note, put
from pytest_mailu.core.endpoints import HTTPS_443
from pytest_mailu.core.model import Direction, Observation, Outcome, Severity, Stage
from pytest_mailu.core.population import ELSEWHERE, User, own_mailbox
from pytest_mailu.core.setups import WEB_MAILS
from pytest_mailu.core.text import show_line
from pytest_mailu.core.web_mails import WebMailKind
from pytest_mailu.probe.admin_site import SECONDS
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.waiting import ARRIVAL_SECONDS
from pytest_mailu.probe.web_mail import Draft
from pytest_mailu.probe.web_mails import open_web_mail

SENDER = own_mailbox("webmail-sends")
RECIPIENT = own_mailbox("webmail-receives")
OTHER_RECIPIENT = own_mailbox("webmail-receives-too")
REPLIES = own_mailbox("webmail-replies")


async def _sent(probe: Probe, token: str, recipients: Sequence[User] = (RECIPIENT,)) -> Observation:
    """What became of a message that was sent from web mail: where it arrived, and whether a copy was kept."""
    mailboxes = [await arrived(probe, user, token) for user in recipients]
    copies = await look_for(probe, SENDER, token, ("Sent",))
    if not all(mailboxes):
        return probe.seen(Outcome.LOST, Stage.DELIVERY, arrived=[len(found) for found in mailboxes])
    first = mailboxes[0][0]
    return probe.seen(
        Outcome.DELIVERED,
        Stage.DELIVERY,
        copies=max(len(found) for found in mailboxes),
        folder=first.folder,
        from_=str(first.message["From"]),
        kept=len(copies),
        text=_text_of(first.message),
        files=_files_of(first.message),
    )


def _text_of(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    return show_line(" ".join(str(body.get_content()).split()) if body is not None else "", 300)


def _files_of(message: EmailMessage) -> Mapping[str, int]:
    return {str(part.get_filename()): len(part.get_payload(decode=True) or b"") for part in message.iter_attachments()}


SENT = {**ARRIVES, "kept": Direction.MORE, "from_": Direction.FIXED, "text": Direction.FIXED}
TEXTS = {"plain": "A text from web mail.", "umlauts": "Ein Text mit ümläuten, Привет, 你好."}


@behaviour(
    "webmail/{mail}/send/{text}",
    needs=WEB_MAIL_SENDING,
    of_setup=of_web_mail,
    endpoint=HTTPS_443,
    wanted=Outcome.DELIVERED,
    better=SENT,
    severity=Severity.CRITICAL,
    each={"mail": WEB_MAILS, "text": TEXTS},
    timeout=SECONDS,
)
async def send(probe: Probe, mail: WebMailKind, text: str) -> Observation:
    """{mail.words} sends a message to a user of the server ({text} text)

    Users cannot send mail from the browser.

    webmails/roundcube/config/config.inc.php (`smtp_host`), webmails/snappymail/defaults/default.json (`SMTP`),
    since 2.0
    """
    token = probe.unique_word()
    async with open_web_mail(mail, probe, SENDER) as box:
        await box.send(Draft(RECIPIENT.address, f"From web mail {token}", TEXTS[text]))
    return await _sent(probe, token)


@behaviour(
    "webmail/{mail}/send/several",
    needs=WEB_MAIL_SENDING,
    of_setup=of_web_mail,
    endpoint=HTTPS_443,
    wanted=Outcome.DELIVERED,
    better=SENT,
    severity=Severity.MAJOR,
    deep=True,
    each={"mail": WEB_MAILS},
    timeout=SECONDS,
)
async def send_to_several(probe: Probe, mail: WebMailKind) -> Observation:
    """{mail.words} sends a message to several recipients, one of them in a blind copy

    Some recipients do not receive the message, or see who else does.

    Roundcube, program/include/rcmail_sendmail.php; SnappyMail, Actions/Messages.php (smtpSendMessage)
    """
    token = probe.unique_word()
    async with open_web_mail(mail, probe, SENDER) as box:
        await box.send(Draft(RECIPIENT.address, f"To several {token}", bcc=OTHER_RECIPIENT.address))
    seen = await _sent(probe, token, (RECIPIENT, OTHER_RECIPIENT))
    found = await look_for(probe, RECIPIENT, token, ("INBOX", "Junk"))
    head = found[0].content.partition(b"\r\n\r\n")[0] if found else b""
    return probe.with_facts(seen, blind_copy_is_blind=OTHER_RECIPIENT.address.encode() not in head)


class Files(StrEnum):
    """How many files a message has."""

    ONE = "attachment"
    SEVERAL = "attachments"

    @property
    def words(self) -> str:
        """For people."""
        return "a file" if self is Files.ONE else "several files"

    @property
    def content(self) -> Mapping[str, bytes]:
        """The files by name."""
        names = ("lines.txt",) if self is Files.ONE else ("lines.txt", "more.txt", "most.txt")
        return {name: LINES * number for number, name in enumerate(names, 1)}


@behaviour(
    "webmail/{mail}/send/{files}",
    needs=WEB_MAIL_SENDING,
    of_setup=of_web_mail,
    endpoint=HTTPS_443,
    wanted=Outcome.DELIVERED,
    better={**SENT, "files.*": Direction.FIXED},
    severity=Severity.MAJOR,
    each={"mail": WEB_MAILS, "files": Files},
    timeout=SECONDS,
)
async def send_files(probe: Probe, mail: WebMailKind, files: Files) -> Observation:
    """{mail.words} sends a message with {files.words}

    Users cannot send files from the browser.

    Roundcube, program/actions/mail/attachment_upload.php; SnappyMail, Actions.php (Upload); Mailu #3913: in 2024.06.41
    the second file of a message was met with an error
    """
    token = probe.unique_word()
    async with open_web_mail(mail, probe, SENDER) as box:
        draft = Draft(RECIPIENT.address, f"With {files.words} {token}", "See the file.", files=files.content)
        await box.send(draft)
    return await _sent(probe, token)


@behaviour(
    "webmail/{mail}/send/external",
    needs=WEB_MAIL_SENDING,
    of_setup=of_web_mail,
    endpoint=HTTPS_443,
    wanted=Outcome.DELIVERED,
    better={"signed": Direction.TRUE},
    severity=Severity.CRITICAL,
    each={"mail": WEB_MAILS},
    timeout=SECONDS,
)
async def send_outside(probe: Probe, mail: WebMailKind) -> Observation:
    """{mail.words} sends a message to another domain

    Users cannot write to anybody outside from the browser, or their mail is not signed.

    webmails/roundcube/config/config.inc.php (`smtp_host`), webmails/snappymail/defaults/default.json (`SMTP`);
    core/nginx/conf/nginx.conf (10025), since 2.0
    """
    token = probe.unique_word()
    async with open_web_mail(mail, probe, SENDER) as box:
        to = f"{token}@{ELSEWHERE}"
        reply = await box.send(Draft(to, f"To the outside {token}", "A text from web mail."))
    arrivals = await probe.world.arrivals(recipient=to, wait=2 * ARRIVAL_SECONDS)
    if not arrivals:
        return probe.seen(Outcome.LOST, Stage.DELIVERY, reply)
    content = arrivals[0].content or b""
    signed = b"\ndkim-signature:" in b"\n" + content.partition(b"\r\n\r\n")[0].lower()
    return probe.seen(Outcome.DELIVERED, Stage.DELIVERY, reply, sender=arrivals[0].sender, signed=signed)


@behaviour(
    "webmail/{mail}/reply",
    needs=WEB_MAIL_SENDING,
    of_setup=of_web_mail,
    endpoint=HTTPS_443,
    wanted=Outcome.DELIVERED,
    better={"in_reply_to": Direction.TRUE, "answered": Direction.TRUE, "quoted": Direction.TRUE},
    severity=Severity.MAJOR,
    each={"mail": WEB_MAILS},
    timeout=SECONDS,
)
async def reply(probe: Probe, mail: WebMailKind) -> Observation:
    """{mail.words} answers a message: addressed, quoted, and marked as answered

    Users cannot answer mail in the browser, or answers are not sorted to what they answer.

    Roundcube, program/actions/mail/compose.php; SnappyMail, Actions/Messages.php (DoSendMessage), which quotes by
    scripts in the browser; RFC 5322 section 3.6.4
    """
    token = probe.unique_word()
    original = note(f"A question {token}", "What is the answer?\n")
    original.replace_header("From", RECIPIENT.address)
    uid = await put(probe, REPLIES, original)
    async with open_web_mail(mail, probe, REPLIES) as box:
        answer = await box.answer(uid, "The answer.")
    quoted: dict[str, Any] = {} if answer.quotation is None else {"quoted": "> What is the answer?" in answer.quotation}
    found = await arrived(probe, RECIPIENT, token)
    if not found:
        return probe.seen(Outcome.LOST, Stage.DELIVERY, to=answer.to, **quoted)
    own = await look_for(probe, REPLIES, token)
    return probe.seen(
        Outcome.DELIVERED,
        Stage.DELIVERY,
        subject=str(found[0].message["Subject"]),
        **quoted,
        in_reply_to=str(found[0].message["In-Reply-To"]).strip() == str(original["Message-ID"]),
        answered=any("\\Answered" in each.flags for each in own),
    )
