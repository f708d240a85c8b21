from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from pytest_mailu.behaviours import helpers, web_password
from pytest_mailu.core.model import Outcome, Reply, Stage
from pytest_mailu.core.population import ALICE
from pytest_mailu.wire.http.client import HttpReply
from pytest_mailu.wire.transport.errors import NotServed
from tests.behaviours.local_stack import local_probe


def reply(status: int, text: str = "", location: str = "") -> HttpReply:
    return HttpReply(status, "https://mail.post.example/x", (("location", location),), text.encode())


class Site:
    """A site that wants another password; `field` is what its form for new users has, `then` where it leads."""

    admin = "/admin"

    def __init__(self, field: str = web_password.FIELD, then: str = web_password.ASKED_FOR, status: int = 302) -> None:
        self.http = self
        self.password = "forced-secret-1"
        self._field, self._then, self._status = field, then, status

    @asynccontextmanager
    async def open(self, probe: Any) -> AsyncIterator[Site]:
        yield self

    async def login(self, user: str, password: str, query: str = "") -> HttpReply:
        return reply(302, location="https://mail.post.example/sso/pw_change")

    async def inner_page(self, path: str) -> HttpReply:
        return reply(200, f'<input type="checkbox" name="{self._field}" value="y">')

    async def save(self, path: str, values: Mapping[str, str]) -> None:
        assert values[web_password.FIELD] == "y"

    async def get(self, path: str) -> HttpReply:
        assert path == "/sso/pw_change"
        return reply(200, '<input name="csrf_token" value="abc"><input type="password" name="oldpw">')

    async def post(self, path: str, *, data: Mapping[str, str], follow: bool) -> HttpReply:
        assert data["csrf_token"] == "abc"
        if self._status == 302:
            self.password = data["pw"]
        return reply(self._status, location=self._then)


def asked(site: Site, monkeypatch: pytest.MonkeyPatch) -> Any:
    async def log_in(probe: Any, endpoint: Any, user: str, password: str) -> Reply:
        if password != site.password:
            raise NotServed(Outcome.AUTH_FAILED, Stage.AUTH)
        return Reply("OK")

    monkeypatch.setattr(web_password, "Site", site)
    for module in (web_password, helpers):
        monkeypatch.setattr(module, "log_in", log_in)
    return asyncio.run(web_password.forced(local_probe({})))


@pytest.mark.parametrize(("then", "returns"), [(web_password.ASKED_FOR, True), ("/admin", False)])
def test_where_a_changed_password_leads_is_told(then: str, returns: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to 2024.06.53 it was the administration, whatever the user had asked for (#4060)."""
    seen = asked(Site(then=then), monkeypatch)
    assert seen.outcome is Outcome.ACCEPTED
    assert (seen.facts["returns_to_page"], seen.facts["refused_with_old"]) == (returns, True)


@pytest.mark.parametrize(
    ("site", "outcome"), [(Site(field="comment"), Outcome.NOT_OFFERED), (Site(status=200), Outcome.REFUSED)]
)
def test_without_it_there_is_nothing_to_change(site: Site, outcome: Outcome, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotServed) as stopped:
        asked(site, monkeypatch)
    assert stopped.value.outcome is outcome


def test_a_server_that_does_not_answer_has_refused_no_old_password(monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(probe: Any, endpoint: Any, user: str, password: str) -> Reply:
        raise NotServed(Outcome.UNANSWERED, Stage.GREETING)

    monkeypatch.setattr(helpers, "log_in", silent)
    with pytest.raises(NotServed) as stopped:
        asyncio.run(helpers.opens(local_probe({}), ALICE.address, ALICE.password))
    assert stopped.value.outcome is Outcome.UNANSWERED
