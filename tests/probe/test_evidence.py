from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from pytest_mailu.probe.probe import Probe
from tests.behaviours.local_stack import LocalServices, LocalStack


class LoggingServices(LocalServices):
    """A service that logs one more line each time somebody looks."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines
        self._looks = 0

    async def log_since(self, service: str, since: float) -> list[str]:
        self._looks += 1
        return list(self._lines[: self._looks])


def _logged(lines: Sequence[str], *words: str, seconds: float) -> bool:
    stack = LocalStack({})
    stack.services = LoggingServices(lines)
    probe = Probe(stack, time.time())  # type: ignore[arg-type]
    return asyncio.run(probe.evidence.logged("antispam", *words, seconds=seconds))


def test_a_line_is_waited_for_and_has_to_have_all_the_words() -> None:
    lines = ["learned message as spam: <other@x>", "<abc@x> scanned", "learned message as spam: <abc@x>"]
    assert _logged(lines, "learned message as spam", "<abc@x>", seconds=5.0)


def test_a_line_that_never_comes_is_no_trouble() -> None:
    assert not _logged(["learned message as ham: <abc@x>"] * 9, "learned message as spam", "<abc@x>", seconds=0.3)
