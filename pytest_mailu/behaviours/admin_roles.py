"""Who may do what on the web site: users, managers of a domain, and nobody in particular."""

from __future__ import annotations

from urllib.parse import urlsplit

from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.needs import SITE
from pytest_mailu.behaviours.site_forms import FORMS, PASSWORD
from pytest_mailu.core.endpoints import HTTPS_443
from pytest_mailu.core.model import Direction, Observation, Outcome, Reply, Severity, Stage
from pytest_mailu.core.population import ADMIN, ALICE, BOB, DOMAIN, SALES, User, own_mailbox
from pytest_mailu.probe.admin_site import LOGIN, SECONDS, Site, form
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.shared import shared
from pytest_mailu.wire.http.client import HttpReply
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed

USER = own_mailbox("role-user")
MANAGER = own_mailbox("role-manager")
"""The manager of a domain that is made for it."""
MAIN_MANAGER = own_mailbox("role-main-manager")
"""A manager of the main domain, in which the administrator has a mailbox."""
PAGES = (
    "/admin/list",
    "/relay",
    f"/user/list/{DOMAIN}",
    f"/alias/list/{DOMAIN}",
    f"/alternative/list/{DOMAIN}",
    f"/manager/list/{DOMAIN}",
    f"/domain/details/{DOMAIN}",
    f"/domain/edit/{DOMAIN}",
    f"/domain/genkeys/{DOMAIN}",
    f"/domain/delete/{DOMAIN}",
    f"/alias/edit/{SALES.address}",
    f"/user/edit/{ALICE.address}",
    f"/user/usersettings/{ALICE.address}",
    f"/user/password/{ALICE.address}",
    f"/user/reply/{ALICE.address}",
    f"/token/list/{ALICE.address}",
    f"/token/create/{ALICE.address}",
    f"/fetch/list/{ALICE.address}",
    "/announcement",
    "/antispam/",
)
"""For administrators, or for managers of the main domain."""
SENT = {name: each for name, each in FORMS.items() if each.by is None and each.right}
OWN_PAGES = (
    "/user/list/{}",
    "/user/create/{}",
    "/alias/list/{}",
    "/alias/create/{}",
    "/manager/list/{}",
    "/domain/details/{}",
)
OVER_THE_ADMINISTRATOR = ("/user/edit/{}", "/user/password/{}", "/user/usersettings/{}", "/token/create/{}")
ROLES = ("user", "manager-of-another-domain", "nobody")


def _inside(reply: HttpReply) -> bool:
    return reply.status == 200 and not urlsplit(reply.url).path.startswith(LOGIN)


@shared
async def managed(probe: Probe) -> str:
    """The name of a new domain that `MANAGER` manages. Raises CannotAsk where it does not come to be."""
    name = f"managed-{probe.unique_word()}.example"
    async with Site.open(probe) as site:
        await site.login(ADMIN.address, ADMIN.password)
        await site.save("/domain/create", {"name": name})
        await site.save(f"/manager/create/{name}", {"manager": MANAGER.address})
        managers = (await site.inner_page(f"/manager/list/{name}")).text
    if MANAGER.address not in managers:
        raise CannotAsk("the administration did not save who manages a domain")
    return name


@behaviour(
    "admin/role/{role}-is-refused",
    needs=SITE,
    endpoint=HTTPS_443,
    wanted=Outcome.REFUSED,
    better={"open": Direction.FEWER},
    severity=Severity.CRITICAL,
    each={"role": ROLES},
    timeout=SECONDS,
)
async def is_refused(probe: Probe, role: str) -> Observation:
    """Pages and forms for administrators are refused to others: {role}

    Others read, change or take over accounts and domains.

    core/admin/mailu/ui/access.py, 1.9 to master
    """
    open_: list[str] = []
    async with Site.open(probe) as site:
        csrf = ""
        if role != "nobody":
            user = USER if role == "user" else MANAGER
            if role != "user":
                await managed(probe)
            await site.login(user.address, user.password)
            csrf = form((await site.inner_page("/user/settings")).text).get("csrf_token", "")
        for path in PAGES:
            if _inside(await site.page(path)):
                open_.append(f"GET {path}")
        for each in SENT.values():
            values = {name: value.replace("{word}", probe.unique_word()) for name, value in each.right.items()}
            reply = await site.http.post(site.admin + each.path, data={**values, "csrf_token": csrf}, follow=False)
            to_login = urlsplit(reply.header("location")).path.startswith(LOGIN)
            if reply.status < 400 and not to_login:
                open_.append(f"POST {each.path}")
    words = Reply(text=f"open: {', '.join(open_)}") if open_ else None
    return probe.seen(Outcome.ACCEPTED if open_ else Outcome.REFUSED, Stage.COMMAND, words, open=open_)


@behaviour(
    "admin/role/manager-manages",
    needs=SITE,
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    better={"shown": Direction.KEPT},
    severity=Severity.MAJOR,
    timeout=SECONDS,
)
async def manages(probe: Probe) -> Observation:
    """Manager of a domain sees its pages, and creates users and aliases in it

    Managers cannot manage their domain.

    core/admin/mailu/ui/access.py (domain_admin), 1.9 to master
    """
    name = await managed(probe)
    word = probe.unique_word()
    async with Site.open(probe) as site:
        await site.login(MANAGER.address, MANAGER.password)
        shown = [path.format("<domain>") for path in OWN_PAGES if _inside(await site.page(path.format(name)))]
        user = {"localpart": f"user-{word}", "pw": PASSWORD, "pw2": PASSWORD}
        await site.save(f"/user/create/{name}", user)
        await site.save(f"/alias/create/{name}", {"localpart": f"alias-{word}", "destination": BOB.address})
        users = (await site.inner_page(f"/user/list/{name}")).text
        aliases = (await site.inner_page(f"/alias/list/{name}")).text
    made = {"user": f"user-{word}@{name}" in users, "alias": f"alias-{word}@{name}" in aliases}
    good = all(made.values())
    return probe.seen(Outcome.ACCEPTED if good else Outcome.REFUSED, Stage.COMMAND, shown=shown, made=made)


@behaviour(
    "admin/role/manager-over-administrator",
    needs=SITE,
    endpoint=HTTPS_443,
    wanted=Outcome.REFUSED,
    better={"open": Direction.FEWER},
    severity=Severity.CRITICAL,
    timeout=SECONDS,
)
async def over_the_administrator(probe: Probe) -> Observation:
    """Manager of a domain does not get at the account of an administrator in it

    The manager of a domain takes over the whole server.

    core/admin/mailu/ui/access.py (_can_manage_user), master; #2685
    """
    async with Site.open(probe) as site:
        await site.login(ADMIN.address, ADMIN.password)
        await site.save(f"/manager/create/{DOMAIN}", {"manager": MAIN_MANAGER.address})
    return await _opened(probe, MAIN_MANAGER)


async def _opened(probe: Probe, user: User) -> Observation:
    open_: list[str] = []
    async with Site.open(probe) as site:
        await site.login(user.address, user.password)
        if not _inside(await site.page(f"/user/list/{DOMAIN}")):
            raise NotServed(Outcome.NOT_OFFERED, Stage.COMMAND, Reply("", "", "the manager does not manage the domain"))
        for path in OVER_THE_ADMINISTRATOR:
            if _inside(await site.page(path.format(ADMIN.address))):
                open_.append(path.format("<administrator>"))
    return probe.seen(Outcome.ACCEPTED if open_ else Outcome.REFUSED, Stage.COMMAND, open=open_)
