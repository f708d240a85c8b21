"""Keeping house in web mail: mail is found, moved, deleted and marked; the own name; filters."""

from __future__ import annotations

from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.needs import WEB_MAIL, WEB_MAIL_SENDING, of_web_mail
from pytest_mailu.behaviours.webmail_mailbox import arrived, filter_sets, look_for, note, put
from pytest_mailu.core.endpoints import HTTPS_443
from pytest_mailu.core.model import Observation, Outcome, Severity, Stage
from pytest_mailu.core.population import ELSEWHERE, own_mailbox
from pytest_mailu.core.setups import WEB_MAILS
from pytest_mailu.core.web_mails import WebMailKind
from pytest_mailu.probe.admin_site import SECONDS
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.waiting import ARRIVAL_SECONDS, eventually
from pytest_mailu.probe.web_mail import Draft
from pytest_mailu.probe.web_mails import open_web_mail

SEARCHER = own_mailbox("webmail-searches")
SORTER = own_mailbox("webmail-sorts")
NAMED = own_mailbox("webmail-is-named")
READER = own_mailbox("webmail-reads-names")
FOLDERS = {"ascii": "Filed", "umlauts": "Größe & Maß"}
"""Folders that a filter moves mail into."""
FILERS = {name: own_mailbox(f"webmail-files-{name}") for name in FOLDERS}
"""One for each: of the filters that SnappyMail and RainLoop write, one alone is in force."""
SEARCHES = {
    "subject": ("subject", "orchard"),
    "sender": ("from", "gardener"),
    "umlauts": ("subject", "Blütezeit"),
    "text": ("text", "pomegranate"),
}
"""What is searched → the field, and the word."""


@behaviour(
    "webmail/{mail}/search/{where}",
    needs=WEB_MAIL,
    of_setup=of_web_mail,
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    each={"mail": WEB_MAILS, "where": SEARCHES},
    deep={"where": ("sender",)},
    timeout=SECONDS,
)
async def search(probe: Probe, mail: WebMailKind, where: str) -> Observation:
    """{mail.words} finds a message ({where})

    Users do not find their mail.

    Roundcube, program/actions/mail/search.php; SnappyMail, MailSo/Imap/SearchCriterias.php; RFC 9051 section 6.4.4
    """
    field, word = SEARCHES[where]
    wanted, other = note(f"{word} {where} of mine", "Nothing.\n"), note(f"{where} of others", "Nothing.\n")
    if field == "from":
        wanted.replace_header("From", f"The Gardener <{word}@{ELSEWHERE}>")
    elif field == "text":
        wanted.replace_header("Subject", f"{where} of mine")
        wanted.set_content(f"There is a {word} in it.\n")
    uid = await put(probe, SEARCHER, wanted)
    unwanted = await put(probe, SEARCHER, other)
    found: set[str] = set()
    async with open_web_mail(mail, probe, SEARCHER) as box:

        async def look() -> bool:
            found.clear()
            found.update(await box.search(field, word))
            return uid in found

        # A full-text index may take a moment (Dovecot, `fts_autoindex`).
        met = await eventually(look, ARRIVAL_SECONDS)
    if not met:
        probe.transcript.waited_in_vain(ARRIVAL_SECONDS, "the message to be found")
    return probe.seen(Outcome.ACCEPTED if met else Outcome.LOST, Stage.COMMAND, others=unwanted in found)


@behaviour(
    "webmail/{mail}/move",
    needs=WEB_MAIL,
    of_setup=of_web_mail,
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    each={"mail": WEB_MAILS},
    timeout=SECONDS,
)
async def move(probe: Probe, mail: WebMailKind) -> Observation:
    """{mail.words} moves a message to another folder

    Users cannot sort their mail, or lose what they move.

    Roundcube, program/actions/mail/move.php; SnappyMail, Actions/Messages.php (DoMessageMove); RFC 6851
    """
    token = probe.unique_word()
    uid = await put(probe, SORTER, note(f"To be moved {token}"))
    async with open_web_mail(mail, probe, SORTER) as box:
        await box.move(uid, "Trash")
    places = [found.folder for found in await look_for(probe, SORTER, token, ("INBOX", "Trash"))]
    return probe.seen(Outcome.ACCEPTED if places == ["Trash"] else Outcome.LOST, Stage.COMMAND, places=places)


@behaviour(
    "webmail/{mail}/delete",
    needs=WEB_MAIL,
    of_setup=of_web_mail,
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    each={"mail": WEB_MAILS},
    timeout=SECONDS,
)
async def delete(probe: Probe, mail: WebMailKind) -> Observation:
    """{mail.words} deletes a message

    Users cannot delete mail, and their mailboxes fill up.

    Roundcube, program/actions/mail/delete.php; SnappyMail, Actions/Messages.php (DoMessageDelete)
    """
    token = probe.unique_word()
    uid = await put(probe, SORTER, note(f"To be deleted {token}"))
    async with open_web_mail(mail, probe, SORTER) as box:
        await box.delete(uid)
    left = [found for found in await look_for(probe, SORTER, token) if "\\Deleted" not in found.flags]
    return probe.seen(Outcome.REFUSED if left else Outcome.ACCEPTED, Stage.COMMAND)


@behaviour(
    "webmail/{mail}/flag",
    needs=WEB_MAIL,
    of_setup=of_web_mail,
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MINOR,
    deep=True,
    each={"mail": WEB_MAILS},
    timeout=SECONDS,
)
async def flag(probe: Probe, mail: WebMailKind) -> Observation:
    """{mail.words} marks a message, so that other programs see it

    Marks that users set in the browser are not there in their mail programs.

    Roundcube, program/actions/mail/mark.php; SnappyMail, Actions/Messages.php (DoMessageSetFlagged)
    """
    token = probe.unique_word()
    uid = await put(probe, SORTER, note(f"To be marked {token}"))
    async with open_web_mail(mail, probe, SORTER) as box:
        await box.flag(uid)
    flags = [found.flags for found in await look_for(probe, SORTER, token)]
    marked = any("\\Flagged" in each for each in flags)
    return probe.seen(Outcome.ACCEPTED if marked else Outcome.LOST, Stage.COMMAND)


@behaviour(
    "webmail/{mail}/identity",
    needs=WEB_MAIL_SENDING,
    of_setup=of_web_mail,
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    each={"mail": WEB_MAILS},
    timeout=SECONDS,
)
async def identity(probe: Probe, mail: WebMailKind) -> Observation:
    """{mail.words} keeps the name that a user writes under

    Users write without a name, or under an old one.

    Roundcube, program/actions/settings/identity_save.php; webmails/roundcube/config/config.inc.php (identities_level);
    SnappyMail, Actions/Accounts.php (DoIdentityUpdate)
    """
    token = probe.unique_word()
    name = f"Jörg {token}"
    async with open_web_mail(mail, probe, NAMED) as box:
        await box.write_as(name)
    # A new session reads it back, and what is sent shows it.
    async with open_web_mail(mail, probe, NAMED) as box:
        await box.send(Draft(READER.address, f"Under a name {token}"))
    found = await arrived(probe, READER, token)
    if not found:
        return probe.seen(Outcome.LOST, Stage.DELIVERY)
    author = str(found[0].message["From"])
    return probe.seen(Outcome.ACCEPTED if name in author else Outcome.ALTERED, Stage.DELIVERY, author=author)


@behaviour(
    "webmail/{mail}/filters",
    needs=WEB_MAIL,
    of_setup=of_web_mail,
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    each={"mail": WEB_MAILS},
    timeout=SECONDS,
)
async def filters(probe: Probe, mail: WebMailKind) -> Observation:
    """{mail.words} makes new filters

    Users cannot set up filters or an automatic reply in the browser.

    webmails/roundcube/config/config.inc.php (`managesieve_host`), webmails/snappymail/defaults/default.json (`Sieve`),
    since 2.0; Mailu #2762, #3764
    """
    name = probe.unique_word()
    async with open_web_mail(mail, probe, SORTER) as box:
        await box.make_filters(name)
    # RainLoop has one set, in which each filter is named.
    made = any(name in f"{set_} {text}" for set_, text in (await filter_sets(probe, SORTER)).items())
    return probe.seen(Outcome.ACCEPTED if made else Outcome.LOST, Stage.COMMAND)


@behaviour(
    "webmail/{mail}/filter-into-folder/{name}",
    needs=WEB_MAIL_SENDING,
    of_setup=of_web_mail,
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    each={"mail": WEB_MAILS, "name": FOLDERS},
    deep={"name": ("ascii",)},
    timeout=SECONDS,
)
async def filter_into_folder(probe: Probe, mail: WebMailKind, name: str) -> Observation:
    """{mail.words} makes a filter that moves mail into a folder ({name} in its name)

    Filters that users make in the browser do nothing, or move mail into a folder that they do not know.

    webmails/roundcube/config/config.inc.php (`managesieve_mbox_encoding`), since 2.0; Mailu #2650; RFC 5228 section 4.1
    """
    folder, user, token = FOLDERS[name], FILERS[name], probe.unique_word()
    async with probe.mailbox(user) as mailbox:
        if folder not in {each.name for each in await mailbox.folders()}:
            await mailbox.create(folder)
    async with open_web_mail(mail, probe, user) as box:
        await box.file_into(token, folder)
    await probe.mail.deliver(probe.mail.compose(to=user.address, subject=token))
    found = await arrived(probe, user, token, folder)
    if not found:
        return probe.seen(Outcome.LOST, Stage.DELIVERY)
    places = [each.folder for each in found]
    return probe.seen(Outcome.ACCEPTED if places == [folder] else Outcome.ALTERED, Stage.DELIVERY, folders=places)
