from __future__ import annotations

import asyncio

import pytest

from pytest_mailu.behaviours.access_sessions import opened
from pytest_mailu.core.endpoints import IMAP_143
from pytest_mailu.core.model import Outcome, Stage
from pytest_mailu.core.population import ALICE
from pytest_mailu.wire.transport.errors import NotServed
from tests.behaviours.local_stack import local_probe
from tests.wire.peer import Step, expect, peer, say, silence


def server(limit: int) -> tuple[Step, ...]:
    """An IMAP server that lets in so many at once."""
    inside = 0

    async def login(talk) -> None:
        nonlocal inside
        inside += 1
        await say("* CAPABILITY IMAP4rev1", "a1 OK in" if inside <= limit else "a1 NO [LIMIT] too many")(talk)

    return say("* OK [CAPABILITY IMAP4rev1] hi"), expect("LOGIN"), login, expect(), say("a2 OK still here"), silence


def test_all_sessions_are_open_at_once_and_each_answer_counts() -> None:
    async def run() -> list[str]:
        async with asyncio.timeout(30), peer(*server(3)) as served:
            return await opened(local_probe({143: served.port}), IMAP_143.in_plain_text, [ALICE] * 5)

    answers = asyncio.run(run())
    assert answers.count("") == 3
    assert set(answers) - {""} == {"deferred at auth: NO LIMIT too many"}


def test_a_port_that_is_not_there_is_no_full_house() -> None:
    with pytest.raises(NotServed) as stopped:
        asyncio.run(opened(local_probe({}), IMAP_143.in_plain_text, [ALICE] * 3))
    assert (stopped.value.outcome, stopped.value.stage) == (Outcome.UNREACHABLE, Stage.CONNECT)
