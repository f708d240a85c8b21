"""A broken entry of the catalogue is refused, with the file, the line and the key."""

from __future__ import annotations

import pytest

from pytest_mailu.core.errors import UsageError
from pytest_mailu.deployment.catalogue.reader import read, read_all

GOOD = """\
[[setting]]
name = "A"

[[setting.history]]
since = "1.9.0"
services = ["admin"]
source = "x@1.9.0"

[[setting]]
name = "B"

[[setting.history]]
since = "1.9.0"
until = "2.0.0"
services = ["admin"]
source = "x@1.9.0"

[[setting.history]]
since = "2.0.0"
default = "5"
services = ["admin"]
source = "x@2.0.0"
"""


@pytest.mark.parametrize(
    ("good", "bad", "place", "problem"),
    [
        ('default = "5"', "default = 5", "line 20, key default", "5 is not text"),
        ('since = "2.0.0"', 'since = "2.0"', "line 19, key since", "is a series"),
        ('since = "2.0.0"', 'since = "3.7"', "line 19, key since", "does not know the series"),
        ('until = "2.0.0"', 'until = "1.8.0"', "line 14, key until", "does not know the series"),
        ('until = "2.0.0"', 'until = "1.9.0"', "line 12", "is not after"),
        ('default = "5"', 'defualt = "5"', "line 18", "there is no key defualt"),
        ('source = "x@2.0.0"', "", "line 18, key source", "the key 'source' is missing"),
        ('source = "x@2.0.0"', 'source = ""', "line 22, key source", "without a source"),
        ('source = "x@2.0.0"', f'source = "{"x" * 2001}"', "line 22, key source", "2000 are allowed"),
        ('name = "B"', "name = 7", "line 10, key name", "7 is not text"),
        ("[[setting]]", "[[sitting]]", "line 1", "there is no table 'sitting'"),
    ],
)
def test_a_broken_entry_is_refused_with_its_line_and_key(good: str, bad: str, place: str, problem: str) -> None:
    read(GOOD, "f.toml")
    head, _, tail = GOOD.rpartition(good) if good != "[[setting]]" else ("", "", GOOD)
    text = head + bad + tail if good != "[[setting]]" else GOOD.replace(good, bad)
    with pytest.raises(UsageError) as caught:
        read(text, "f.toml")
    assert caught.value.cause.startswith(f"f.toml, {place}: "), caught.value.cause
    assert problem in caught.value.cause


def test_a_file_that_is_not_toml_is_refused_with_its_line() -> None:
    with pytest.raises(UsageError, match=r"f\.toml is not TOML: .*line 2"):
        read('a = "b"\nb = nothing\n', "f.toml")


def test_the_shipped_files_can_be_read() -> None:
    assert read_all()["setting"]
