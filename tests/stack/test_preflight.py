"""Engine, memory and disk are checked before anything starts."""

from __future__ import annotations

import pytest

from pytest_mailu.core.errors import StackError
from pytest_mailu.stack.preflight import Readings, available_memory, check

GIB = 2**30


def test_a_machine_that_will_do_passes() -> None:
    check(Readings("20.10.24+dfsg1", 8 * GIB, 50 * GIB, "/var/lib/docker"), 2, pull=True)
    check(Readings("27.0.1", None, None), 2, pull=True)
    check(Readings("unknown", 8 * GIB, 50 * GIB), 2, pull=False)


@pytest.mark.parametrize(
    ("readings", "words"),
    [
        (Readings("19.03.15", 8 * GIB, 50 * GIB), "19.03.15"),
        (Readings("26.0.1", 8 * GIB, 50 * GIB), "DNS"),
        (Readings("27.0.1", 1 * GIB, 50 * GIB), "memory"),
        (Readings("27.0.1", 8 * GIB, GIB // 4, "/var/lib/docker"), "/var/lib/docker"),
    ],
)
def test_what_will_not_do_is_said_before_anything_starts(readings: Readings, words: str) -> None:
    with pytest.raises(StackError) as caught:
        check(readings, 2, pull=False)
    assert words in caught.value.cause
    assert caught.value.remedy
    assert not caught.value.own_doing


def test_the_engine_that_mended_dns_is_taken() -> None:
    check(Readings("26.1.3", 8 * GIB, 50 * GIB), 2, pull=False)


def test_available_memory_is_that_of_this_machine() -> None:
    memory = available_memory()
    assert memory is None or memory > 0
