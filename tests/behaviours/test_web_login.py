from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from pytest_mailu.behaviours import helpers, web_login
from pytest_mailu.core.model import Outcome, Reply, Stage
from pytest_mailu.core.population import ALICE
from pytest_mailu.wire.http.client import HttpReply
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed
from tests.behaviours.local_stack import local_probe


class Site:
    """A web site with one setting; `guards` tells whether it wants the form's token."""

    admin = "/admin"

    def __init__(self, *, guards: bool, status: int) -> None:
        self.name = "as it was"
        self._guards = guards
        self._status = status

    @asynccontextmanager
    async def open(self, probe):
        yield self

    async def login(self, user: str, password: str) -> HttpReply:
        return HttpReply(302, "https://mail.post.example/", (), b"")

    async def send_form(self, path: str, values, leave_out=()) -> HttpReply:
        if not self._guards:
            self.name = values["displayed_name"]
        return HttpReply(self._status, "https://mail.post.example/", (), b"")

    async def page(self, path: str) -> HttpReply:
        body = f'<input name="displayed_name" value="{self.name}">'
        return HttpReply(200, "https://mail.post.example/", (), body.encode())


@pytest.mark.parametrize("status", [200, 302])
@pytest.mark.parametrize(("guards", "outcome"), [(True, Outcome.REFUSED), (False, Outcome.ACCEPTED)])
def test_a_forged_form_is_judged_by_what_it_did_and_not_by_its_status(status, guards, outcome, monkeypatch) -> None:
    # Mailu 2.0.43 answers a form without its token with 200, 2024.06.24 with 302; neither takes it.
    monkeypatch.setattr(web_login, "Site", Site(guards=guards, status=status))
    assert asyncio.run(web_login.without_csrf(local_probe({}))).outcome is outcome


def test_without_a_token_nothing_can_be_asked_about_it(monkeypatch) -> None:
    # Mailu 1.9.50 answered 500 to a login right after `admin` was made anew: no word about the token itself.
    async def fails(*_):
        raise NotServed(Outcome.REFUSED, Stage.AUTH, Reply("500"))

    monkeypatch.setattr(helpers, "_create_token", fails)
    with pytest.raises(CannotAsk, match="no token could be created"):
        asyncio.run(helpers.create_token(local_probe({}), ALICE))
