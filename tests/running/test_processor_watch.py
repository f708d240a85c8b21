"""What share of a processor programs get is measured, whatever Mailu does."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pytest_mailu.judging.starvation import ENOUGH, Sample
from pytest_mailu.running.processor_watch import ProcessorWatch
from tests.waiting import eventually


def one_sample(watch: ProcessorWatch) -> float:
    """The share by the next sample that begins from now on."""
    began = time.time()
    eventually(lambda: watch.share(began, time.time() + 60) != 1.0)
    return watch.share(began, time.time())


CORE = min(os.sched_getaffinity(0))
ON_ONE_PROCESSOR = f"import os; os.sched_setaffinity(0, {{{CORE}}})\n"
BUSY = ON_ONE_PROCESSOR + "while True: pass"
MEASURE = (
    ON_ONE_PROCESSOR
    + """
import time
from pytest_mailu.running.processor_watch import ProcessorWatch
watch = ProcessorWatch()
watch.start()
began, deadline = time.time(), time.monotonic() + 60
while time.time() < began + 4 or watch.share(began, began + 4) == 1.0:
    assert time.monotonic() < deadline
    time.sleep(0.1)
watch.stop()
print(watch.share(began, began + 4))
"""
)


@contextmanager
def busy_programs(number: int) -> Iterator[None]:
    """So many programs on one processor that are always busy."""
    programs = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(number)]
    try:
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()


def test_a_machine_that_is_too_busy_is_known() -> None:
    with busy_programs(9):
        ran = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True)
    assert 0.0 < float(ran.stdout) < ENOUGH


def test_samples_are_taken_until_it_is_stopped() -> None:
    watch = ProcessorWatch()
    assert watch.share(0.0, time.time()) == 1.0, "before it is started, nothing is starved"
    watch.start()
    watch.start()
    assert 0.0 < one_sample(watch) <= 1.0
    watch.stop()
    watch.stop()
    assert not any(thread.name == "mailu-processor-watch" for thread in threading.enumerate())


def test_it_is_calm_as_soon_as_programs_get_enough() -> None:
    async def calm() -> tuple[bool, bool]:
        watch = ProcessorWatch()
        watch.add(Sample(time.time(), 0.01, 1.0))
        at_once = await watch.calm(0.0)
        waiting = asyncio.create_task(watch.calm(30.0))
        await asyncio.sleep(0)
        for _ in range(9):
            watch.add(Sample(time.time(), 0.5, 0.5))
        return at_once, await waiting

    assert asyncio.run(calm()) == (False, True)
