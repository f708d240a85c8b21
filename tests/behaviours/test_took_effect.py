"""What is changed through the web site counts as done when it took effect, whatever the site answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_mailu.behaviours import admin_site, helpers, web_login
from pytest_mailu.core.model import Observation, Outcome, Reply, Stage
from pytest_mailu.core.population import ALICE
from pytest_mailu.probe.probe import Probe
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed
from tests.behaviours.fake_site import FakeSite, Manner
from tests.behaviours.local_stack import local_probe

NOT_SAVED = [manner for manner in Manner if manner is not Manner.SAVES]


def asked(site: FakeSite, tmp_path: Path, ask: Callable[[Probe], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with asyncio.timeout(20), site.serving(tmp_path):
            return await ask(local_probe({443: site.port}))

    return asyncio.run(run())


def outcome(site: FakeSite, tmp_path: Path, ask: Callable[[Probe], Awaitable[Observation]]) -> tuple[Any, Any, str]:
    """Outcome, stage and reply text, as a side records them."""
    try:
        seen = asked(site, tmp_path, ask)
    except NotServed as end:
        return end.outcome, end.stage, end.reply.text if end.reply else ""
    return seen.outcome, seen.stage, seen.reply.text if seen.reply else ""


def test_settings_that_are_saved_are_accepted(tmp_path: Path) -> None:
    site = FakeSite(Manner.SAVES)
    assert outcome(site, tmp_path, web_login.settings)[:2] == (Outcome.ACCEPTED, Stage.COMMAND)
    assert site.asked.count("POST /sso/login") == 2, "read back in a session of its own"


@pytest.mark.parametrize("manner", NOT_SAVED)
def test_settings_that_are_not_saved_are_refused(manner: Manner, tmp_path: Path) -> None:
    """The form again with 200, and even good words, counted as accepted."""
    assert outcome(FakeSite(manner), tmp_path, web_login.settings)[:2] == (Outcome.REFUSED, Stage.COMMAND)


def test_a_lost_session_is_named(tmp_path: Path) -> None:
    assert outcome(FakeSite(Manner.LOSES_SESSION), tmp_path, web_login.settings)[2] == (
        "redirects to the login page: the session is lost"
    )


@pytest.fixture
def password_in_force(monkeypatch: pytest.MonkeyPatch) -> Callable[[FakeSite], None]:
    """Logins with a mail program as the site's passwords have it."""

    def use(site: FakeSite, *, old_works: bool = False) -> None:
        site.passwords = {"now": web_login.CHANGES.password}
        known = [web_login.CHANGES.password]

        async def log_in(probe: Any, endpoint: Any, user: str, password: str) -> Reply:
            if password == site.passwords["now"] or (old_works and password in known):
                return Reply("OK")
            raise NotServed(Outcome.AUTH_FAILED, Stage.AUTH, Reply("NO"))

        for module, name in ((web_login, "mail_login"), (helpers, "log_in")):
            monkeypatch.setattr(module, name, log_in)

    return use


def test_a_password_that_is_changed_is_accepted_and_changed_back(
    password_in_force: Callable[..., None], tmp_path: Path
) -> None:
    site = FakeSite(Manner.SAVES)
    password_in_force(site)
    assert outcome(site, tmp_path, web_login.password_change)[0] is Outcome.ACCEPTED
    assert site.passwords == {"now": web_login.CHANGES.password}


def test_an_old_password_that_still_works_is_a_refusal(password_in_force: Callable[..., None], tmp_path: Path) -> None:
    site = FakeSite(Manner.SAVES)
    password_in_force(site, old_works=True)
    assert outcome(site, tmp_path, web_login.password_change) == (
        Outcome.REFUSED,
        Stage.AUTH,
        "the old password still works",
    )


@pytest.mark.parametrize("manner", NOT_SAVED)
def test_a_password_that_is_not_changed_is_not_accepted(
    manner: Manner, password_in_force: Callable[..., None], tmp_path: Path
) -> None:
    site = FakeSite(manner)
    password_in_force(site)
    assert outcome(site, tmp_path, web_login.password_change)[0] in (Outcome.REFUSED, Outcome.AUTH_FAILED)


@pytest.mark.parametrize("ask", [admin_site.create_user, admin_site.create_alias])
@pytest.mark.parametrize("manner", NOT_SAVED)
def test_what_the_administration_did_not_create_is_refused_by_name(
    manner: Manner, ask: Callable[[Probe], Awaitable[Observation]], tmp_path: Path
) -> None:
    site = FakeSite(manner)
    assert outcome(site, tmp_path, ask)[:2] == (Outcome.REFUSED, Stage.COMMAND)
    assert site.created == set()


def test_a_token_is_created_once_the_list_has_it(tmp_path: Path) -> None:
    site = FakeSite(Manner.SAVES)
    assert asked(site, tmp_path, lambda probe: helpers.create_token(probe, ALICE)) == "0123456789abcdef"
    assert len(site.tokens) == 1


@pytest.mark.parametrize("manner", NOT_SAVED)
def test_a_token_that_the_list_does_not_have_cannot_be_asked_about(manner: Manner, tmp_path: Path) -> None:
    """A redirect to the login page counted as a token made; the login with it was then a regression."""
    with pytest.raises(CannotAsk, match="no token could be created"):
        asked(FakeSite(manner), tmp_path, lambda probe: helpers.create_token(probe, ALICE))


def test_tokens_are_deleted(tmp_path: Path) -> None:
    site = FakeSite(Manner.SAVES, tokens={"1": "a", "2": "b"})
    asked(site, tmp_path, lambda probe: helpers.delete_tokens(probe, ALICE))
    assert site.tokens == {}


def test_a_lost_session_does_not_pass_for_a_deletion(tmp_path: Path) -> None:
    with pytest.raises(CannotAsk, match="the session is lost"):
        asked(
            FakeSite(Manner.LOSES_SESSION, tokens={"1": "a"}),
            tmp_path,
            lambda probe: helpers.delete_tokens(probe, ALICE),
        )
