from __future__ import annotations

import asyncio

from pytest_mailu.behaviours import access_limits
from pytest_mailu.behaviours.access_limits import STRANGERS, TRIES, changes, outcome
from pytest_mailu.core.endpoints import IMAPS_993
from pytest_mailu.core.model import Outcome
from tests.behaviours.local_stack import local_probe
from tests.wire.peer import hang_up, peer


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
