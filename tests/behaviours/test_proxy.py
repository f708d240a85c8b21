"""Behaviours behind reverse proxies, on a front that believes whom it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from pytest_mailu.behaviours import proxy, proxy_login
from pytest_mailu.core.endpoints import HTTPS_443, SMTP_25_OPPORTUNISTIC
from pytest_mailu.core.model import Observation, Outcome, Stage
from pytest_mailu.core.setups import SetUp, setup_named
from pytest_mailu.wire.transport.errors import NotServed
from tests.behaviours.fake_front import ALL, BOTH, PROXY, Front, probing

Asked = Callable[..., Awaitable[Observation]]
BY_HEADER = setup_named("behind-proxy")
IN_A_ROW = setup_named("two-proxies")
BY_CONNECTION = replace(setup_named("proxy-protocol"), settings={"PROXY_PROTOCOL": "25", "REAL_IP_FROM": "<proxy>"})
NOBODY: frozenset[str] = frozenset()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not logged is not waited for."""
    monkeypatch.setattr(proxy, "LOG_SECONDS", 0.3)


def ask(asked: Asked, front: Front, setup: SetUp, *arguments: Any, release: str = "2024.06.24") -> Observation:
    async def run() -> Observation:
        async with asyncio.timeout(60), probing(front, setup, release) as probe:
            return await asked(probe, *arguments)

    return asyncio.run(run())


@pytest.mark.parametrize("asked", [proxy.address, proxy.address_in_version_2, proxy.address_over_ipv6])
def test_a_client_s_own_address_is_logged_or_the_answer_is_altered(asked: Asked) -> None:
    here = (BY_CONNECTION, SMTP_25_OPPORTUNISTIC)
    assert ask(asked, Front(), *here).outcome is Outcome.ACCEPTED
    assert ask(asked, Front(believes=NOBODY), *here).outcome is Outcome.ALTERED


def test_a_client_with_ipv6_that_is_hung_up_on_is_not_served() -> None:
    """2.0: the Dovecot of `imap` took no such address (#3176)."""
    with pytest.raises(NotServed) as stopped:
        ask(proxy.address_over_ipv6, Front(hangs_up_on_ipv6=True), BY_CONNECTION, SMTP_25_OPPORTUNISTIC)
    assert (stopped.value.outcome, stopped.value.stage) == (Outcome.UNANSWERED, Stage.GREETING)
    assert (
        ask(proxy.address, Front(hangs_up_on_ipv6=True), BY_CONNECTION, SMTP_25_OPPORTUNISTIC).outcome
        is Outcome.ACCEPTED
    )


@pytest.mark.parametrize("asked", [proxy.address, proxy.address_over_ipv6])
def test_a_browser_s_own_address_is_logged_or_the_one_that_it_is_taken_for_is_told(asked: Asked) -> None:
    assert ask(asked, Front(), BY_HEADER, HTTPS_443).outcome is Outcome.ACCEPTED
    taken = ask(asked, Front(believes=NOBODY), BY_HEADER, HTTPS_443)
    assert (taken.outcome, taken.facts["taken_for"]) == (Outcome.ALTERED, "<proxy>")


def test_behind_two_proxies_the_first_is_no_client() -> None:
    """2.0.43 took the last address of X-Forwarded-For; 2024.06.24 passes over those that REAL_IP_FROM names."""
    assert ask(proxy.address, Front(), IN_A_ROW, HTTPS_443).outcome is Outcome.ACCEPTED
    taken = ask(proxy.address, Front(recursive=False), IN_A_ROW, HTTPS_443)
    assert (taken.outcome, taken.facts["taken_for"]) == (Outcome.ALTERED, "<far-proxy>")


def test_who_goes_round_the_proxy_is_not_believed() -> None:
    for setup, endpoint in ((BY_CONNECTION, SMTP_25_OPPORTUNISTIC), (BY_HEADER, HTTPS_443)):
        assert ask(proxy.forged_by_stranger, Front(), setup, endpoint).outcome is Outcome.REFUSED
        assert ask(proxy.forged_by_stranger, Front(believes=ALL), setup, endpoint).outcome is Outcome.ACCEPTED


def test_who_passes_for_a_host_in_relaynets_may_not_relay() -> None:
    assert ask(proxy.forged_relaynet, Front(), BY_CONNECTION).outcome is Outcome.REFUSED
    assert ask(proxy.forged_relaynet, Front(believes=ALL), BY_CONNECTION).outcome is Outcome.ACCEPTED


def test_an_address_that_a_browser_names_itself_is_not_believed() -> None:
    asked = (proxy.forged_through_proxy, BY_HEADER, HTTPS_443)
    assert ask(asked[0], Front(), *asked[1:]).outcome is Outcome.REFUSED


def test_a_connection_without_the_header_is_refused() -> None:
    here = (BY_CONNECTION, SMTP_25_OPPORTUNISTIC)
    assert ask(proxy.without_header, Front(), *here).outcome is Outcome.REFUSED
    assert ask(proxy.without_header, Front(expects=False), *here).outcome is Outcome.ACCEPTED


def test_a_release_that_knows_no_proxy_protocol_does_not_offer_it() -> None:
    for asked in (proxy.address, proxy.without_header, proxy.forged_by_stranger):
        with pytest.raises(NotServed) as end:
            ask(asked, Front(expects=False), BY_CONNECTION, SMTP_25_OPPORTUNISTIC, release="1.9.50")
        assert end.value.outcome is Outcome.NOT_OFFERED


def test_a_loop_is_told() -> None:
    assert ask(proxy.redirects, Front(), BY_HEADER, HTTPS_443).outcome is Outcome.ACCEPTED
    looped = ask(proxy.redirects, Front(loops=True), BY_HEADER, HTTPS_443)
    assert (looped.outcome, looped.facts["loops"]) == (Outcome.UNANSWERED, True)


@pytest.mark.parametrize(
    ("location", "stray"),
    [
        ("/admin/", False),
        ("/sso/login?url=https://mail.post.example/admin/?homepage", False),  # 2024.06.24
        ("https://mail.post.example/admin", False),
        ("https://mail.post.example:443/", False),
        ("http://mail.post.example/admin", True),
        ("https://mail.post.example:8443/", True),
    ],
)
def test_a_redirect_that_leads_away_is_told(location: str, stray: bool) -> None:
    assert bool(proxy._away(location)) is stray


def test_an_upload_of_the_allowed_size_is_taken() -> None:
    assert ask(proxy.upload, Front(), BY_HEADER, HTTPS_443).outcome is Outcome.ACCEPTED
    assert ask(proxy.upload, Front(limit=1_000_000), BY_HEADER, HTTPS_443).outcome is Outcome.REFUSED


def test_the_proxy_logs_in_and_nobody_else() -> None:
    front = Front(believes=BOTH, trusts=frozenset({PROXY}), users={proxy_login.USER.address})
    assert ask(proxy_login.user, front, BY_HEADER).outcome is Outcome.ACCEPTED
    assert ask(proxy_login.user, replace(front, trusts=NOBODY), BY_HEADER).outcome is Outcome.REFUSED
    assert ask(proxy_login.stranger, front, BY_HEADER).outcome is Outcome.REFUSED
    assert ask(proxy_login.stranger, replace(front, trusts=ALL), BY_HEADER).outcome is Outcome.ACCEPTED
    assert ask(proxy_login.unknown_user, front, BY_HEADER).outcome is Outcome.REFUSED


def test_an_error_beside_a_login_is_told() -> None:
    """2024.06.3 logs in who the proxy names, and then shows an error (Mailu issue 3314)."""
    front = Front(trusts=frozenset({PROXY}), users={proxy_login.USER.address})
    right, wrong = (ask(proxy_login.user, each, BY_HEADER) for each in (front, replace(front, stumbles=True)))
    assert right.outcome is wrong.outcome is Outcome.ACCEPTED
    assert (right.facts["led_on"], wrong.facts["led_on"]) == (True, False)


def test_a_stranger_who_names_the_proxy_is_told() -> None:
    """2.0.43 and 2024.06.24 pass X-Forwarded-By on where REAL_IP_FROM is not set; 2024.06.55 does not."""
    front = Front(trusts=frozenset({PROXY}), users={proxy_login.USER.address})
    assert ask(proxy_login.forged_forwarded_by, front, BY_HEADER).outcome is Outcome.REFUSED
    open_ = replace(front, tells_proxy=False)
    assert ask(proxy_login.forged_forwarded_by_alone, open_, BY_HEADER).outcome is Outcome.ACCEPTED


def test_1_9_knows_no_login_by_a_header() -> None:
    with pytest.raises(NotServed) as end:
        ask(proxy_login.user, Front(), BY_HEADER, release="1.9.50")
    assert end.value.outcome is Outcome.NOT_OFFERED
