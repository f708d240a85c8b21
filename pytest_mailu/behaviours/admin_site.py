"""The administration on the web site. What is created here is removed with the stack and has a unique name."""

from __future__ import annotations

from urllib.parse import urlsplit

from pytest_mailu.behaviours.common import site_as
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.helpers import log_in, rcpt_from_stranger
from pytest_mailu.behaviours.needs import SITE
from pytest_mailu.core.endpoints import HTTPS_443, IMAPS_993
from pytest_mailu.core.model import Direction, Observation, Outcome, Reply, Severity, Stage
from pytest_mailu.core.population import ADMIN, BOB, DOMAIN, User
from pytest_mailu.probe.admin_site import LOGIN, SECONDS, Site, flash, form
from pytest_mailu.probe.probe import Probe
from pytest_mailu.wire.transport.errors import NotServed

PAGES = {
    "domains": "/domain",
    "domain-dns": f"/domain/details/{DOMAIN}",
    "users": f"/user/list/{DOMAIN}",
    "aliases": f"/alias/list/{DOMAIN}",
    "alternatives": f"/alternative/list/{DOMAIN}",
    "managers": f"/manager/list/{DOMAIN}",
    "relays": "/relay",
    "administrators": "/admin/list",
    "client-setup": "/client",
    "antispam": "/antispam/",
}
FORMS = {
    "domain": "/domain/create",
    "user": f"/user/create/{DOMAIN}",
    "alias": f"/alias/create/{DOMAIN}",
    "relay": "/relay/create",
}


@behaviour(
    "admin/site/page-{name}",
    needs=SITE,
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    each={"name": PAGES},
    timeout=SECONDS,
)
async def page(probe: Probe, name: str) -> Observation:
    """Administration page "{name}" for an administrator

    Administrators cannot manage {name}.

    core/admin/mailu/ui/views, core/nginx/conf/nginx.conf for the filter's own site; 1.9 to master
    """
    async with site_as(probe, ADMIN) as site:
        reply = await site.page(PAGES[name])
    good = reply.status == 200 and not urlsplit(reply.url).path.startswith(LOGIN)
    return probe.seen(Outcome.ACCEPTED if good else Outcome.REFUSED, Stage.COMMAND, Reply(str(reply.status)))


@behaviour(
    "admin/site/form-{name}",
    needs=SITE,
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    better={"fields.*": Direction.KEPT},
    severity=Severity.MAJOR,
    each={"name": FORMS},
    timeout=SECONDS,
)
async def fields(probe: Probe, name: str) -> Observation:
    """Fields of the administration's form for a new {name}, and their default values

    Scripts that fill in the form, and instructions for people, have to be adapted.

    core/admin/mailu/ui/forms.py, 1.9 to master
    """
    async with site_as(probe, ADMIN) as site:
        reply = await site.page(FORMS[name])
    proposed = {key: value for key, value in form(reply.text).items() if key != "csrf_token"}
    good = reply.status == 200 and bool(proposed)
    return probe.seen(
        Outcome.ACCEPTED if good else Outcome.REFUSED, Stage.COMMAND, Reply(str(reply.status)), fields=proposed
    )


@behaviour(
    "admin/site/create-user",
    needs=SITE,
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    severity=Severity.CRITICAL,
    timeout=SECONDS,
)
async def create_user(probe: Probe) -> Observation:
    """A user created in the administration can log in with a mail program

    Administrators cannot create mailboxes.

    core/admin/mailu/ui/views/users.py (user_create), 1.9 to master
    """
    user = User(f"site-{probe.unique_word()}", "site-made-secret-1")
    await _submitted(probe, FORMS["user"], {"localpart": user.name, "pw": user.password, "pw2": user.password})
    reply = await log_in(probe, IMAPS_993, user.address, user.password)
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH, reply)


@behaviour(
    "admin/site/create-alias", endpoint=HTTPS_443, wanted=Outcome.ACCEPTED, severity=Severity.MAJOR, timeout=SECONDS
)
async def create_alias(probe: Probe) -> Observation:
    """An alias created in the administration receives mail at once

    Administrators cannot create aliases.

    core/admin/mailu/ui/views/aliases.py (alias_create), 1.9 to master
    """
    name = f"site-{probe.unique_word()}"
    await _submitted(probe, FORMS["alias"], {"localpart": name, "destination": BOB.address})
    reply = await rcpt_from_stranger(probe, f"{name}@{DOMAIN}")
    return probe.seen(Outcome.ACCEPTED, Stage.RCPT, reply)


async def _submitted(probe: Probe, path: str, values: dict[str, str]) -> None:
    async with Site.open(probe) as site:
        await site.login(ADMIN.address, ADMIN.password)
        reply = await site.save(path, values)
    if reply.status not in (302, 303):
        raise NotServed(Outcome.REFUSED, Stage.COMMAND, Reply(str(reply.status), "", flash(reply.text)))
