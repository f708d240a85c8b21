"""An event loop in a thread of its own: pytest's items wait for results while the loop goes on."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Collection, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar

Value = TypeVar("Value")


class BackgroundLoop:
    """One event loop, running until `stop`."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._submitted: set[asyncio.Task[Any]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="mailu", daemon=True)
        self._thread.start()

    def submit(self, work: Coroutine[Any, Any, Value]) -> Future[Value]:
        """Start a coroutine in the loop; the future has its result. Cancelling the future cancels the coroutine."""
        return asyncio.run_coroutine_threadsafe(self._tracked(work), self._loop)

    def call(self, function: Callable[..., object], *values: object) -> None:
        """Have the loop call a function soon, after what it has been told to do before."""
        self._loop.call_soon_threadsafe(function, *values)

    async def _tracked(self, work: Coroutine[Any, Any, Value]) -> Value:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - only tasks come here
        self._submitted.add(task)
        try:
            return await work
        finally:
            self._submitted.discard(task)

    async def cancel_submitted(self) -> None:
        """For a coroutine in this loop: cancel everything else that was submitted, and wait until it has ended."""
        await _cancel(self._submitted - {asyncio.current_task()})

    def finish(self, work: Coroutine[Any, Any, Value]) -> Value:
        """Start a coroutine and wait for its result."""
        return self.submit(work).result()

    def finish_undisturbed(self, work: Coroutine[Any, Any, Value]) -> Value:
        """Like `finish`, but Ctrl-C does not end the wait: for cleaning up, including the programs that it starts."""
        with _sigint_ignored():
            return self.finish(work)

    @property
    def stopped(self) -> bool:
        """Whether `stop` has been called."""
        return self._loop.is_closed()

    def stop(self) -> None:
        """Cancel what is left, wait for it, and end the thread."""
        if self._loop.is_closed():
            return
        self.finish_undisturbed(_cancel_others())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@contextmanager
def _sigint_ignored() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread gets the signal, and only it may set a handler
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


async def _cancel_others() -> None:
    await _cancel(asyncio.all_tasks() - {asyncio.current_task()})
    await asyncio.get_running_loop().shutdown_default_executor()


async def _cancel(tasks: Collection[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
