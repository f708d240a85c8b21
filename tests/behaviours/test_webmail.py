"""Who gets into web mail and who does not, whatever its pages say."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_mailu.behaviours import webmail
from pytest_mailu.core.model import Outcome
from pytest_mailu.core.setups import WEB_MAILS
from pytest_mailu.core.web_mails import WebMailKind
from tests.behaviours.fake_web_mail import Fault
from tests.behaviours.web_mail import WebMail


@pytest.mark.parametrize("mail", WEB_MAILS)
@pytest.mark.parametrize(
    ("behaviour", "given", "fault", "expected"),
    [
        (webmail.login, (), Fault.NONE, Outcome.ACCEPTED),
        (webmail.login, (), Fault.BACK_TO_LOGIN, Outcome.REFUSED),
        (webmail.user_without_imap, (), Fault.NONE, Outcome.ACCEPTED),
        (webmail.user_without_imap, (), Fault.SAYS_NO, Outcome.REFUSED),
        (webmail.without_login, ("start",), Fault.NONE, Outcome.REFUSED),
        (webmail.without_login, ("message",), Fault.OPEN, Outcome.ACCEPTED),
        (webmail.forged_header, (), Fault.NONE, Outcome.REFUSED),
        (webmail.forged_header, (), Fault.TRUSTS_HEADERS, Outcome.ACCEPTED),
        (webmail.forged_header_of_another, (), Fault.NONE, Outcome.REFUSED),
        (webmail.forged_header_of_another, (), Fault.TRUSTS_HEADERS, Outcome.ACCEPTED),
        (webmail.log_out, (), Fault.NONE, Outcome.REFUSED),
        (webmail.log_out, (), Fault.STAYS, Outcome.ACCEPTED),
    ],
)
def test_who_gets_in(
    web_mail: WebMail, mail: WebMailKind, behaviour: Any, given: tuple[str, ...], fault: Fault, expected: Outcome
) -> None:
    assert web_mail.outcome(behaviour, mail, *given, fault=fault) is expected
