from __future__ import annotations

import asyncio
from collections.abc import Callable

from pytest_mailu.behaviours.submission_limits import MOST, announced, rate_limit
from pytest_mailu.core.model import Observation, Outcome
from pytest_mailu.probe.probe import Probe
from tests.behaviours.local_stack import local_probe
from tests.behaviours.smtpd import smtpd
from tests.wire.peer import Step, peer, server_context


def asked(ask: Callable[[Probe], object], server: Step) -> Observation:
    async def run() -> Observation:
        async with asyncio.timeout(30), peer(server, tls=server_context()) as served:
            return await ask(local_probe({465: served.port}))

    return asyncio.run(run())


def test_the_limit_is_where_the_first_recipient_is_put_off() -> None:
    seen = asked(rate_limit, smtpd(rcpt=lambda number: "250 ok" if number < 7 else "450 4.2.1 too many"))
    assert (seen.outcome, seen.facts) == (Outcome.DEFERRED, {"taken": 7})


def test_a_server_without_a_limit_is_told() -> None:
    seen = asked(rate_limit, smtpd())
    assert (seen.outcome, seen.facts) == (Outcome.ACCEPTED, {"taken": MOST})


def test_a_server_that_tells_no_size_cannot_be_asked_for_more() -> None:
    assert asked(announced, smtpd()).outcome is Outcome.NOT_OFFERED
