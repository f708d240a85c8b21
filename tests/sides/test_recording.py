"""A recorded side: how it is read."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from pytest_mailu.core.plan import RECORDED
from pytest_mailu.core.shipped import shipped
from pytest_mailu.sides.recording import load


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    gc.enable()


@pytest.mark.parametrize("enabled", [True, False])
def test_while_a_recording_is_read_no_garbage_is_looked_for_and_afterwards_all_is_as_before(enabled: bool) -> None:
    frozen = gc.get_freeze_count()
    if not enabled:
        gc.disable()
    before = gc.get_stats()[0]["collections"]
    recording = load(f"{RECORDED}{next(iter(shipped()))}")
    assert gc.get_stats()[0]["collections"] - before < 20, "as many as there are where it is looked for: 170"
    assert len(recording.observations) > 1000
    assert gc.isenabled() is enabled
    assert gc.get_freeze_count() == frozen, "what is frozen, other plugins do not see"


def test_a_recording_that_is_not_there_leaves_the_search_for_garbage_as_it_was() -> None:
    with pytest.raises(Exception, match="cannot read the recording"):
        load("/nowhere/old.json")
    assert gc.isenabled()
