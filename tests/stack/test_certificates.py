"""Certificates of one run: the same for all who ask, at the same time as well."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from pytest_mailu.stack.world.certificates import certificate


def test_threads_that_ask_at_once_get_the_same_certificate() -> None:
    """Each stack had a certificate of an authority of its own, which the other one's services did not trust."""
    at_once = Barrier(4)

    def ask(_: int) -> str:
        at_once.wait(20)
        return certificate("asked-at-once.example").certificate

    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(ask, range(4)))) == 1
