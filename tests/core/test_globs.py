"""Globs: what they match, and that no number of stars takes long."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mailu.core.globs import any_of, matches

SECONDS = 2.0
"""Of processor time: far more than a walk over the text takes, far less than trying combinations."""


def slowly(glob: str, text: str) -> bool:
    """The same by one regular expression."""
    parts = {"*": ".*", "?": "."}
    return re.fullmatch("".join(parts.get(char) or re.escape(char) for char in glob), text, re.DOTALL) is not None


@given(st.text("ab*?[\n", max_size=9), st.text("ab[\n", max_size=12))
def test_the_same_as_one_regular_expression(glob: str, text: str) -> None:
    assert matches(glob, text) == slowly(glob, text)


@pytest.mark.parametrize(
    ("glob", "text", "expected"),
    [
        ("", "", True),
        ("*", "", True),
        ("**", "a/b", True),
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("*ab*ab", "ab", False),
        ("facts.ehlo[DSN]", "facts.ehlo[DSN]", True),
        ("facts.*[?SN]", "facts.ehlo[DSN]", True),
        ("?", "", False),
    ],
)
def test_ends_do_not_overlap_and_brackets_are_no_classes(glob: str, text: str, expected: bool) -> None:
    assert matches(glob, text) is expected


@pytest.mark.parametrize("piece", ["a", "ab", "a?", "aaaaaaaaaaaaaaaa"])
@pytest.mark.parametrize("stars", [3, 30, 2_000])
def test_many_stars_over_a_long_text_take_no_time(piece: str, stars: int) -> None:
    begun = time.process_time()
    assert not any_of([f"*{piece}" * stars + "*z", f"{piece}*" * stars + "z?"], "a" * 120_000)
    assert time.process_time() - begun < SECONDS
