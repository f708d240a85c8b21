"""Ranges of releases, as waivers and advice name them."""

from __future__ import annotations

import pytest

from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.ranges import ReleaseRange


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("", ["1.9", "1.9.50", "2.0.43", "2024.06", "master"], []),
        ("2.0", ["2.0", "2.0.0", "2.0.43"], ["1.9.50", "2024.06.1", "2024.06", "master"]),
        ("2024.06", ["2024.06", "2024.6", "2024.06.24"], ["2.0.43", "master"]),
        ("2024.6", ["2024.06.24"], ["2.0"]),
        ("2.0.43", ["2.0.43"], ["2.0.42", "2.0.44", "2.0", "master"]),
        ("2024.06.24", ["2024.06.24", "2024.6.24"], ["2024.06.2", "2024.06.240"]),
        (">=2.0", ["2.0", "2.0.1", "2024.06.24", "master"], ["1.9", "1.9.50"]),
        ("<2024.06", ["1.9", "2.0", "2.0.43"], ["2024.06.1", "2024.06", "master"]),
        (">=2.0,<2024.06.30", ["2.0.1", "2024.06.29"], ["1.9", "2024.06.30", "2024.06", "master"]),
        ("!=2.0.43", ["2.0.42", "2.0"], ["2.0.43"]),
        ("~=2024.6.10", ["2024.06.24"], ["2024.06.9", "2.0"]),
        ("master", ["master"], ["2.0", "2024.06", "2024.06.24"]),
        ("<master", ["1.9", "2024.06", "2024.06.24"], ["master"]),
        (" 2.0 ", ["2.0.1"], ["1.9"]),
    ],
)
def test_a_range_holds_what_people_mean_by_it(text: str, inside: list[str], outside: list[str]) -> None:
    range_ = ReleaseRange(text)
    assert [release for release in (*inside, *outside) if release in range_] == inside


@pytest.mark.parametrize("text", [">=", "2.0 or later", "newer", ">=2.0;", "3.7", "><2.0"])
def test_what_is_no_range_is_a_usage_error_at_once(text: str) -> None:
    with pytest.raises(UsageError):
        ReleaseRange(text)
