"""What web mail keeps from one session to the next."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_mailu.behaviours import webmail_kept
from pytest_mailu.core.model import Outcome
from pytest_mailu.core.setups import WEB_MAILS
from pytest_mailu.core.web_mails import WebMailKind
from tests.behaviours.fake_web_mail import Fault
from tests.behaviours.web_mail import WebMail, found_in


@pytest.mark.parametrize("mail", WEB_MAILS)
@pytest.mark.parametrize(
    ("behaviour", "fault", "expected"),
    [
        (webmail_kept.settings, Fault.NONE, Outcome.ACCEPTED),
        (webmail_kept.settings, Fault.FORGETS, Outcome.LOST),
        (webmail_kept.settings, Fault.BACK_TO_LOGIN, Outcome.REFUSED),
        (webmail_kept.contacts, Fault.NONE, Outcome.ACCEPTED),
        (webmail_kept.contacts, Fault.FORGETS, Outcome.LOST),
    ],
)
def test_what_is_kept(web_mail: WebMail, mail: WebMailKind, behaviour: Any, fault: Fault, expected: Outcome) -> None:
    assert web_mail.outcome(behaviour, mail, fault=fault) is expected


@pytest.mark.parametrize("mail", WEB_MAILS)
@pytest.mark.parametrize(
    ("fault", "arrives", "facts"),
    [
        (Fault.NONE, True, {"suggested": True, "arrived": True}),
        (Fault.NONE, False, {"suggested": True, "arrived": False}),
        (Fault.NO_SUGGESTION, True, {"suggested": False, "arrived": False}),
    ],
)
def test_a_contact_is_of_use(
    web_mail: WebMail, mail: WebMailKind, fault: Fault, arrives: bool, facts: dict[str, bool]
) -> None:
    found = [found_in()] if arrives else []
    assert dict(web_mail.seen(webmail_kept.contacts, mail, fault=fault, found=found).facts) == facts
