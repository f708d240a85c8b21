"""Sessions that outlive what others change: a user is disabled, gets another password, is made administrator."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.helpers import create_token, log_in
from pytest_mailu.core.endpoints import HTTPS_443, IMAPS_993
from pytest_mailu.core.model import Observation, Outcome, Reply, Severity, Stage
from pytest_mailu.core.population import ADMIN, User, own_mailbox
from pytest_mailu.probe.admin_site import LOGIN, SECONDS, Site, form
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.shared import shared
from pytest_mailu.wire.http.client import HttpReply
from pytest_mailu.wire.imap.session import ImapSession
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed

SETTINGS = "/user/settings"
FOR_ADMINISTRATORS = "/relay"
GOES_ON, ENDED = "goes on", "ended"


@dataclass(frozen=True, slots=True)
class Change:
    """What an administrator does to a user who is logged in, how it is undone, and how to see whether it is done."""

    user: User
    do: Callable[[Site, User], Awaitable[None]]
    undo: Callable[[Site, User], Awaitable[None]]
    done: Callable[[Probe, Site, User], Awaitable[bool]]


async def _disable(site: Site, user: User) -> None:
    await site.send_form(f"/user/edit/{user.address}", {}, leave_out=("enabled",))


async def _enable(site: Site, user: User) -> None:
    await site.save(f"/user/edit/{user.address}", {"enabled": "y"})


async def _new_password(site: Site, user: User) -> None:
    await site.save(f"/user/password/{user.address}", {"pw": f"new-{user.password}", "pw2": f"new-{user.password}"})


async def _old_password(site: Site, user: User) -> None:
    await site.save(f"/user/password/{user.address}", {"pw": user.password, "pw2": user.password})


async def _promote(site: Site, user: User) -> None:
    await site.save("/admin/create", {"admin": user.address})


async def _demote(site: Site, user: User) -> None:
    await site.save(f"/admin/delete/{user.address}", {})


async def _is_disabled(probe: Probe, site: Site, user: User) -> bool:
    return "enabled" not in form((await site.inner_page(f"/user/edit/{user.address}")).text)


async def _has_new_password(probe: Probe, site: Site, user: User) -> bool:
    return await _outcome(probe, user, f"new-{user.password}") == Outcome.ACCEPTED


async def _is_administrator(probe: Probe, site: Site, user: User) -> bool:
    return f"/admin/delete/{user.address}" in unquote((await site.inner_page("/admin/list")).text)


PROMOTED = "made-administrator"
CHANGES: Mapping[str, Change] = {
    "disabled": Change(own_mailbox("session-disabled"), _disable, _enable, _is_disabled),
    "password-changed": Change(own_mailbox("session-password"), _new_password, _old_password, _has_new_password),
    PROMOTED: Change(own_mailbox("session-promoted"), _promote, _demote, _is_administrator),
}


@dataclass(frozen=True, slots=True)
class Outlived:
    """What goes on after the change: pages of the own account and of the administration, the mail session, logins."""

    web: HttpReply
    administration: HttpReply
    again: HttpReply | None
    """The page of the administration for a user who is an administrator no more; None for whom else was asked."""
    mail: str
    login: str
    token: str


@shared
async def outlived(probe: Probe, what: str) -> Outlived:
    """Log in everywhere, have it changed, and look.

    Raises CannotAsk where there is nothing to outlive, or where the change did not take effect.
    """
    change = CHANGES[what]
    user = change.user
    token = await create_token(probe, user)
    async with Site.open(probe) as own, probe.imap(IMAPS_993) as imap, Site.open(probe) as administrator:
        try:
            await own.login(user.address, user.password)
            await own.inner_page(SETTINGS)
            await imap.login(user.address, user.password)
            await administrator.login(ADMIN.address, ADMIN.password)
        except NotServed as end:
            raise CannotAsk(f"no session that could outlive something: {end}") from end
        await change.do(administrator, user)
        try:
            if not await change.done(probe, administrator, user):
                raise CannotAsk(f"the administration did not save that the user was {what.replace('-', ' ')}")
            web = await own.page(SETTINGS)
            administration = await own.page(FOR_ADMINISTRATORS)
            mail = await _goes_on(imap)
            login = await _outcome(probe, user, user.password)
            with_token = await _outcome(probe, user, token)
        finally:
            await change.undo(administrator, user)
        demoted = what == PROMOTED and not await change.done(probe, administrator, user)
        again = await own.page(FOR_ADMINISTRATORS) if demoted else None
    return Outlived(web, administration, again, mail, login, with_token)


async def _goes_on(imap: ImapSession) -> str:
    try:
        await imap.noop()
        await imap.select()
    except (NotServed, CannotAsk):
        return ENDED
    return GOES_ON


async def _outcome(probe: Probe, user: User, secret: str) -> str:
    try:
        await log_in(probe, IMAPS_993, user.address, secret)
    except NotServed as end:
        return str(end.outcome)
    return str(Outcome.ACCEPTED)


def _shown(probe: Probe, reply: HttpReply) -> Observation:
    inside = reply.status == 200 and not urlsplit(reply.url).path.startswith(LOGIN)
    return probe.seen(Outcome.ACCEPTED if inside else Outcome.REFUSED, Stage.COMMAND, Reply(str(reply.status)))


@behaviour(
    "web/session/{what}",
    endpoint=HTTPS_443,
    wanted=Outcome.REFUSED,
    severity=Severity.MAJOR,
    affected="Users have to log in to the web site again.",
    each={"what": ("disabled", "password-changed")},
    timeout=SECONDS,
)
async def ends(probe: Probe, what: str) -> Observation:
    """Web session ends when an administrator has the user {what}

    Who has stolen a session, or was locked out, keeps on reading and changing the account.

    core/admin/mailu/models.py (User.set_password, keep_sessions), core/admin/mailu/utils.py (MailuSessionExtension)
    """
    return _shown(probe, (await outlived(probe, what)).web)


@behaviour(
    "web/session/made-administrator",
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MINOR,
    timeout=SECONDS,
)
async def promoted(probe: Probe) -> Observation:
    """Web session of a user who is made an administrator opens the administration

    New administrators have to log out and in again.

    core/admin/mailu/ui/access.py (global_admin), 1.9 to master
    """
    return _shown(probe, (await outlived(probe, PROMOTED)).administration)


@behaviour(
    "web/session/administrator-no-more",
    endpoint=HTTPS_443,
    wanted=Outcome.REFUSED,
    severity=Severity.CRITICAL,
    timeout=SECONDS,
)
async def demoted(probe: Probe) -> Observation:
    """Web session of an administrator who is made a plain user does not open the administration any more

    A former administrator who is logged in keeps on administering the server.

    core/admin/mailu/ui/access.py (global_admin), 1.9 to master
    """
    again = (await outlived(probe, PROMOTED)).again
    if again is None:
        raise CannotAsk("the administration did not save that the user is an administrator no more")
    return _shown(probe, again)
