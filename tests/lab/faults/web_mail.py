"""Web mail: Roundcube from Debian's package, with the lab's own sign-on."""

from __future__ import annotations

from collections.abc import Mapping

from .fault import Fault
from .optional import SERVICES


def _configured(line: str) -> Mapping[str, str]:
    """A line of Roundcube's configuration."""
    return {"webmail/config.inc.php": f"{line}\n"}


FAULTS = (
    Fault(
        "web-mail-asks-again",
        "web mail asks those for a password who have logged in to the web site: its sign-on is off",
        ("webmail/roundcube/login",),
        outcome="refused",
        stage="auth",
        radius=("webmail/roundcube/*",),
        lines=_configured("$config['plugins'] = ['managesieve'];"),
        services=SERVICES,
    ),
    Fault(
        "web-mail-needs-imap",
        "who may not use IMAP in mail programs cannot use web mail either",
        ("webmail/roundcube/without-imap",),
        outcome="refused",
        stage="auth",
        settings={"LAB_ADMIN": "web-mail-needs-imap"},
        services=SERVICES,
    ),
    Fault(
        "web-mail-sends-nothing",
        "web mail sends to a port that nobody serves",
        ("webmail/roundcube/send/plain", "webmail/roundcube/send/external", "webmail/roundcube/reply"),
        outcome="refused",
        stage="command",
        radius=("webmail/roundcube/send/*", "webmail/roundcube/identity", "webmail/roundcube/contacts"),
        lines=_configured("$config['smtp_host'] = 'tls://front:10026';"),
        services=SERVICES,
    ),
    Fault(
        "web-mail-small-files",
        "web mail takes files of a kilobyte",
        ("webmail/roundcube/send/attachment",),
        outcome="refused",
        stage="command",
        radius=("webmail/roundcube/send/attachments",),
        settings={"LAB_UPLOADS": "1K"},
        services=SERVICES,
    ),
    Fault(
        "web-mail-ascii-search",
        "web mail searches for ASCII alone",
        ("webmail/roundcube/search/umlauts",),
        outcome="lost",
        stage="command",
        lines=_configured("$config['lab_ascii_search'] = true;"),
        services=SERVICES,
    ),
    Fault(
        "web-mail-filters-elsewhere",
        "web mail looks for the filters at a port that nobody serves",
        ("webmail/roundcube/filters",),
        outcome="refused",
        stage="command",
        radius=("webmail/roundcube/filter-into-folder/*",),
        lines=_configured("$config['managesieve_host'] = 'tls://front:14191';"),
        services=SERVICES,
    ),
    Fault(
        "web-mail-filters-in-utf-7",
        "web mail writes names of folders into filters as IMAP has them",
        ("webmail/roundcube/filter-into-folder/umlauts",),
        outcome="altered",
        stage="delivery",
        lines=_configured("$config['managesieve_mbox_encoding'] = 'UTF7-IMAP';"),
        services=SERVICES,
    ),
    Fault(
        "web-mail-contacts-lost",
        "web mail says that it has saved a contact, and has not",
        ("webmail/roundcube/contacts",),
        outcome="lost",
        stage="command",
        lines=_configured("$config['lab_forgets_contacts'] = true;"),
        services=SERVICES,
    ),
    Fault(
        "web-mail-identity-fixed",
        "users write without the name that they have given",
        ("webmail/roundcube/identity",),
        outcome="altered",
        stage="delivery",
        lines=_configured("$config['identities_level'] = 4;"),
        services=SERVICES,
    ),
    Fault(
        "web-mail-unwashed",
        "web mail shows a message with the scripts in it",
        ("webmail/roundcube/read/script",),
        outcome="accepted",
        stage="command",
        radius=("webmail/roundcube/read/html",),
        lines=_configured("$config['lab_unwashed'] = true;"),
        services=SERVICES,
    ),
    Fault(
        "session-kept",
        "a log-out ends no session",
        ("webmail/roundcube/log-out", "webmail/roundcube/session/site-log-out"),
        outcome="accepted",
        stage="command",
        settings={"LAB_ADMIN": "session-kept"},
        services=SERVICES,
    ),
    Fault(
        "disabled-goes-on",
        "who is locked out goes on reading mail in the browser",
        ("webmail/roundcube/session/disabled",),
        outcome="accepted",
        stage="command",
        settings={"LAB_ADMIN": "disabled-goes-on"},
        services=SERVICES,
    ),
    Fault(
        "user-believed",
        "who names a user in a header gets that user's mail",
        ("webmail/roundcube/forged-header", "webmail/roundcube/forged-header-of-another-user"),
        outcome="accepted",
        stage="command",
        settings={"LAB_ADMIN": "user-believed"},
        services=SERVICES,
    ),
)

IN_BROWSER = (
    Fault(
        "script-broken",
        "the script of web mail is sent in part: every page is there, and none does anything",
        (),
        settings={"LAB_SCRIPT": "default_type application/javascript; return 200 'function rcube_webmail() {';"},
        services=frozenset({"webmail"}),
    ),
)
"""What nobody sees who reads pages without running their scripts; test_web_mail_in_browser.py does."""
