from __future__ import annotations

import asyncio

import pytest

from pytest_mailu.core.endpoints import SMTP_25_PLAIN
from pytest_mailu.core.model import Observation, Outcome
from pytest_mailu.probe.smuggling import ENDS, smuggle
from tests.behaviours.local_stack import local_probe
from tests.behaviours.smtpd import smtpd
from tests.wire.peer import Step, peer


def smuggled(server: Step, end: str) -> Observation:
    async def run() -> Observation:
        async with asyncio.timeout(30), peer(server) as served:
            probe = local_probe({25: served.port})
            outer, inner = (probe.mail.compose(to="someone@elsewhere.example", signed=False) for _ in range(2))
            async with probe.smtp(SMTP_25_PLAIN) as smtp:
                return await smuggle(probe, smtp, outer, inner, ENDS[end])

    return asyncio.run(run())


@pytest.mark.parametrize("end", ENDS)
def test_a_server_that_goes_by_the_book_takes_one_letter(end: str) -> None:
    seen = smuggled(smtpd(), end)
    assert seen.outcome is Outcome.REFUSED
    assert seen.facts == {"hung_up": False, "more_replies": []}


@pytest.mark.parametrize("end", ENDS)
def test_a_server_that_takes_the_false_end_for_one_is_found_out(end: str) -> None:
    seen = smuggled(smtpd(ends=(b"\r\n.\r\n", ENDS[end])), end)
    assert seen.outcome is Outcome.ACCEPTED
    assert "354" in seen.facts["more_replies"]


def test_hanging_up_is_a_good_answer() -> None:
    seen = smuggled(smtpd(taken="521 5.5.2 bare newline"), "lf-dot-lf")
    assert (seen.outcome, seen.facts["hung_up"]) == (Outcome.REFUSED, True)
    assert seen.reply is not None
    assert seen.reply.code == "521"
