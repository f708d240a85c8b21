"""The page for administrators says what the matrix asks today."""

from __future__ import annotations

from pathlib import Path

from pytest_mailu.behaviours import built_in
from pytest_mailu.behaviours.handbook import page


def test_the_page_in_the_docs_is_the_one_that_the_behaviours_make() -> None:
    shown = Path(__file__).parents[2] / "docs" / "behaviours.md"
    assert shown.read_text("utf-8") == page(built_in()), (
        "run: python -m pytest_mailu.behaviours.handbook > docs/behaviours.md"
    )


def test_every_behaviour_stands_in_it_with_its_id() -> None:
    text = page(built_in())
    assert all(f"* `{behaviour.id}`: " in text for behaviour in built_in())
