from __future__ import annotations

from pytest_mailu.behaviours.access_limits import STRANGERS, TRIES, changes, outcome
from pytest_mailu.model import Outcome


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
