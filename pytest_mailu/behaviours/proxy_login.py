"""Logins by a header of the reverse proxy (`PROXY_AUTH_*`): for the proxy that Mailu knows, and for nobody else."""

from __future__ import annotations

from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.needs import SITE
from pytest_mailu.behaviours.proxy import forwarding_past_the_proxy, past_the_proxy
from pytest_mailu.core.endpoints import HTTPS_443
from pytest_mailu.core.model import Direction, Observation, Outcome, Reply, Severity, Stage, Vantage
from pytest_mailu.core.population import DOMAIN, own_mailbox
from pytest_mailu.core.setups import Feature
from pytest_mailu.probe.admin_site import LOGIN, SECONDS, browser, forwarding, setting
from pytest_mailu.probe.probe import Probe
from pytest_mailu.wire.http.client import HttpReply
from pytest_mailu.wire.http.forwarding import Forwarding
from pytest_mailu.wire.transport.errors import NotServed

USER = own_mailbox("header-login")
FORWARDED_BY = "X-Forwarded-By"
"""Where `front` tells `admin` which proxy a request came from (core/nginx/conf/proxy.conf, since 2.0)."""
SETTINGS = "/user/settings"
VARIANT = "header-login"
CREATES = "header-login-creates"
ALONE = "header-login-alone"


async def _logged_in(probe: Probe, how: Forwarding | None, user: str, **forged: str) -> Observation:
    """What becomes of a request for the login page with a header that names a user, as `how` passes it on.

    Logged in is who then sees the settings of that user.
    """
    if not probe.release.reads_proxy_protocol:  # both came with 2.0
        raise NotServed(Outcome.NOT_OFFERED, Stage.AUTH, Reply(text="PROXY_AUTH_WHITELIST is not known"))
    header = setting(probe, "PROXY_AUTH_HEADER", "X-Auth-Email")
    connector = past_the_proxy(probe, HTTPS_443) if how is not None else None
    async with browser(probe, HTTPS_443, connector=connector, how=how) as http:
        reply = await http.get(LOGIN, headers={header: user, **forged}, follow=False)
        page = await http.get(setting(probe, "WEB_ADMIN", "/admin") + SETTINGS, follow=False)
    inside = page.status == 200 and user in page.text
    return probe.seen(Outcome.ACCEPTED if inside else Outcome.REFUSED, Stage.AUTH, _status(reply), page=page.status)


async def _led_on(probe: Probe, user: str) -> Observation:
    """The same through the proxy, and whether who gets in is led on: a session may come with an error page."""
    seen = await _logged_in(probe, None, user)
    if seen.outcome is not Outcome.ACCEPTED or seen.reply is None:
        return seen
    return probe.with_facts(seen, led_on=seen.reply.code < "400")


def _status(reply: HttpReply) -> Reply:
    return Reply(str(reply.status))


@behaviour(
    "proxy/header-login/user",
    needs=SITE,
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    better={"led_on": Direction.TRUE},
    severity=Severity.CRITICAL,
    variant=VARIANT,
    of_setup=(Feature.PROXY_HEADER,),
    timeout=SECONDS,
)
async def user(probe: Probe) -> Observation:
    """Login by a header of the proxy that PROXY_AUTH_WHITELIST names

    Nobody gets in by single sign-on, or everybody is shown an error first.

    Mailu docs, "Configuration reference" (PROXY_AUTH_WHITELIST, PROXY_AUTH_HEADER); towncrier/newsfragments/3314.bugfix
    """
    return await _led_on(probe, USER.address)


@behaviour(
    "proxy/header-login/stranger",
    needs=SITE,
    endpoint=HTTPS_443,
    wanted=Outcome.REFUSED,
    severity=Severity.CRITICAL,
    variant=VARIANT,
    of_setup=(Feature.PROXY_HEADER,),
    timeout=SECONDS,
)
async def stranger(probe: Probe) -> Observation:
    """The same header from a stranger who goes round the proxy logs nobody in

    Anybody is any user, administrators included.

    Mailu docs, "Configuration reference" (PROXY_AUTH_WHITELIST)
    """
    return await _logged_in(probe, forwarding_past_the_proxy(probe, HTTPS_443), USER.address)


@behaviour(
    "proxy/header-login/forged-forwarded-by",
    needs=SITE,
    endpoint=HTTPS_443,
    wanted=Outcome.REFUSED,
    severity=Severity.CRITICAL,
    variant=VARIANT,
    of_setup=(Feature.PROXY_HEADER,),
    timeout=SECONDS,
)
async def forged_forwarded_by(probe: Probe) -> Observation:
    """The same from a stranger who names the proxy in X-Forwarded-By logs nobody in

    Anybody who knows the proxy's address is any user, administrators included.

    core/nginx/conf/proxy.conf (X-Forwarded-By), core/admin/mailu/sso/views/base.py (`_proxy`), since 2.0
    """
    forged = {FORWARDED_BY: probe.address_of(Vantage.PROXY)}
    return await _logged_in(probe, forwarding_past_the_proxy(probe, HTTPS_443), USER.address, **forged)


@behaviour(
    "proxy/header-login/forged-forwarded-by-without-real-ip",
    needs=SITE,
    endpoint=HTTPS_443,
    wanted=Outcome.REFUSED,
    severity=Severity.CRITICAL,
    variant=ALONE,
    of_setup=(Feature.PROXY_HEADER,),
    timeout=SECONDS,
)
async def forged_forwarded_by_alone(probe: Probe) -> Observation:
    """The same where PROXY_AUTH_WHITELIST is set and REAL_IP_FROM is not logs nobody in

    Anybody who knows an address of the list is any user, administrators included.

    core/nginx/conf/proxy.conf of 2.0.43 and 2024.06.24 (X-Forwarded-By is passed on), of 2024.06.57 (it is not)
    """
    forged = {FORWARDED_BY: probe.address_of(Vantage.PROXY)}
    return await _logged_in(probe, forwarding_past_the_proxy(probe, HTTPS_443), USER.address, **forged)


@behaviour(
    "proxy/header-login/unknown-user",
    needs=SITE,
    endpoint=HTTPS_443,
    wanted=Outcome.REFUSED,
    severity=Severity.MAJOR,
    variant=VARIANT,
    of_setup=(Feature.PROXY_HEADER,),
    timeout=SECONDS,
)
async def unknown_user(probe: Probe) -> Observation:
    """Login by the proxy's header as a user whom there is not is refused

    Mailboxes come about that nobody has made.

    Mailu docs, "Configuration reference" (PROXY_AUTH_CREATE)
    """
    return await _logged_in(probe, None, f"{probe.unique_word()}@{DOMAIN}")


@behaviour(
    "proxy/header-login/created",
    needs=SITE,
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    better={"led_on": Direction.TRUE},
    severity=Severity.MAJOR,
    variant=CREATES,
    of_setup=(Feature.PROXY_HEADER,),
    timeout=SECONDS,
)
async def created(probe: Probe) -> Observation:
    """Login by the proxy's header as a new user, with PROXY_AUTH_CREATE

    New people of the single sign-on get no mailbox.

    Mailu docs, "Configuration reference" (PROXY_AUTH_CREATE)
    """
    return await _led_on(probe, f"{probe.unique_word()}@{DOMAIN}")


@behaviour(
    "proxy/header-login/other-way",
    needs=SITE,
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MINOR,
    variant=VARIANT,
    deep=True,
    of_setup=(Feature.PROXY_HEADER,),
    timeout=SECONDS,
)
async def other_way(probe: Probe) -> Observation:
    """The login page is shown to whom the proxy names nobody for

    Users without single sign-on cannot log in with their passwords.

    Mailu docs, "Configuration reference" (`noproxyauth`); core/admin/mailu/sso/views/base.py (`login`)
    """
    how = forwarding(probe, HTTPS_443, Vantage.STRANGER)
    async with browser(probe, HTTPS_443, how=how) as http:
        reply = await http.get(LOGIN, follow=False)
    shown = reply.status == 200 and 'name="pw"' in reply.text
    return probe.seen(Outcome.ACCEPTED if shown else Outcome.REFUSED, Stage.AUTH, _status(reply))
