"""The page for administrators says what the matrix asks."""

from __future__ import annotations

from pytest_mailu.behaviours import built_in
from pytest_mailu.behaviours.handbook import page


def test_every_behaviour_stands_in_it_with_its_id() -> None:
    text = page(built_in())
    assert all(f"* `{behaviour.id}`: " in text for behaviour in built_in())
