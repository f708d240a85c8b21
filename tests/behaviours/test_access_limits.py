from __future__ import annotations

import asyncio

import pytest

from pytest_mailu.behaviours import access_limits
from pytest_mailu.behaviours.access_limits import (
    CLOSED,
    STRANGERS,
    TRIES,
    VICTIM,
    changes,
    outcome,
    within_one_connection,
)
from pytest_mailu.core.endpoints import IMAPS_993
from pytest_mailu.core.model import Observation, Outcome
from tests.behaviours.local_stack import local_probe
from tests.wire.peer import Step, Talk, hang_up, peer, server_context


def test_answers_are_told_from_where_they_begin() -> None:
    assert changes(["no", "no", "later", "later"]) == {"1": "no", "3": "later"}
    assert changes(["no"]) == {"1": "no"}
    assert changes([]) == {}


def test_every_bad_login_counts() -> None:
    # Mailu counts the same wrong password, and the same unknown user, only once (core/admin/mailu/limiter.py, 2.0).
    assert len({name for name, _ in STRANGERS}) == len(STRANGERS) == TRIES


def test_a_fact_of_an_attempt_tells_its_outcome() -> None:
    assert outcome("deferred: 451 4.3.2 later") is Outcome.DEFERRED
    assert outcome("accepted") is Outcome.ACCEPTED


def test_the_last_login_comes_when_the_others_have_been_counted(monkeypatch) -> None:
    counted: list[str] = []

    async def attempt(probe, endpoint, user: str, password: str) -> str:
        limited = len(counted) >= TRIES - 1
        # Whoever asks first is answered last: the order among the first ones must not matter.
        await asyncio.sleep(0.01 * (TRIES - len(counted)))
        counted.append(user)
        return "deferred: later" if limited else "auth-failed: no"

    monkeypatch.setattr(access_limits, "attempt", attempt)

    async def run():
        async with asyncio.timeout(20), peer(hang_up) as served:
            return await access_limits._at_once(local_probe({993: served.port}), IMAPS_993, STRANGERS)

    assert asyncio.run(run()) == {"1": "auth-failed: no", str(TRIES): "deferred: later"}
    assert counted[-1] == STRANGERS[-1][0]


def logins(*, limited: bool, closes: bool) -> Step:
    """An IMAP server that knows one user, counts failed logins, and may close the connection after each of them."""
    failed = 0

    async def serve(talk: Talk) -> None:
        nonlocal failed
        talk.writer.write(b"* OK [CAPABILITY IMAP4rev1] hi\r\n")
        while line := await talk.reader.readline():
            tag, command, *words = line.split()
            right = command == b"LOGIN" and words == [
                b'"%b"' % word.encode() for word in (VICTIM.address, VICTIM.password)
            ]
            fails = command == b"LOGIN" and (not right or (limited and failed >= TRIES - 1))
            failed += fails
            talk.writer.write(tag + (b" NO [AUTHENTICATIONFAILED] no\r\n" if fails else b" OK done\r\n"))
            await talk.writer.drain()
            if fails and closes:
                break

    return serve


NO, YES = "auth-failed: NO AUTHENTICATIONFAILED no", "accepted: OK done"


@pytest.mark.parametrize(
    ("limited", "closes", "answers", "then"),
    [
        (True, False, {"1": NO}, NO),
        (False, False, {"1": NO, "7": YES}, YES),
        (True, True, {"1": NO, "2": CLOSED}, YES),
    ],
)
def test_logins_within_one_connection(limited: bool, closes: bool, answers: dict[str, str], then: str) -> None:
    async def run() -> Observation:
        server = logins(limited=limited, closes=closes)
        async with asyncio.timeout(20), peer(server, tls=server_context()) as served:
            return await within_one_connection(local_probe({993: served.port}), IMAPS_993)

    seen = asyncio.run(run())

    assert seen.facts == {"answers": answers, "then": {"right_password": then}}
    assert seen.outcome is outcome(then)
