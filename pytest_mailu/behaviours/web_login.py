"""Logins to the web site, and what the session may do."""

from __future__ import annotations

from urllib.parse import urlsplit

from pytest_mailu.behaviours.better import FUNCTION
from pytest_mailu.behaviours.common import site_as
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.helpers import SPECIAL_PASSWORDS, opens
from pytest_mailu.behaviours.helpers import log_in as mail_login
from pytest_mailu.behaviours.needs import SITE
from pytest_mailu.core.endpoints import HTTPS_443, IMAPS_993
from pytest_mailu.core.model import Direction, Observation, Outcome, Reply, Severity, Stage
from pytest_mailu.core.population import BOB, DISABLED, DOMAIN, User, own_mailbox
from pytest_mailu.probe.admin_site import LOGIN, SECONDS, Site, flash, form, local
from pytest_mailu.probe.probe import Probe
from pytest_mailu.wire.http.client import HttpReply

USER = own_mailbox("web-user")
CHANGES = own_mailbox("web-changes-password")
"""A user whose password is changed, and changed back."""
FORGED = own_mailbox("web-forged-form")
"""A user whose settings a forged form tries to change."""
SETTINGS = "/user/settings"
BAD = {
    "wrong-password": (USER.address, "wrong-password"),
    "unknown-user": (f"nobody@{DOMAIN}", "wrong-password"),
    "disabled-user": (DISABLED.address, DISABLED.password),
}
NOT_FOR_USERS = {
    "users": f"/user/list/{DOMAIN}",
    "others-settings": f"/user/usersettings/{BOB.address}",
    "others-password": f"/user/password/{BOB.address}",
    "relays": "/relay",
    "antispam": "/antispam/",
}


def _at_login(reply: HttpReply) -> bool:
    return urlsplit(reply.url).path.startswith(LOGIN)


def _guarded(probe: Probe, reply: HttpReply) -> Observation:
    """Whether a page was shown, or refused."""
    redirects = [f"{hop.status} {urlsplit(hop.location).path}" for hop in reply.chain]
    if reply.status == 200 and not _at_login(reply):
        return probe.seen(Outcome.ACCEPTED, Stage.COMMAND, Reply("200"), way=redirects)
    return probe.seen(Outcome.REFUSED, Stage.COMMAND, Reply(str(reply.status)), way=redirects)


async def _login(probe: Probe, user: User, name: str = "") -> Observation:
    async with Site.open(probe) as site:
        reply = await site.login(name or user.address, user.password)
        settings = await site.page(SETTINGS)
    facts = {"goes_to": local(probe, reply.header("location")), "cookies": reply.cookies, "settings": settings.status}
    inside = settings.status == 200 and not _at_login(settings)
    return probe.seen(Outcome.ACCEPTED if inside else Outcome.REFUSED, Stage.AUTH, Reply(str(reply.status)), **facts)


@behaviour(
    "web/login/password",
    needs=SITE,
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    severity=Severity.CRITICAL,
    timeout=SECONDS,
)
async def login(probe: Probe) -> Observation:
    """Login to the web site with the right password

    Users cannot reach their settings, the administration or web mail.

    core/admin/mailu/sso/views/base.py, 1.9 to master
    """
    return await _login(probe, USER)


@behaviour(
    "web/login/name-upper-case",
    needs=SITE,
    endpoint=HTTPS_443,
    better=FUNCTION,
    severity=Severity.MINOR,
    timeout=SECONDS,
)
async def upper_case(probe: Probe) -> Observation:
    """Login to the web site with the address in upper case

    Users whose browser writes a capital letter cannot log in.

    core/admin/mailu/sso/views/base.py, 1.9 to master
    """
    return await _login(probe, USER, USER.address.upper())


@behaviour(
    "web/login/password-{kind}",
    needs=SITE,
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    each={"kind": SPECIAL_PASSWORDS},
    timeout=SECONDS,
)
async def special(probe: Probe, kind: str) -> Observation:
    """Login to the web site with a special password: {kind}

    Users with such a password cannot log in to the web site.

    core/admin/mailu/sso/views/base.py, 1.9 to master
    """
    return await _login(probe, SPECIAL_PASSWORDS[kind])


@behaviour(
    "web/login/{kind}",
    needs=SITE,
    endpoint=HTTPS_443,
    wanted=Outcome.AUTH_FAILED,
    severity=Severity.CRITICAL,
    each={"kind": BAD},
    timeout=SECONDS,
)
async def bad(probe: Probe, kind: str) -> Observation:
    """Login to the web site is refused: {kind}

    Strangers, or users whose account is disabled, can log in to the web site.

    core/admin/mailu/models.py (User.login), 1.9 to master
    """
    async with Site.open(probe) as site:
        reply = await site.login(*BAD[kind])
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH, Reply(str(reply.status)))


@behaviour(
    "web/login/leads-elsewhere",
    needs=SITE,
    endpoint=HTTPS_443,
    wanted=Outcome.REFUSED,
    severity=Severity.MAJOR,
    timeout=SECONDS,
)
async def leads_elsewhere(probe: Probe) -> Observation:
    """Login page does not redirect to another site

    A link to this server leads users to a forged site.

    CWE-601; core/admin/mailu/sso/views/base.py (_has_usable_redirect), since 2.0
    """
    async with Site.open(probe) as site:
        reply = await site.login(USER.address, USER.password, "?url=https://evil.example/")
    location = reply.header("location")
    away = urlsplit(location).netloc == "evil.example"
    return probe.seen(
        Outcome.ACCEPTED if away else Outcome.REFUSED,
        Stage.COMMAND,
        Reply(str(reply.status), "", local(probe, location)),
    )


@behaviour("web/login/returns-to-page", needs=SITE, endpoint=HTTPS_443, severity=Severity.MINOR, timeout=SECONDS)
async def returns(probe: Probe) -> Observation:
    """Login from a page that needs one: where it leads afterwards

    Users arrive on another page than the one they asked for.

    core/admin/mailu/sso/views/base.py (_has_usable_redirect), since 2.0
    """
    async with Site.open(probe) as site:
        reply = await site.login(USER.address, USER.password, "?url=/admin/client")
    return probe.seen(
        Outcome.ACCEPTED, Stage.COMMAND, Reply(str(reply.status), "", local(probe, reply.header("location")))
    )


@behaviour(
    "web/login/logout", needs=SITE, endpoint=HTTPS_443, wanted=Outcome.REFUSED, severity=Severity.MAJOR, timeout=SECONDS
)
async def logout(probe: Probe) -> Observation:
    """Logout ends the browser's session

    The next user of the computer is in somebody else's account.

    core/admin/mailu/sso/views/base.py (logout), 1.9 to master
    """
    async with Site.open(probe) as site:
        await site.login(USER.address, USER.password)
        await site.http.get("/sso/logout")
        return _guarded(probe, await site.page(SETTINGS))


@behaviour(
    "web/login/without",
    needs=SITE,
    endpoint=HTTPS_443,
    wanted=Outcome.REFUSED,
    severity=Severity.CRITICAL,
    timeout=SECONDS,
)
async def without(probe: Probe) -> Observation:
    """Administration page without a login is refused

    Strangers can administer the server.

    core/admin/mailu/ui/access.py, 1.9 to master
    """
    async with Site.open(probe) as site:
        return _guarded(probe, await site.page("/domain"))


@behaviour(
    "web/user/no-{name}",
    needs=SITE,
    endpoint=HTTPS_443,
    wanted=Outcome.REFUSED,
    severity=Severity.CRITICAL,
    each={"name": NOT_FOR_USERS},
    timeout=SECONDS,
)
async def not_for_users(probe: Probe, name: str) -> Observation:
    """Page "{name}" is refused to users who are no administrators

    Every user can administer the server, or other users' accounts.

    core/admin/mailu/ui/access.py, 1.9 to master
    """
    async with site_as(probe, USER) as site:
        return _guarded(probe, await site.page(NOT_FOR_USERS[name]))


@behaviour(
    "web/user/without-csrf-token",
    needs=SITE,
    endpoint=HTTPS_443,
    wanted=Outcome.REFUSED,
    severity=Severity.MAJOR,
    timeout=SECONDS,
)
async def without_csrf(probe: Probe) -> Observation:
    """Form of the web site without its CSRF token is refused

    Another web site can change a user's settings, such as where mail is forwarded.

    CWE-352; core/admin/mailu/ui/forms.py (flask_wtf), 1.9 to master
    """
    mark = probe.unique_word()
    async with Site.open(probe) as site:
        await site.login(FORGED.address, FORGED.password)
        await site.send_form(SETTINGS, {"displayed_name": mark}, leave_out=("csrf_token",))
        # The status says nothing: releases answer with 200 or 302 whether they saved the form or not.
        taken = form((await site.page(SETTINGS)).text).get("displayed_name") == mark
    return probe.seen(Outcome.ACCEPTED if taken else Outcome.REFUSED, Stage.COMMAND)


@behaviour(
    "web/user/settings",
    needs=SITE,
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    better={"fields": Direction.KEPT},
    severity=Severity.MAJOR,
    timeout=SECONDS,
)
async def settings(probe: Probe) -> Observation:
    """User saves the own settings

    Users cannot set up forwarding, automatic replies and the spam filter.

    core/admin/mailu/ui/views/users.py (user_settings), 1.9 to master
    """
    word = probe.unique_word()
    async with Site.open(probe) as site:
        await site.login(USER.address, USER.password)
        fields = form((await site.inner_page(SETTINGS)).text)
        reply = await site.save(SETTINGS, {"displayed_name": word})
    # Releases answer with 200 and the form again whether they saved it or not: a new session reads it back.
    async with Site.open(probe) as site:
        await site.login(USER.address, USER.password)
        saved = form((await site.inner_page(SETTINGS)).text).get("displayed_name") == word
    return probe.seen(
        Outcome.ACCEPTED if saved else Outcome.REFUSED,
        Stage.COMMAND,
        Reply(str(reply.status), "", flash(reply.text)),
        fields=sorted(fields.keys() - {"csrf_token"}),
    )


@behaviour(
    "web/user/password-change",
    needs=SITE,
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    severity=Severity.CRITICAL,
    timeout=SECONDS,
)
async def password_change(probe: Probe) -> Observation:
    """User changes the own password, and mail programs can use it at once

    A stolen password cannot be changed, or still works.

    core/admin/mailu/ui/views/users.py (user_password), 1.9 to master
    """
    new = f"new-{CHANGES.password}"
    await _change(probe, CHANGES.password, new)
    reply = await mail_login(probe, IMAPS_993, CHANGES.address, new)
    try:
        old_works = await opens(probe, CHANGES.address, CHANGES.password)
    finally:
        await _change(probe, new, CHANGES.password)
    if old_works:
        return probe.seen(Outcome.REFUSED, Stage.AUTH, Reply("", "", "the old password still works"))
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH, reply)


async def _change(probe: Probe, old: str, new: str) -> None:
    """Change the password by the web site's form; 2024.06 asks for the present one as well."""
    probe.transcript.hide(old, new)
    async with Site.open(probe) as site:
        await site.login(CHANGES.address, old)
        await site.save("/user/password", {"current_pw": old, "pw": new, "pw2": new})
