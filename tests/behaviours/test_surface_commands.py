from __future__ import annotations

import asyncio

import pytest

from pytest_mailu.behaviours.helpers import HUNG_UP, answer, as_fact
from pytest_mailu.behaviours.surface_commands import helo, order
from pytest_mailu.core.endpoints import SMTP_25, SMTP_25_PLAIN
from pytest_mailu.core.model import Outcome, Reply
from pytest_mailu.wire.transport.errors import NotServed
from tests.behaviours.local_stack import local_probe
from tests.wire.peer import expect, hang_up, peer, say, start_tls

TO_TLS = (
    say("220 hi"), expect("EHLO"), say("250-hi", "250 STARTTLS"), expect("STARTTLS"), say("220 go"), start_tls,
    expect("EHLO"), say("250 hi"),
)  # fmt: skip


def test_hanging_up_is_an_answer_to_what_nobody_should_say() -> None:
    async def run() -> Reply:
        async with asyncio.timeout(20), peer(say("220 hi"), expect("EHLO"), say("250 hi"), expect(), hang_up) as served:
            probe = local_probe({25: served.port})
            async with probe.smtp(SMTP_25_PLAIN) as smtp:
                return await answer(smtp, "BOGUS")

    assert asyncio.run(run()) is HUNG_UP


def test_a_server_that_knows_no_helo_refuses() -> None:
    async def run() -> None:
        async with asyncio.timeout(20), peer(say("220 hi"), expect("HELO"), say("502 5.5.2 no")) as served:
            await helo(local_probe({25: served.port}))

    with pytest.raises(NotServed) as stopped:
        asyncio.run(run())
    assert stopped.value.outcome is Outcome.REFUSED


def test_all_answers_to_commands_out_of_order_are_kept() -> None:
    async def run():
        script = (*TO_TLS, expect("MAIL"), say("250 ok"), expect("MAIL"), say("503 5.5.1 nested MAIL"))
        async with asyncio.timeout(20), peer(*script) as served:
            return await order(local_probe({25: served.port}), SMTP_25, "mail-twice")

    seen = asyncio.run(run())
    assert seen.outcome is Outcome.REFUSED
    assert seen.reply == Reply("503", "5.5.1", "nested MAIL")
    assert seen.facts == {"answers": ["250 ok"]}


def test_a_reply_as_a_fact_has_no_holes() -> None:
    assert as_fact(Reply("250", "", "ok")) == "250 ok"
    assert as_fact(Reply("550", "5.1.1", "no")) == "550 5.1.1 no"
