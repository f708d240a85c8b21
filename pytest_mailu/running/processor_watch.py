"""Measures, while a run goes on, what share of a processor programs on this machine get (see `judging.starvation`)."""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from collections import deque

from pytest_mailu.core.model import Comparison, Observation, Question
from pytest_mailu.judging.starvation import ENOUGH, PERIOD, Sample, in_time, share, unless_starved

WORK_SECONDS = 0.01
"""Processor time of one piece of work: a hundredth of one processor, and longer than a scheduler lets a program run on
when it has waited."""
CALM_SECONDS = 3.0
"""How long programs have to have got enough for the machine to count as calm."""
KEPT = 20_000
"""How many samples are kept: those of five hours."""
_FIRST = 2_000
"""Rounds of work by which the machine's speed is found."""


class ProcessorWatch:
    """Takes a sample each second from `start` to `stop`, in a thread of its own. Before `start`, nothing is starved."""

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque(maxlen=KEPT)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to measure. Calling it again does nothing."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._measure, name="mailu-processor-watch", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread; the samples stay. Calling it again does nothing."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def add(self, sample: Sample) -> None:
        """Take a sample."""
        self._samples.append(sample)

    def share(self, begin: float, end: float) -> float:
        """The share of a processor that a program got in that time (seconds since the epoch)."""
        return share(tuple(self._samples), begin, end)

    def left_open(self, seen: Observation) -> bool:
        """Whether this could not be asked, while programs got too little."""
        return seen.outcome is None and self._during(seen) < ENOUGH

    def against_new(self, comparison: Comparison) -> bool:
        """Whether new could not be asked while programs got too little, and old answered at the same time."""
        both = zip(comparison.old, comparison.new, strict=False)
        return any(old.outcome is not None and self.left_open(new) for old, new in both)

    def judged(self, question: Question, seen: Observation) -> Observation:
        """The observation; not asked where it may have run into a deadline of ours while programs got too little."""
        return unless_starved(question.wanted, seen, self._during(seen))

    def in_time(self, seen: Observation, timeout: float) -> Observation:
        """The observation of a longer deadline than `timeout`, see `judging.starvation.in_time`."""
        return in_time(seen, timeout, self._during(seen))

    async def calm(self, seconds: float) -> bool:
        """Wait until programs get enough, for at most so many seconds; whether they do."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while self.share(time.time() - CALM_SECONDS, time.time()) < ENOUGH:
            left = deadline - loop.time()
            if left <= 0:
                return False
            await asyncio.sleep(min(PERIOD, left))
        return True

    def _during(self, seen: Observation) -> float:
        return self.share(seen.begun, seen.started + seen.seconds)

    def _measure(self) -> None:
        rounds = _rounds()
        due = time.monotonic() + PERIOD
        while not self._stopping.wait(max(due - time.monotonic(), 0.0)):
            cpu = time.thread_time()
            _work(rounds)
            cpu = time.thread_time() - cpu
            self.add(Sample(time.time(), cpu, max(time.monotonic() - due, cpu)))
            due = time.monotonic() + PERIOD


def _work(rounds: int) -> None:
    """Work that holds no lock of the interpreter: our own other threads do not slow it down."""
    hashlib.pbkdf2_hmac("sha256", b"share", b"of a processor", rounds)


def _rounds() -> int:
    """How many rounds take `WORK_SECONDS`; processor time is the same however busy the machine is."""
    began = time.thread_time()
    _work(_FIRST)
    return max(1, round(_FIRST * WORK_SECONDS / max(time.thread_time() - began, 1e-6)))
