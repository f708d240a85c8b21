"""What web mail keeps for a user from one session to the next: contacts, settings, passwords of other servers."""

from __future__ import annotations

from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.needs import WEB_MAIL, WEB_MAIL_SENDING, of_web_mail
from pytest_mailu.behaviours.webmail_mailbox import arrived
from pytest_mailu.core.endpoints import HTTPS_443
from pytest_mailu.core.model import Direction, Observation, Outcome, Reply, Severity, Stage
from pytest_mailu.core.population import ELSEWHERE, own_mailbox
from pytest_mailu.core.setups import WEB_MAILS, Feature
from pytest_mailu.core.web_mails import WebMailKind
from pytest_mailu.probe.admin_site import SECONDS
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.web_mail import Draft
from pytest_mailu.probe.web_mails import open_snappymail, open_web_mail

OWNER = own_mailbox("webmail-has-contacts")
FRIEND = own_mailbox("webmail-is-a-contact")
CHOOSER = own_mailbox("webmail-has-settings")
SUBSCRIBER = own_mailbox("webmail-has-contacts-elsewhere")
OTHER_SERVER = f"https://dav.{ELSEWHERE}/contacts/"
"""Nothing is there: web mail only keeps where it is, and its password."""
SIZES = (30, 50)
"""Numbers of messages on a page that all programs take."""


@behaviour(
    "webmail/{mail}/contacts",
    needs=WEB_MAIL_SENDING,
    of_setup=of_web_mail,
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    better={"suggested": Direction.TRUE, "arrived": Direction.TRUE},
    severity=Severity.MAJOR,
    each={"mail": WEB_MAILS},
    timeout=SECONDS,
)
async def contacts(probe: Probe, mail: WebMailKind) -> Observation:
    """{mail.words} keeps a contact, finds it again, and suggests it as a recipient

    Users lose their address book, or have to type every address.

    Roundcube, program/actions/contacts/save.php and mail/autocomplete.php; SnappyMail, Actions/Contacts.php
    (DoContactSave) and Actions/User.php (DoSuggestions)
    """
    token = probe.unique_word()
    name = f"Jörg {token}"
    async with open_web_mail(mail, probe, OWNER) as box:
        await box.add_contact(name, FRIEND.address)
        await box.log_out()
    async with open_web_mail(mail, probe, OWNER) as box:
        found = [text for text in await box.contacts(token) if name in text and FRIEND.address in text]
        if not found:
            return probe.seen(Outcome.LOST, Stage.COMMAND)
        suggested = [text for text in await box.suggested(token) if FRIEND.address in text]
        if suggested:
            await box.send(Draft(suggested[0], f"To a contact {token}"))
    return probe.seen(
        Outcome.ACCEPTED,
        Stage.COMMAND,
        suggested=bool(suggested),
        arrived=bool(suggested and await arrived(probe, FRIEND, token)),
    )


@behaviour(
    "webmail/{mail}/settings",
    needs=WEB_MAIL,
    of_setup=of_web_mail,
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MINOR,
    each={"mail": WEB_MAILS},
    timeout=SECONDS,
)
async def settings(probe: Probe, mail: WebMailKind) -> Observation:
    """{mail.words} keeps a setting after the log-out

    Users find their settings as they were, each time they log in.

    Roundcube, program/actions/settings/prefs_save.php; SnappyMail, Actions/User.php (DoSettingsUpdate)
    """
    async with open_web_mail(mail, probe, CHOOSER) as box:
        before = await box.page_size()
        wanted = next(size for size in SIZES if size != before)
        await box.set_page_size(wanted)
        await box.log_out()
    async with open_web_mail(mail, probe, CHOOSER) as box:
        kept = await box.page_size() == wanted
    return probe.seen(Outcome.ACCEPTED if kept else Outcome.LOST, Stage.COMMAND)


@behaviour(
    "webmail/snappymail/contacts-elsewhere",
    needs=WEB_MAIL,
    of_setup=(Feature.SNAPPYMAIL,),
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    timeout=SECONDS,
)
async def contacts_elsewhere(probe: Probe) -> Observation:
    """SnappyMail keeps the server that a user has contacts on, with its password, after the log-out

    Users who have entered such a server have no contacts any more from the next login on, not even those in SnappyMail.

    SnappyMail, Actions/Contacts.php (getContactsSyncData) and Model/MainAccount.php (CryptKey): what a password is
    encrypted with is sealed with the password of the session, which is another one at each login to Mailu;
    webmails/snappymail/defaults/application.ini (allow_sync, and insecure_cryptkey since 2024.06.43)
    """
    async with open_snappymail(probe, SUBSCRIBER) as box:
        # Refused as well where it was entered before, and could not be read in the next session.
        await box.follow(OTHER_SERVER, SUBSCRIBER.name, "a password of another server")
        await box.log_out()
    async with open_snappymail(probe, SUBSCRIBER) as box:
        kept = await box.followed()
    return probe.seen(Outcome.ACCEPTED if kept else Outcome.REFUSED, Stage.COMMAND, Reply("200"))
