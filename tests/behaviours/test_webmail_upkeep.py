"""Keeping house in web mail, judged by what is in the mailbox afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_mailu.behaviours import webmail_upkeep
from pytest_mailu.behaviours.webmail_mailbox import Found
from pytest_mailu.core.model import Observation, Outcome
from pytest_mailu.core.setups import WEB_MAILS
from pytest_mailu.core.transcript import Event, waited_in_vain
from pytest_mailu.core.web_mails import WebMailKind
from pytest_mailu.probe.probe import Probe
from tests.behaviours.fake_web_mail import Fault
from tests.behaviours.web_mail import WebMail, found_in


@pytest.mark.parametrize("mail", WEB_MAILS)
@pytest.mark.parametrize(
    ("behaviour", "given", "fault", "expected"),
    [
        (webmail_upkeep.search, ("subject",), Fault.NONE, Outcome.ACCEPTED),
        (webmail_upkeep.search, ("subject",), Fault.FINDS_OTHERS, Outcome.LOST),
        (webmail_upkeep.search, ("subject",), Fault.NO_ROW, Outcome.LOST),
        (webmail_upkeep.filters, (), Fault.NONE, Outcome.ACCEPTED),
        (webmail_upkeep.filters, (), Fault.NO_SIEVE, Outcome.REFUSED),
        (webmail_upkeep.filters, (), Fault.NO_SET, Outcome.LOST),
    ],
)
def test_what_is_found_and_saved(
    web_mail: WebMail, mail: WebMailKind, behaviour: Any, given: tuple[str, ...], fault: Fault, expected: Outcome
) -> None:
    assert web_mail.outcome(behaviour, mail, *given, fault=fault) is expected


@pytest.mark.parametrize("mail", WEB_MAILS)
@pytest.mark.parametrize(
    ("behaviour", "given", "fault", "found", "expected"),
    [
        (webmail_upkeep.move, (), Fault.NONE, [found_in("Trash")], Outcome.ACCEPTED),
        (webmail_upkeep.move, (), Fault.NONE, [found_in("INBOX")], Outcome.LOST),
        (webmail_upkeep.move, (), Fault.NONE, [found_in("INBOX"), found_in("Trash")], Outcome.LOST),
        (webmail_upkeep.delete, (), Fault.NONE, [], Outcome.ACCEPTED),
        (webmail_upkeep.delete, (), Fault.NONE, [found_in()], Outcome.REFUSED),
        (webmail_upkeep.delete, (), Fault.NONE, [found_in(flags=("\\Deleted",))], Outcome.ACCEPTED),
        (webmail_upkeep.delete, (), Fault.SAYS_NO, [], Outcome.REFUSED),
        (webmail_upkeep.flag, (), Fault.NONE, [found_in(flags=("\\Flagged",))], Outcome.ACCEPTED),
        (webmail_upkeep.flag, (), Fault.NONE, [found_in()], Outcome.LOST),
        (webmail_upkeep.identity, (), Fault.NONE, [found_in()], Outcome.ALTERED),
    ],
)
def test_what_it_does_is_read_back_by_imap(
    web_mail: WebMail,
    mail: WebMailKind,
    behaviour: Any,
    given: tuple[str, ...],
    fault: Fault,
    found: list[Found],
    expected: Outcome,
) -> None:
    assert web_mail.outcome(behaviour, mail, *given, fault=fault, found=found) is expected


@pytest.mark.parametrize("mail", WEB_MAILS)
@pytest.mark.parametrize(("fault", "waited"), [(Fault.NONE, False), (Fault.NO_ROW, True)])
def test_a_search_that_found_nothing_says_that_it_was_waited_for(
    web_mail: WebMail, mail: WebMailKind, fault: Fault, waited: bool
) -> None:
    """On a machine that is too busy it is no answer then, but a time-out (`judging.starvation`)."""
    said: list[Event] = []

    async def search(probe: Probe, kind: WebMailKind) -> Observation:
        seen = await webmail_upkeep.search(probe, kind, "subject")
        said.extend(probe.transcript.events)
        return seen

    web_mail.outcome(search, mail, fault=fault)
    assert waited_in_vain(said) is waited
