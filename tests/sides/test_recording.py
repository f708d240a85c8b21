"""A recorded side: how it is read."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from pytest_mailu.core.plan import RECORDED
from pytest_mailu.core.shipped import shipped
from pytest_mailu.sides.recording import load


@pytest.fixture(autouse=True)
def _thawed() -> Iterator[None]:
    yield
    gc.unfreeze()
    gc.enable()


@pytest.mark.parametrize("enabled", [True, False])
def test_pythons_search_for_garbage_passes_over_what_a_recording_holds_and_goes_on_as_before(enabled: bool) -> None:
    gc.unfreeze()
    if not enabled:
        gc.disable()
    recording = load(f"{RECORDED}{next(iter(shipped()))}")
    events = sum(len(attempt.transcript) for made in recording.observations.values() for attempt in made)
    assert gc.get_freeze_count() >= events > 10_000
    assert gc.isenabled() is enabled


def test_a_recording_that_is_not_there_leaves_the_search_for_garbage_as_it_was() -> None:
    gc.unfreeze()
    with pytest.raises(Exception, match="cannot read the recording"):
        load("/nowhere/old.json")
    assert gc.isenabled()
    assert not gc.get_freeze_count()
