"""What real releases did, as gather.py kept it, is explained by the entry that it was kept for."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_mailu.judging.advice import Advisor
from tests.judging.advice.gather import comparison, kept

ENTRIES = {entry.advice.id: entry for entry in Advisor.load().entries}


@pytest.mark.parametrize("one", kept(), ids=lambda one: one["entry"])
def test_what_was_seen_is_explained(one: dict[str, Any]) -> None:
    assert ENTRIES[one["entry"]].fits(comparison(one), one["from"], one["to"])


def test_the_change_behind_most_differences_was_seen() -> None:
    assert {"ports-default", "ports-managesieve", "front-login-refused"} <= {one["entry"] for one in kept()}
