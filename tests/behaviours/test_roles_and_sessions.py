"""Who may do what, and what outlives a change: on a site in memory that keeps its rules, and on ones that do not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest

from pytest_mailu.behaviours import access_outlived, admin_roles, web_sessions
from pytest_mailu.core.model import Observation, Outcome, Reply, Stage
from pytest_mailu.core.population import ADMIN, DOMAIN
from pytest_mailu.wire.http.client import HttpReply
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed
from tests.behaviours.local_stack import local_probe

CSRF = '<input name="csrf_token" value="abc">'
LOGIN_PAGE = "https://mail.post.example/sso/login"


class Server:
    """Accounts and rules. `faults`: `open` (everything for everybody), `forgets` (what is created is not there),
    `sticky` (sessions and logins go on whatever happens), `manager-above` (managers get at administrators), `unsaved`
    (no form of an administrator changes anything), `undone-never` (who is an administrator remains one)."""

    def __init__(self, *faults: str) -> None:
        self.faults = frozenset(faults)
        self.administrators = {ADMIN.address}
        self.managers: dict[str, set[str]] = {}
        self.disabled: set[str] = set()
        self.new_passwords: set[str] = set()
        self.made: list[str] = []

    def may(self, user: str, path: str) -> bool:
        if "open" in self.faults or user in self.administrators:
            return True
        if path.startswith("/user/settings") and user:
            return True
        mine = [domain for domain, who in self.managers.items() if user in who]
        if ADMIN.address in path:
            return "manager-above" in self.faults and DOMAIN in mine
        listed = path.startswith(("/user/", "/alias/", "/manager/", "/domain/details", "/token/"))
        return listed and any(path.endswith(domain) for domain in mine)

    def lives(self, user: str) -> bool:
        return "sticky" in self.faults or not user or user not in self.disabled | self.new_passwords

    @asynccontextmanager
    async def open(self, probe: Any) -> AsyncIterator[Session]:
        yield Session(self)


class Session:
    """One browser."""

    admin = "/admin"

    def __init__(self, server: Server) -> None:
        self.server = server
        self.user = ""
        self.http = self
        self.was_administrator = False

    async def login(self, user: str, password: str) -> None:
        self.user = user

    async def page(self, path: str) -> HttpReply:
        rights = self.server.may(self.user, path)
        if "sticky" in self.server.faults and self.was_administrator:
            rights = True
        self.was_administrator = self.was_administrator or self.user in self.server.administrators
        if not self.user or not self.server.lives(self.user):
            shown = "open" in self.server.faults
            return HttpReply(200, f"https://mail.post.example{path}" if shown else LOGIN_PAGE, (), CSRF.encode())
        text = CSRF + " ".join(self.server.made) + self._about(path)
        return HttpReply(200 if rights else 403, f"https://mail.post.example/admin{path}", (), text.encode())

    def _about(self, path: str) -> str:
        name = path.rpartition("/")[2]
        if path.startswith("/user/edit/") and name not in self.server.disabled:
            return '<form><input type="checkbox" name="enabled" value="y" checked></form>'
        if path == "/admin/list":
            # Some releases of Werkzeug quote the @.
            return "".join(f'<a href="/admin/admin/delete/{quote(who)}">' for who in self.server.administrators)
        return " ".join(self.server.managers.get(name, ())) if path.startswith("/manager/list/") else ""

    async def inner_page(self, path: str) -> HttpReply:
        return await self.page(path)

    async def post(self, url: str, *, data: Mapping[str, str], follow: bool) -> HttpReply:
        path = url.removeprefix("/admin")
        assert data["csrf_token"] == ("abc" if self.user else "")
        location = "/admin/list" if self.user else "/sso/login"
        status = 302 if self.server.may(self.user, path) or not self.user else 403
        headers = (("location", location if "open" not in self.server.faults else "/admin/list"),)
        return HttpReply(status, f"https://mail.post.example{url}", headers, b"")

    async def send_form(self, path: str, values: Mapping[str, str], leave_out: tuple[str, ...] = ()) -> None:
        if leave_out == ("enabled",) and "unsaved" not in self.server.faults:
            self.server.disabled.add(path.rpartition("/")[2])

    async def save(self, path: str, values: Mapping[str, str]) -> None:
        name = path.rpartition("/")[2]
        if "unsaved" in self.server.faults:
            return
        if path.startswith("/manager/create/"):
            self.server.managers.setdefault(name, set()).add(values["manager"])
        elif path.startswith(("/user/create/", "/alias/create/")) and "forgets" not in self.server.faults:
            self.server.made.append(f"{values['localpart']}@{name}")
        elif path == "/admin/create":
            self.server.administrators.add(values["admin"])
        elif path.startswith("/admin/delete/"):
            if "undone-never" not in self.server.faults:
                self.server.administrators.discard(name)
        elif path.startswith("/user/password/") and values["pw"].startswith("new-"):
            self.server.new_passwords.add(name)
        else:
            self.server.disabled.discard(name)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Any:
    def make(*faults: str) -> Server:
        made = Server(*faults)

        async def log_in(probe: Any, endpoint: Any, user: str, password: str) -> Reply:
            if user not in made.new_passwords if password.startswith("new-") else not made.lives(user):
                raise NotServed(Outcome.AUTH_FAILED, Stage.AUTH)
            return Reply("OK")

        async def token(probe: Any, user: Any) -> str:
            return "token"

        for module in (admin_roles, web_sessions):
            monkeypatch.setattr(module, "Site", made)
        monkeypatch.setattr(web_sessions, "log_in", log_in)
        monkeypatch.setattr(web_sessions, "create_token", token)
        return made

    return make


class Imap:
    """A mail session that ends with its user's rights, or goes on."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._user = ""

    async def login(self, user: str, password: str) -> None:
        self._user = user

    async def noop(self) -> None:
        if not self._server.lives(self._user):
            raise CannotAsk("closed")

    async def select(self) -> None:
        return None


def asked(behaviour: Any, *args: Any, server: Server | None = None) -> Observation:
    probe: Any = local_probe({})

    @asynccontextmanager
    async def imap(endpoint: Any) -> AsyncIterator[Any]:
        yield Imap(server) if server else SimpleNamespace()

    probe.imap = imap
    seen: Observation = asyncio.run(behaviour(probe, *args))
    return seen


@pytest.mark.parametrize("role", admin_roles.ROLES)
def test_what_is_for_administrators_is_refused_to_others(role: str, server: Any) -> None:
    server()
    assert asked(admin_roles.is_refused, role).outcome is Outcome.REFUSED
    server("open")
    seen = asked(admin_roles.is_refused, role)
    assert seen.outcome is Outcome.ACCEPTED
    assert {"GET /relay", "POST /domain/create"} <= set(seen.facts["open"])


def test_a_manager_manages_one_domain(server: Any) -> None:
    server()
    seen = asked(admin_roles.manages)
    assert (seen.outcome, len(seen.facts["shown"])) == (Outcome.ACCEPTED, len(admin_roles.OWN_PAGES))
    server("forgets")
    assert asked(admin_roles.manages).outcome is Outcome.REFUSED


@pytest.mark.parametrize(("faults", "outcome"), [((), Outcome.REFUSED), (("manager-above",), Outcome.ACCEPTED)])
def test_a_manager_does_not_get_at_an_administrator(faults: tuple[str, ...], outcome: Outcome, server: Any) -> None:
    server(*faults)
    assert asked(admin_roles.over_the_administrator).outcome is outcome


@pytest.mark.parametrize("what", ["disabled", "password-changed"])
@pytest.mark.parametrize(
    ("faults", "web", "elsewhere"), [((), Outcome.REFUSED, "ended"), (("sticky",), Outcome.ACCEPTED, "goes on")]
)
def test_a_session_ends_with_the_right_to_it(
    what: str, faults: tuple[str, ...], web: Outcome, elsewhere: str, server: Any
) -> None:
    assert asked(web_sessions.ends, what, server=server(*faults)).outcome is web
    seen = asked(access_outlived.elsewhere, what, server=server(*faults))
    assert seen.facts["mail_session"] == elsewhere
    assert seen.facts["password"] == ("auth-failed" if not faults else "accepted")


@pytest.mark.parametrize(("faults", "outcome"), [((), Outcome.REFUSED), (("sticky",), Outcome.ACCEPTED)])
def test_an_administrator_is_one_as_long_as_others_say_so(
    faults: tuple[str, ...], outcome: Outcome, server: Any
) -> None:
    assert asked(web_sessions.promoted, server=server(*faults)).outcome is Outcome.ACCEPTED
    assert asked(web_sessions.demoted, server=server(*faults)).outcome is outcome


@pytest.mark.parametrize(
    ("behaviour", "args"),
    [
        (web_sessions.ends, ("disabled",)),
        (web_sessions.ends, ("password-changed",)),
        (web_sessions.promoted, ()),
        (web_sessions.demoted, ()),
        (access_outlived.elsewhere, ("disabled",)),
        (admin_roles.is_refused, ("manager-of-another-domain",)),
        (admin_roles.manages, ()),
    ],
)
def test_a_change_that_was_not_saved_says_nothing_about_what_outlives_it(
    behaviour: Any, args: tuple[str, ...], server: Any
) -> None:
    with pytest.raises(CannotAsk, match="did not save"):
        asked(behaviour, *args, server=server("unsaved"))


def test_who_was_not_made_a_plain_user_again_says_nothing_about_former_administrators(server: Any) -> None:
    with pytest.raises(CannotAsk, match="an administrator no more"):
        asked(web_sessions.demoted, server=server("undone-never"))
