"""Users who have to change their password at the next login to the web site."""

from __future__ import annotations

from urllib.parse import urlsplit

from pytest_mailu.behaviours.better import FUNCTION
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.helpers import log_in, opens
from pytest_mailu.behaviours.needs import SITE
from pytest_mailu.core.endpoints import HTTPS_443, IMAPS_993
from pytest_mailu.core.model import Direction, Observation, Outcome, Reply, Severity, Stage
from pytest_mailu.core.population import ADMIN, DOMAIN, User
from pytest_mailu.probe.admin_site import SECONDS, Site, flash, form, local
from pytest_mailu.probe.probe import Probe
from pytest_mailu.wire.transport.errors import NotServed

FIELD = "change_pw_next_login"
ASKED_FOR = "/admin/client"
"""The page that the user wanted to see before the password had to be changed."""


@behaviour(
    "web/login/forced-password-change",
    needs=SITE,
    endpoint=HTTPS_443,
    better={**FUNCTION, "returns_to_page": Direction.TRUE, "refused_with_old": Direction.TRUE},
    severity=Severity.MAJOR,
    timeout=SECONDS,
)
async def forced(probe: Probe) -> Observation:
    """User who has to change the password at the next login does so, and goes on to the page that was asked for

    New users cannot get past the page that wants another password, or end on another page than they asked for.

    core/admin/mailu/sso/views/base.py (pw_change), since 2024.06 (#2877); #4060
    """
    user, new = User(f"forced-{probe.unique_word()}", "forced-secret-1"), "forced-secret-2"
    probe.transcript.hide(user.password, new)
    async with Site.open(probe) as administrator:
        await administrator.login(ADMIN.address, ADMIN.password)
        path = f"/user/create/{DOMAIN}"
        if FIELD not in (await administrator.inner_page(path)).text:
            raise NotServed(Outcome.NOT_OFFERED, Stage.COMMAND, Reply(text=f"no {FIELD}"))
        await administrator.save(path, {"localpart": user.name, "pw": user.password, "pw2": user.password, FIELD: "y"})
    async with Site.open(probe) as site:
        first = local(probe, (await site.login(user.address, user.password, f"?url={ASKED_FOR}")).header("location"))
        page = await site.http.get(first)
        sent = {**form(page.text), "oldpw": user.password, "pw": new, "pw2": new}
        reply = await site.http.post(urlsplit(first).path, data=sent, follow=False)
    if reply.status not in (302, 303):
        raise NotServed(Outcome.REFUSED, Stage.COMMAND, Reply(str(reply.status), "", flash(reply.text)))
    await log_in(probe, IMAPS_993, user.address, new)
    leads_to = local(probe, reply.header("location"))
    return probe.seen(
        Outcome.ACCEPTED,
        Stage.AUTH,
        Reply(str(reply.status), "", leads_to),
        asked_at=urlsplit(first).path,
        returns_to_page=urlsplit(leads_to).path == ASKED_FOR,
        refused_with_old=not await opens(probe, user.address, user.password),
    )
