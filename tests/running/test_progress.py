"""Who waits for a run is told how far it is, and not too often."""

from __future__ import annotations

import threading
import time
from concurrent.futures import CancelledError, Future

import pytest

from pytest_mailu.running import progress
from pytest_mailu.running.progress import Progress, words


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(progress, "SECONDS", 0.02)
    return []


def test_who_waits_is_told_until_the_result_is_there(lines: list[str]) -> None:
    result: Future[str] = Future()

    def tell(line: str) -> None:
        lines.append(line)
        if len(lines) == 3:
            result.set_result("done")

    assert Progress(tell).wait(result, lambda: (len(lines), 9)) == "done"
    assert [line.partition(" in ")[0] for line in lines] == [f"{done} of 9 behaviours compared" for done in range(3)]


def test_who_need_not_wait_is_told_nothing() -> None:
    lines: list[str] = []
    result: Future[str] = Future()
    result.set_result("done")
    assert Progress(lines.append).wait(result, lambda: (1, 1)) == "done"
    assert lines == []


@pytest.mark.parametrize("problem", [CancelledError(), TimeoutError("of the result itself"), ValueError("oh")])
def test_what_the_result_raises_is_raised(problem: BaseException, lines: list[str]) -> None:
    result: Future[str] = Future()
    result.set_exception(problem)
    with pytest.raises(type(problem)):
        Progress(lines.append).wait(result, lambda: (0, 1))
    assert lines == []


def test_many_who_wait_are_told_once_at_a_time(lines: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    result: Future[str] = Future()
    monkeypatch.setattr(progress, "SECONDS", 0.3)

    def tell(line: str) -> None:
        lines.append(line)
        time.sleep(0.1)  # long enough for all others to come and look
        result.set_result("done")

    shared = Progress(tell)
    threads = [threading.Thread(target=shared.wait, args=(result, lambda: (0, 1))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(lines) == 1


@pytest.mark.parametrize(
    ("seconds", "line"),
    [(30.4, "120 of 781 behaviours compared in 30 s"), (150.0, "120 of 781 behaviours compared in 2 min 30 s")],
)
def test_the_words(seconds: float, line: str) -> None:
    assert words(120, 781, seconds) == line
