"""What people read in web mail: folders, the list of messages, a message, its files."""

from __future__ import annotations

from email.message import EmailMessage

from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.needs import WEB_MAIL, WEB_MAIL_SENDING, of_web_mail
from pytest_mailu.behaviours.webmail_mailbox import LINES, look_for, note, put
from pytest_mailu.core.endpoints import HTTPS_443
from pytest_mailu.core.model import Direction, Observation, Outcome, Severity, Stage
from pytest_mailu.core.population import ELSEWHERE, own_mailbox
from pytest_mailu.core.setups import WEB_MAILS, Feature
from pytest_mailu.core.web_mails import WebMailKind
from pytest_mailu.probe.admin_site import SECONDS
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.web_mails import open_web_mail
from pytest_mailu.wire.transport.errors import CannotAsk

READER = own_mailbox("webmail-reads")
LISTER = own_mailbox("webmail-lists")


@behaviour(
    "webmail/{mail}/folders",
    needs=WEB_MAIL,
    of_setup=of_web_mail,
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    better={"folders": Direction.KEPT},
    severity=Severity.MAJOR,
    each={"mail": WEB_MAILS},
    timeout=SECONDS,
)
async def folders(probe: Probe, mail: WebMailKind) -> Observation:
    """{mail.words} shows the folders of the mailbox

    Users do not find the mail that they have sorted, or their drafts and sent messages.

    webmails/roundcube/config/config.inc.php, webmails/snappymail/defaults/default.json;
    core/dovecot/conf/dovecot.conf (namespace inbox), since 2.0
    """
    async with open_web_mail(mail, probe, READER) as box:
        shown = await box.folders()
    return probe.seen(Outcome.ACCEPTED if "INBOX" in shown else Outcome.LOST, Stage.COMMAND, folders=shown)


SUBJECTS = {
    "plain": "A subject",
    "umlauts": "Grüße aus München",
    "other-scripts": "Привет 你好 שלום",
    "marks": "Less < more & \"quotes\" 'here'",
    "long": " ".join(["a long subject"] * 20),
}


@behaviour(
    "webmail/{mail}/list/{subject}",
    needs=WEB_MAIL_SENDING,
    of_setup=of_web_mail,
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    severity=Severity.CRITICAL,
    each={"mail": WEB_MAILS, "subject": SUBJECTS},
    deep={"subject": ("other-scripts", "long")},
    timeout=SECONDS,
)
async def listed(probe: Probe, mail: WebMailKind, subject: str) -> Observation:
    """{mail.words} lists a message that has arrived (subject: {subject})

    Users do not see new mail, or cannot read what it is about.

    Roundcube, program/actions/mail/list.php; SnappyMail, Actions/Messages.php (DoMessageList); RFC 2047
    """
    words = SUBJECTS[subject]
    message = probe.mail.compose(to=LISTER.address, subject=words)
    seen = await probe.mail.in_mailbox(message, LISTER, await probe.mail.deliver(message))
    if seen.outcome not in (Outcome.DELIVERED, Outcome.ALTERED):
        return seen
    async with open_web_mail(mail, probe, LISTER) as box:
        listed = await box.subjects(str(seen.facts["folder"]))
    texts = [text for text in listed.values() if message.token in text]
    if not texts:
        return probe.seen(Outcome.LOST, Stage.COMMAND)
    whole = texts[0] == f"{words} [{message.token}]"
    return probe.seen(Outcome.ACCEPTED if whole else Outcome.ALTERED, Stage.COMMAND, subject=texts[0])


def _text() -> EmailMessage:
    return note("text", "The words of a letter, with ümläuts.\n\n> quoted\n-- \nsignature\n")


def _html() -> EmailMessage:
    message = note("html", "The words of a plain letter.\n")
    message.add_alternative(
        "<html><body><p>The <b>words</b> of a letter, with ümläuts.</p><table><tr><td>cell</td></tr></table>"
        "<script>document.title = 'script-of-the-letter'</script>"
        "<img src='x' onerror=\"document.title = 'handler-of-the-letter'\"></body></html>",
        subtype="html",
    )
    return message


def _large_headers() -> EmailMessage:
    message = note("large headers", "The words of a letter with many recipients.\n")
    message["Cc"] = ", ".join(f"somebody-with-a-long-name-{n} <somebody-{n}@{ELSEWHERE}>" for n in range(300))
    return message


MESSAGES = {
    "text": (_text, "words of a letter, with ümläuts"),
    "html": (_html, "of a letter, with ümläuts"),
    "large-headers": (_large_headers, "words of a letter with many recipients"),
}
"""Kind of message → what makes it, and words that its page shows."""


@behaviour(
    "webmail/{mail}/read/{kind}",
    needs=WEB_MAIL,
    of_setup=of_web_mail,
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    better={"read": Direction.TRUE},
    severity=Severity.CRITICAL,
    each={"mail": WEB_MAILS, "kind": MESSAGES},
    timeout=SECONDS,
)
async def read(probe: Probe, mail: WebMailKind, kind: str) -> Observation:
    """{mail.words} shows a message ({kind})

    Users open a message and see nothing, or an error.

    Roundcube, program/actions/mail/show.php; SnappyMail, Actions/Messages.php (DoMessage)
    """
    make, words = MESSAGES[kind]
    message, token = make(), probe.unique_word()
    message.replace_header("Subject", f"{message['Subject']} {token}")
    uid = await put(probe, READER, message)
    async with open_web_mail(mail, probe, READER) as box:
        page = await box.show(uid)
    found = await look_for(probe, READER, token)
    return probe.seen(
        Outcome.ACCEPTED if words in page.text else Outcome.LOST,
        Stage.COMMAND,
        read=any("\\Seen" in each.flags for each in found),
    )


@behaviour(
    "webmail/{mail}/read/script",
    needs=WEB_MAIL,
    of_setup=of_web_mail,
    endpoint=HTTPS_443,
    wanted=Outcome.REFUSED,
    severity=Severity.CRITICAL,
    each={"mail": (WebMailKind.ROUNDCUBE, WebMailKind.RAINLOOP)},
    timeout=SECONDS,
)
async def script(probe: Probe, mail: WebMailKind) -> Observation:
    """{mail.words} does not run scripts of a message

    Whoever writes to a user reads and sends mail in that user's name.

    Roundcube, program/lib/Roundcube/rcube_washtml.php; RainLoop, MailSo/Base/HtmlUtils.php (ClearHtml); CWE-79
    """
    uid = await put(probe, READER, _html())
    async with open_web_mail(mail, probe, READER) as box:
        page = await box.show(uid)
    if "of a letter, with ümläuts" not in page.text:
        raise CannotAsk("web mail does not show the message, so nothing is known of its scripts")
    passed = [mark for mark in ("script-of-the-letter", "handler-of-the-letter") if mark in page.text]
    return probe.seen(Outcome.ACCEPTED if passed else Outcome.REFUSED, Stage.COMMAND, passed=passed)


@behaviour(
    "webmail/snappymail/read/script",
    needs=WEB_MAIL,
    of_setup=(Feature.SNAPPYMAIL,),
    endpoint=HTTPS_443,
    wanted=Outcome.REFUSED,
    severity=Severity.CRITICAL,
    timeout=SECONDS,
)
async def script_policy(probe: Probe) -> Observation:
    """SnappyMail forbids the browser to run scripts of a message

    Whoever writes to a user reads and sends mail in that user's name.

    SnappyMail, libraries/snappymail/http/csp.php: its page cleans messages, and its policy holds where that fails;
    CSP Level 3, section 6.7.3.2; CWE-79
    """
    async with open_web_mail(WebMailKind.SNAPPYMAIL, probe, READER) as box:
        policy = box.entered.header("content-security-policy")
    allowed = runs_scripts_in_a_page(policy)
    return probe.seen(Outcome.ACCEPTED if allowed else Outcome.REFUSED, Stage.COMMAND, policy=bool(policy))


def runs_scripts_in_a_page(policy: str) -> bool:
    """Whether browsers under a Content-Security-Policy run scripts and handlers that stand in the page itself."""
    directives = [words for part in policy.split(";") if (words := part.lower().split())]
    named = {words[0]: words[1:] for words in reversed(directives)}
    sources = named.get("script-src", named.get("default-src"))
    if sources is None:
        return True
    strict = any(source.startswith(("'nonce-", "'sha256-", "'sha384-", "'sha512-")) for source in sources)
    return "'unsafe-inline'" in sources and not strict


@behaviour(
    "webmail/{mail}/read/attachment",
    needs=WEB_MAIL,
    of_setup=of_web_mail,
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    each={"mail": WEB_MAILS},
    timeout=SECONDS,
)
async def attachment(probe: Probe, mail: WebMailKind) -> Observation:
    """Attachment of a message is downloaded in {mail.words}

    Users cannot open the files that they get.

    Roundcube, program/actions/mail/get.php; SnappyMail, Actions/Raw.php (RawDownload); Mailu #2776
    """
    message = note("with a file")
    message.add_attachment(LINES, maintype="application", subtype="octet-stream", filename="lines.bin")
    uid = await put(probe, READER, message)
    async with open_web_mail(mail, probe, READER) as box:
        page = await box.show(uid)
        named = "lines.bin" in page.text
        content = await box.save_file(page, "2")
    outcome = Outcome.ACCEPTED if content == LINES else Outcome.ALTERED
    return probe.seen(outcome, Stage.COMMAND, named=named, size=len(content))
