"""What web mail shows."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_mailu.behaviours import webmail_reading
from pytest_mailu.core.model import Observation, Outcome
from pytest_mailu.core.setups import WEB_MAILS
from pytest_mailu.core.web_mails import WebMailKind
from pytest_mailu.probe.probe import Probe
from tests.behaviours.fake_web_mail import Fault
from tests.behaviours.web_mail import WebMail


@pytest.mark.parametrize("mail", WEB_MAILS)
@pytest.mark.parametrize(
    ("behaviour", "given", "fault", "expected"),
    [
        (webmail_reading.folders, (), Fault.NONE, Outcome.ACCEPTED),
        (webmail_reading.read, ("text",), Fault.NONE, Outcome.ACCEPTED),
        (webmail_reading.read, ("text",), Fault.EMPTY_MESSAGE, Outcome.LOST),
        (webmail_reading.attachment, (), Fault.NONE, Outcome.ACCEPTED),
        (webmail_reading.attachment, (), Fault.OTHER_FILE, Outcome.ALTERED),
    ],
)
def test_what_is_read(
    web_mail: WebMail, mail: WebMailKind, behaviour: Any, given: tuple[str, ...], fault: Fault, expected: Outcome
) -> None:
    assert web_mail.outcome(behaviour, mail, *given, fault=fault) is expected


@pytest.mark.parametrize("mail", [WebMailKind.ROUNDCUBE, WebMailKind.RAINLOOP])
@pytest.mark.parametrize(("fault", "expected"), [(Fault.NONE, Outcome.REFUSED), (Fault.SCRIPTS, Outcome.ACCEPTED)])
def test_scripts_of_a_message_do_not_reach_the_browser(
    web_mail: WebMail, mail: WebMailKind, fault: Fault, expected: Outcome
) -> None:
    assert web_mail.outcome(webmail_reading.script, mail, fault=fault) is expected


@pytest.mark.parametrize(
    ("policy", "runs"),
    [
        ("", True),
        ("img-src 'self'", True),
        ("script-src 'self' 'unsafe-inline'", True),
        ("Script-Src 'self' 'Unsafe-Inline'", True),
        ("default-src 'unsafe-inline'; img-src 'self'", True),
        ("script-src 'unsafe-inline'; script-src 'self'", True),
        ("default-src 'self' data:; script-src 'self' 'unsafe-eval' 'nonce-abc'", False),
        ("script-src 'self' 'unsafe-inline' 'nonce-abc'", False),
        ("default-src 'unsafe-inline'; script-src 'none'", False),
        (";;default-src 'self'", False),
    ],
)
def test_a_policy_says_whether_scripts_in_the_page_run(policy: str, runs: bool) -> None:
    assert webmail_reading.runs_scripts_in_a_page(policy) is runs


def test_a_page_without_a_policy_runs_the_scripts_of_messages(web_mail: WebMail) -> None:
    async def asked(probe: Probe, _: WebMailKind) -> Observation:
        return await webmail_reading.script_policy(probe)

    assert web_mail.outcome(asked, WebMailKind.SNAPPYMAIL) is Outcome.ACCEPTED
