"""The web mails that behaviours ask, and the way into each: Mailu's own login."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol, TypeVar

from pytest_mailu.core.model import Outcome, Vantage
from pytest_mailu.core.population import User
from pytest_mailu.core.web_mails import WebMailKind
from pytest_mailu.probe.admin_site import Site
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.rainloop import Rainloop
from pytest_mailu.probe.roundcube import Roundcube
from pytest_mailu.probe.snappymail import Snappymail
from pytest_mailu.probe.web_mail import WebMail, web_mail_path
from pytest_mailu.wire.http.client import HttpSession
from pytest_mailu.wire.transport.errors import NotServed

Mail_co = TypeVar("Mail_co", covariant=True)


class _Program(Protocol[Mail_co]):
    async def enter(self, http: HttpSession, root: str) -> Mail_co: ...


_PROGRAMS: Mapping[WebMailKind, _Program[WebMail]] = {
    WebMailKind.ROUNDCUBE: Roundcube,
    WebMailKind.SNAPPYMAIL: Snappymail,
    WebMailKind.RAINLOOP: Rainloop,
}


def open_web_mail(
    kind: WebMailKind, probe: Probe, user: User, vantage: Vantage = Vantage.STRANGER
) -> AbstractAsyncContextManager[WebMail]:
    """Log in to the web site as `user`, and go to web mail. Raises NotServed where either fails."""
    return _opened(_PROGRAMS[kind], probe, user, vantage)


def open_roundcube(probe: Probe, user: User) -> AbstractAsyncContextManager[Roundcube]:
    """The same for what only Roundcube has."""
    return _opened(Roundcube, probe, user)


def open_snappymail(probe: Probe, user: User) -> AbstractAsyncContextManager[Snappymail]:
    """The same for what only SnappyMail has."""
    return _opened(Snappymail, probe, user)


@asynccontextmanager
async def _opened(
    program: _Program[Mail_co], probe: Probe, user: User, vantage: Vantage = Vantage.STRANGER
) -> AsyncIterator[Mail_co]:
    async with Site.open(probe, vantage) as site:
        await site.login(user.address, user.password)
        yield await program.enter(site.http, web_mail_path(probe))


async def enter_web_mail(kind: WebMailKind, probe: Probe, http: HttpSession) -> WebMail:
    """Web mail in a browser that has logged in to the web site.

    Raises `NotServed(REFUSED, AUTH)` where that leads back to the login page, or to anything but a mailbox.
    """
    return await _PROGRAMS[kind].enter(http, web_mail_path(probe))


async def try_to_enter(kind: WebMailKind, probe: Probe, http: HttpSession) -> WebMail | None:
    """The same; None where the browser is kept out."""
    try:
        return await enter_web_mail(kind, probe, http)
    except NotServed as end:
        if end.outcome is not Outcome.REFUSED:
            raise
        return None
