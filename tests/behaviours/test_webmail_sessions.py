"""Sessions of web mail that end, and some that do not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pytest_mailu.behaviours import webmail_sessions
from pytest_mailu.core.model import Outcome
from pytest_mailu.core.population import User
from pytest_mailu.core.setups import WEB_MAILS
from pytest_mailu.core.web_mails import WebMailKind
from pytest_mailu.probe.admin_site import Site
from tests.behaviours.fake_web_mail import Fault
from tests.behaviours.web_mail import WebMail


@pytest.mark.parametrize("mail", WEB_MAILS)
@pytest.mark.parametrize(
    ("behaviour", "fault", "expected"),
    [
        (webmail_sessions.several, Fault.NONE, Outcome.ACCEPTED),
        (webmail_sessions.several, Fault.SAYS_NO, Outcome.REFUSED),
        (webmail_sessions.site_log_out, Fault.NONE, Outcome.REFUSED),
        (webmail_sessions.site_log_out, Fault.STAYS, Outcome.ACCEPTED),
    ],
)
def test_sessions(web_mail: WebMail, mail: WebMailKind, behaviour: Any, fault: Fault, expected: Outcome) -> None:
    assert web_mail.outcome(behaviour, mail, fault=fault) is expected


@pytest.mark.parametrize("mail", WEB_MAILS)
@pytest.mark.parametrize(("fault", "expected"), [(Fault.NONE, Outcome.REFUSED), (Fault.STAYS, Outcome.ACCEPTED)])
def test_who_is_locked_out_reads_no_more(
    web_mail: WebMail, monkeypatch: pytest.MonkeyPatch, mail: WebMailKind, fault: Fault, expected: Outcome
) -> None:
    """The scripted site has one session: to end it stands for what an administrator does."""

    async def end(site: Site, user: User) -> None:
        await site.http.get("/sso/logout")

    async def nothing(site: Site, user: User) -> None:
        return

    async def done(*_: Any) -> bool:
        return True

    change = replace(webmail_sessions.ENDS["disabled"], do=end, undo=nothing, done=done)
    monkeypatch.setattr(webmail_sessions, "ENDS", {"disabled": change})
    assert web_mail.outcome(webmail_sessions.ends, mail, "disabled", fault=fault) is expected


@pytest.mark.parametrize("mail", WEB_MAILS)
@pytest.mark.parametrize(
    ("fault", "expected"),
    [(Fault.ENDS, Outcome.REFUSED), (Fault.NONE, Outcome.ACCEPTED), (Fault.STAYS, Outcome.ACCEPTED)],
)
def test_a_session_that_nobody_uses_has_to_end(
    web_mail: WebMail, monkeypatch: pytest.MonkeyPatch, mail: WebMailKind, fault: Fault, expected: Outcome
) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(webmail_sessions, "pause_for", sleep)
    seen = web_mail.seen(webmail_sessions.unused, mail, fault=fault)
    assert seen.outcome is expected
    assert seen.facts["lasts_while_used"] is True
    assert slept == [1.0, 2.0, 4.0, 8.0, 16.0][: len(slept)]
    assert max(slept) > 8 or expected is Outcome.REFUSED


def test_a_session_that_ends_while_it_is_used_is_told(web_mail: WebMail, monkeypatch: pytest.MonkeyPatch) -> None:
    async def sleep(_: float) -> None:
        return

    monkeypatch.setattr(webmail_sessions, "pause_for", sleep)
    seen = web_mail.seen(webmail_sessions.unused, WebMailKind.RAINLOOP, fault=Fault.SAYS_NO)
    assert (seen.outcome, dict(seen.facts)) == (Outcome.REFUSED, {"lasts_while_used": False})
