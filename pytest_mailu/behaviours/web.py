"""Web pages without a login: status, redirects, headers and cookies."""

from __future__ import annotations

from urllib.parse import urlsplit

from pytest_mailu.behaviours.better import FUNCTION
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.needs import SITE
from pytest_mailu.core.endpoints import HTTP_80, HTTPS_443
from pytest_mailu.core.model import Facts, Observation, Outcome, Reply, Severity, Stage
from pytest_mailu.core.population import HOSTNAME
from pytest_mailu.core.setups import Feature
from pytest_mailu.probe.admin_site import SECONDS, browser, local
from pytest_mailu.probe.probe import Probe
from pytest_mailu.wire.http.client import HttpReply

NEEDED = {"root": "/", "admin": "/admin", "login": "/sso/login", "health": "/health"}
OTHERS = {
    "webmail": "/webmail",
    "webdav": "/webdav",
    "api": "/api/v1/",
    "antispam": "/admin/antispam/",
    "sign-up": "/admin/user/signup",
    "favicon": "/favicon.ico",
    "missing": "/no-such-page",
}
PRIVATE = {"internal": "/internal/auth/user", "internal-postfix": "/internal/postfix/domain/post.example"}
HEADERS = (
    "content-type",
    "content-security-policy",
    "permissions-policy",
    "referrer-policy",
    "server",
    "strict-transport-security",
    "x-content-type-options",
    "x-frame-options",
    "x-permitted-cross-domain-policies",
    "x-xss-protection",
)
"""Headers that browsers act on; others change with each answer."""


def page_facts(probe: Probe, reply: HttpReply) -> Facts:
    """What of a page is compared: redirects, headers that browsers act on, and cookies."""
    return {
        "way": [f"{_path(hop.url)} {hop.status} {local(probe, hop.location).partition('?')[0]}" for hop in reply.chain],
        "loops": reply.looped,
        "headers": {name: reply.header(name) for name in HEADERS if reply.header(name)},
        "cookies": reply.cookies,
    }


def page_outcome(reply: HttpReply) -> Outcome:
    """Whether the page is shown."""
    if reply.looped or reply.status >= 500:
        return Outcome.UNANSWERED
    if reply.status in (404, 405):
        return Outcome.NOT_OFFERED
    if reply.status == 429:
        return Outcome.DEFERRED
    return Outcome.REFUSED if reply.status >= 400 else Outcome.ACCEPTED


@behaviour(
    "web/page/{name}",
    needs=SITE,
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    each={"name": NEEDED},
    timeout=SECONDS,
)
async def needed(probe: Probe, name: str) -> Observation:
    """Web page "{name}" without a login

    Users do not reach the web site, or monitoring reports it as down.

    core/nginx/conf/nginx.conf, 1.9 to master
    """
    async with browser(probe) as http:
        reply = await http.get(NEEDED[name])
    return probe.seen(page_outcome(reply), Stage.COMMAND, Reply(str(reply.status)), **page_facts(probe, reply))


@behaviour(
    "web/page/{name}",
    needs=SITE,
    endpoint=HTTPS_443,
    better=FUNCTION,
    severity=Severity.MINOR,
    each={"name": OTHERS},
    timeout=SECONDS,
)
async def other(probe: Probe, name: str) -> Observation:
    """Web path "{name}" without a login

    Bookmarks and scripts that use it lead elsewhere.

    core/nginx/conf/nginx.conf, 1.9 to master
    """
    async with browser(probe) as http:
        reply = await http.get(OTHERS[name])
    # Headers and redirects are compared once, with the pages that everybody needs.
    ends_at = _path(reply.url).partition("?")[0]
    return probe.seen(page_outcome(reply), Stage.COMMAND, Reply(str(reply.status)), ends_at=ends_at)


@behaviour(
    "web/page/{name}",
    needs=SITE,
    endpoint=HTTPS_443,
    wanted=Outcome.REFUSED,
    severity=Severity.CRITICAL,
    each={"name": PRIVATE},
    timeout=SECONDS,
)
async def private(probe: Probe, name: str) -> Observation:
    """Internal interface "{name}" is not reachable from outside

    Strangers can ask the server for addresses, and log others in.

    core/nginx/conf/nginx.conf (`internal;`), 1.9 to master
    """
    async with browser(probe) as http:
        reply = await http.get(PRIVATE[name], follow=False)
    outcome = page_outcome(reply)
    if 300 <= reply.status < 400:
        outcome = Outcome.REFUSED
    return probe.seen(outcome, Stage.COMMAND, Reply(str(reply.status), "", reply.header("location")))


@behaviour(
    "web/http/redirect",
    needs=SITE,
    of_setup=(Feature.WEB_TLS,),
    endpoint=HTTP_80,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    timeout=SECONDS,
)
async def redirect(probe: Probe) -> Observation:
    """Web site without TLS redirects to the same page with TLS

    Users who type the address see nothing, or send their password in plain text.

    core/nginx/conf/nginx.conf (`return 301 https://`), 1.9 to master
    """
    async with browser(probe, HTTP_80) as http:
        reply = await http.get("/admin?x=1", follow=False)
    location = reply.header("location")
    good = reply.status in (301, 302, 307, 308) and location.startswith(f"https://{HOSTNAME}/admin")
    return probe.seen(
        Outcome.ACCEPTED if good else Outcome.REFUSED, Stage.COMMAND, Reply(str(reply.status), "", location)
    )


@behaviour("web/http/health", needs=SITE, endpoint=HTTP_80, better=FUNCTION, severity=Severity.MINOR, timeout=SECONDS)
async def health_over_http(probe: Probe) -> Observation:
    """Health path without TLS

    Load balancers and monitoring without TLS report the server as down.

    core/nginx/conf/nginx.conf, since 2024.06 also on port 80
    """
    async with browser(probe, HTTP_80) as http:
        reply = await http.get("/health", follow=False)
    return probe.seen(page_outcome(reply), Stage.COMMAND, Reply(str(reply.status), "", reply.header("location")))


def _path(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
