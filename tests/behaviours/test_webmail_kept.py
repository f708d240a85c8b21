"""What web mail keeps from one session to the next."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_mailu.behaviours import webmail_kept
from pytest_mailu.core.model import Observation, Outcome
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


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault.NONE, Outcome.ACCEPTED),
        (Fault.SEALED, Outcome.REFUSED),
        (Fault.FORGETS, Outcome.REFUSED),
        (Fault.SAYS_NO, Outcome.REFUSED),
        (Fault.BACK_TO_LOGIN, Outcome.REFUSED),
    ],
)
def test_a_server_with_contacts_is_kept(web_mail: WebMail, fault: Fault, expected: Outcome) -> None:
    """Up to 2024.06.42, the next session cannot read its password, and has no contacts (Mailu issue 3906)."""
    assert _elsewhere(web_mail, fault).outcome is expected


def test_a_server_with_contacts_ends_the_same_way_when_it_is_asked_about_again(web_mail: WebMail) -> None:
    """First the next session cannot read the password, then nothing is saved any more: it is one and the same."""
    first, again = (_elsewhere(web_mail, fault) for fault in (Fault.SEALED, Fault.SAYS_NO))
    assert (first.outcome, first.stage, first.reply.code) == (again.outcome, again.stage, again.reply.code)


def _elsewhere(web_mail: WebMail, fault: Fault) -> Observation:
    return web_mail.seen(lambda probe, _: webmail_kept.contacts_elsewhere(probe), WebMailKind.SNAPPYMAIL, fault=fault)
