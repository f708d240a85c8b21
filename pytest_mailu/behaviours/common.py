"""What behaviours of several families send and look at, once for all of them: messages, logins, tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pytest_mailu.behaviours.helpers import create_token, log_in
from pytest_mailu.core.endpoints import SMTP_25_OPPORTUNISTIC, Endpoint
from pytest_mailu.core.model import Reply
from pytest_mailu.core.population import User
from pytest_mailu.probe.admin_site import Site
from pytest_mailu.probe.messages import Message
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.shared import shared
from pytest_mailu.wire.http.client import Cookies


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that the server took, and its reply to DATA."""

    message: Message
    reply: Reply


@shared
async def from_outside(probe: Probe, to: str, endpoint: Endpoint = SMTP_25_OPPORTUNISTIC) -> Sent:
    """A plain, signed message of a stranger to one address. Raises NotServed where it is not taken."""
    message = probe.mail.compose(to=to)
    return Sent(message, await probe.mail.deliver(message, endpoint))


@shared
async def from_user(probe: Probe, user: User, to: str, endpoint: Endpoint, sender: str = "") -> Sent:
    """A plain message of a user, who logs in, in the user's own name or as `sender`. Raises NotServed likewise."""
    message = probe.mail.compose(to=to, sender=sender or user.address)
    return Sent(message, await probe.mail.submit(message, endpoint, user))


@shared
async def logged_in(probe: Probe, endpoint: Endpoint, user: User) -> Reply:
    """The reply to a user's login with the right password, as `log_in` does it. Raises NotServed where it fails."""
    return await log_in(probe, endpoint, user.address, user.password)


@shared
async def _web_session(probe: Probe, user: User) -> Cookies:
    """The cookies of a browser that has logged in."""
    async with Site.open(probe) as site:
        await site.login(user.address, user.password)
        return site.http.cookies


@asynccontextmanager
async def site_as(probe: Probe, user: User) -> AsyncIterator[Site]:
    """The web site in a browser that has logged in, for pages that are only looked at.

    The session is shared, so nothing may be saved or logged out in it: a form's token belongs to its session. Raises
    NotServed where the login fails.
    """
    cookies = await _web_session(probe, user)
    async with Site.open(probe) as site:
        site.http.bring(cookies)
        yield site


@shared
async def token_of(probe: Probe, user: User, address: str = "") -> str:
    """A token of a user, bound to `address` if given. Raises CannotAsk where none can be created."""
    return await create_token(probe, user, address)
