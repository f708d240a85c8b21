"""The way into web mail: Mailu's login, and who is kept out."""

from __future__ import annotations

from urllib.parse import urlsplit

from pytest_mailu.behaviours.access_limits import forgotten
from pytest_mailu.behaviours.declaration import LIMITER, behaviour
from pytest_mailu.behaviours.helpers import log_in
from pytest_mailu.behaviours.needs import WEB_MAIL, of_web_mail
from pytest_mailu.core.endpoints import HTTPS_443, SUBMISSIONS_465
from pytest_mailu.core.model import Direction, Observation, Outcome, Reply, Severity, Stage, Vantage
from pytest_mailu.core.population import DOMAIN, NO_IMAP, own_mailbox
from pytest_mailu.core.setups import WEB_MAILS
from pytest_mailu.core.web_mails import WebMailKind
from pytest_mailu.probe.admin_site import SECONDS, Site, browser, local
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.web_mail import is_login, web_mail_path
from pytest_mailu.probe.web_mails import open_web_mail, try_to_enter
from pytest_mailu.wire.http.client import HttpReply
from pytest_mailu.wire.transport.errors import NotServed

USER = own_mailbox("webmail-user")
ATTACKER = own_mailbox("webmail-attacker")
VICTIM = own_mailbox("webmail-victim")
LIMITED = own_mailbox("webmail-limited")
LOGIN_FAILURES = 8
"""More than the five an hour that an address may have since 2.0 (AUTH_RATELIMIT_IP)."""
PAGES = {
    WebMailKind.ROUNDCUBE: {
        "start": "/",
        "message": "/?_task=mail&_mbox=INBOX&_uid=1&_action=show",
        "settings": "/?_task=settings",
        "login-behind": "/sso.php",
        "configuration": "/config/config.inc.php",
    },
    WebMailKind.SNAPPYMAIL: {
        "start": "/",
        "message": "/?/Raw/&q[]=/0/ViewAsPlain/&q[]=/eyJmb2xkZXIiOiJJTkJPWCIsInVpZCI6MX0",
        "settings": "/?/AppData/0/1/",
        "login-behind": "/sso.php",
        "configuration": "/data/_data_/_default_/configs/application.ini",
    },
    WebMailKind.RAINLOOP: {
        "start": "/",
        "message": "/?/Raw/&q[]=/0/ViewAsPlain/&q[]=/eyJmb2xkZXIiOiJJTkJPWCIsInVpZCI6MX0",
        "settings": "/?/AppData@no-mobile-0/0/1/",
        "login-behind": "/sso.php",
        "configuration": "/data/_data_/_default_/configs/application.ini",
    },
}
"""What nobody sees without a login; the message is that with the UID 1 in the INBOX."""
FORGED = {
    "X-Remote-User": VICTIM.address,
    "X-Remote-User-Token": "token-000000000000",
    "X-User": VICTIM.address,
    "X-User-Token": "token-000000000000",
}
"""How `admin` tells `front`, and `front` web mail, who has logged in (core/nginx/conf/nginx.conf)."""


def _way(probe: Probe, reply: HttpReply) -> list[str]:
    """The redirects on the way to a page, without their queries, which differ each time."""
    return [f"{hop.status} {local(probe, hop.location).partition('?')[0]}" for hop in reply.chain]


@behaviour(
    "webmail/{mail}/login",
    needs=WEB_MAIL,
    of_setup=of_web_mail,
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    severity=Severity.CRITICAL,
    each={"mail": WEB_MAILS},
    timeout=SECONDS,
)
async def login(probe: Probe, mail: WebMailKind) -> Observation:
    """{mail.words} opens after the login to the web site

    Users cannot read their mail in the browser.

    webmails/roundcube/login/mailu.php, webmails/snappymail/login/sso.php, core/nginx/conf/nginx.conf (`sso.php`), since
    2.0
    """
    async with open_web_mail(mail, probe, USER) as box:
        reply = box.entered
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH, Reply(str(reply.status)), way=_way(probe, reply))


@behaviour(
    "webmail/{mail}/without-imap",
    needs=WEB_MAIL,
    of_setup=of_web_mail,
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    each={"mail": WEB_MAILS},
    timeout=SECONDS,
)
async def user_without_imap(probe: Probe, mail: WebMailKind) -> Observation:
    """{mail.words} opens for a user who may not use IMAP in mail programs

    Users who have web mail alone cannot read their mail any more.

    core/admin/mailu/internal/nginx.py (check_credentials), since 2.0; Mailu #2451
    """
    async with open_web_mail(mail, probe, NO_IMAP) as box:
        await box.subjects()
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH, Reply("200"))


@behaviour(
    "webmail/{mail}/without-login/{name}",
    needs=WEB_MAIL,
    of_setup=of_web_mail,
    endpoint=HTTPS_443,
    wanted=Outcome.REFUSED,
    severity=Severity.CRITICAL,
    each={"mail": WEB_MAILS, "name": PAGES[WebMailKind.ROUNDCUBE]},
    timeout=SECONDS,
)
async def without_login(probe: Probe, mail: WebMailKind, name: str) -> Observation:
    """{mail.words} is closed to who has not logged in: {name}

    Strangers read other people's mail, or the settings of web mail.

    core/nginx/conf/nginx.conf (`auth_request /internal/auth/user`), 1.9 to master
    """
    async with browser(probe) as http:
        reply = await http.get(web_mail_path(probe) + PAGES[mail][name])
    return _kept_out(probe, reply)


def _kept_out(probe: Probe, reply: HttpReply) -> Observation:
    outcome = Outcome.REFUSED if is_login(reply) or reply.status >= 400 else Outcome.ACCEPTED
    return probe.seen(outcome, Stage.COMMAND, Reply(str(reply.status)), ends_at=urlsplit(reply.url).path)


@behaviour(
    "webmail/{mail}/forged-header",
    needs=WEB_MAIL,
    of_setup=of_web_mail,
    endpoint=HTTPS_443,
    wanted=Outcome.REFUSED,
    severity=Severity.CRITICAL,
    each={"mail": WEB_MAILS},
    timeout=SECONDS,
)
async def forged_header(probe: Probe, mail: WebMailKind) -> Observation:
    """Headers that name a user do not open {mail.words} to a stranger

    Strangers read anybody's mail without a password.

    core/nginx/conf/nginx.conf (`proxy_set_header X-Remote-User`), 1.9 to master; CWE-290
    """
    async with browser(probe) as http:
        reply = await http.get(f"{web_mail_path(probe)}/sso.php", headers=FORGED)
    return _kept_out(probe, reply)


@behaviour(
    "webmail/{mail}/forged-header-of-another-user",
    needs=WEB_MAIL,
    of_setup=of_web_mail,
    endpoint=HTTPS_443,
    wanted=Outcome.REFUSED,
    severity=Severity.CRITICAL,
    each={"mail": WEB_MAILS},
    timeout=SECONDS,
)
async def forged_header_of_another(probe: Probe, mail: WebMailKind) -> Observation:
    """Headers that name another user do not open that user's {mail.words}

    Every user reads everybody's mail.

    core/nginx/conf/nginx.conf (`proxy_set_header X-Remote-User`), 1.9 to master; CWE-290
    """
    async with browser(probe) as http:
        await Site(http, "/admin").login(ATTACKER.address, ATTACKER.password)
        reply = await http.get(f"{web_mail_path(probe)}/sso.php", headers=FORGED)
        box = await try_to_enter(mail, probe, http)
    return probe.seen(
        Outcome.ACCEPTED if box is not None and box.is_of(VICTIM) else Outcome.REFUSED,
        Stage.COMMAND,
        Reply(str(reply.status)),
        own_mailbox=box is not None and box.is_of(ATTACKER),
    )


@behaviour(
    "webmail/{mail}/log-out",
    needs=WEB_MAIL,
    of_setup=of_web_mail,
    endpoint=HTTPS_443,
    wanted=Outcome.REFUSED,
    better={"site_session_ended": Direction.TRUE},
    severity=Severity.MAJOR,
    each={"mail": WEB_MAILS},
    timeout=SECONDS,
)
async def log_out(probe: Probe, mail: WebMailKind) -> Observation:
    """Log-out of {mail.words} ends the browser's session, on the whole web site

    The next user of the computer reads somebody else's mail.

    webmails/roundcube/login/mailu.php (logout_after), webmails/snappymail/defaults/application.ini
    (custom_logout_link), since 2.0
    """
    async with open_web_mail(mail, probe, USER) as box:
        await box.log_out()
        reply = await box.http.get(f"{box.root}/")
        settings = await box.http.get("/admin/user/settings")
        inside = await try_to_enter(mail, probe, box.http) is not None
    return probe.seen(
        Outcome.ACCEPTED if inside else Outcome.REFUSED,
        Stage.COMMAND,
        Reply(str(reply.status)),
        way=_way(probe, reply),
        site_session_ended=is_login(settings),
    )


@behaviour(
    "webmail/{mail}/while-address-is-limited",
    needs=(*WEB_MAIL, "smtp", LIMITER),
    disturbs=(LIMITER,),
    of_setup=of_web_mail,
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    deep=True,
    each={"mail": WEB_MAILS},
    timeout=180.0,
)
async def while_limited(probe: Probe, mail: WebMailKind) -> Observation:
    """{mail.words} goes on while the user's address has failed too many logins

    A program with an old password on the same line locks users out of web mail although they have logged in.

    core/admin/mailu/internal/views/auth.py (limiter), since 2.0; Mailu #3094
    """
    async with forgotten(probe), open_web_mail(mail, probe, LIMITED, Vantage.OTHER_STRANGER) as box:
        for number in range(LOGIN_FAILURES):
            try:
                await log_in(
                    probe, SUBMISSIONS_465, f"nobody-{number}@{DOMAIN}", f"wrong-{number}", Vantage.OTHER_STRANGER
                )
            except NotServed as end:
                if end.outcome is Outcome.UNREACHABLE:
                    raise
        await box.subjects()
        again = await box.http.get(f"{box.root}/sso.php")
    return probe.seen(Outcome.ACCEPTED, Stage.COMMAND, Reply("200"), new_session=again.status)
