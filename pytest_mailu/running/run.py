"""Both sides of a run: opened, asked in the background, closed. Knows nothing of pytest or of reports."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Coroutine, Iterable, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_mailu.behaviours import Behaviour
from pytest_mailu.core.errors import MailuError, StackError
from pytest_mailu.core.in_place import InPlace
from pytest_mailu.core.model import Comparison, Observation, Stage
from pytest_mailu.core.plan import Plan
from pytest_mailu.core.setups import DEFAULT
from pytest_mailu.running.event_loop import BackgroundLoop
from pytest_mailu.running.processor_watch import ProcessorWatch
from pytest_mailu.running.progress import Progress, Tell
from pytest_mailu.running.scheduler import Scheduler
from pytest_mailu.running.settling import Settling
from pytest_mailu.sides.base import Side
from pytest_mailu.sides.factory import Notify, rehearsed_sides, sides_of

if TYPE_CHECKING:
    from pytest_mailu.running.rehearsal import Rehearsal


class Run:
    """Both sides of a plan, from `open` to `close`. Called from one thread, it works in another.

    `notify` is called in that one, `tell` in the one that waits for a result.
    """

    def __init__(self, plan: Plan, notify: Notify = lambda _: None, tell: Tell = lambda _: None) -> None:
        self.plan = plan
        self._notify = notify
        self._started = time.monotonic()
        self._asking: Future[None] | None = None
        self._results: dict[str, Future[Comparison]] = {}
        self._rehearsal: Rehearsal | None = None
        self._watch = ProcessorWatch()
        self._progress = Progress(tell)
        self.setup = plan.setup or DEFAULT
        """The set-up in which the sides are compared."""
        self.old, self.new = self._sides(plan, notify)
        self._loop = BackgroundLoop()

    def _sides(self, plan: Plan, notify: Notify) -> tuple[Side, Side]:
        if not plan.in_place:
            old, new, self.setup = sides_of(plan, notify)
            return old, new
        # Docker's SDK takes a while to import; two recordings do not need it.
        from pytest_mailu.running.rehearsal import Rehearsal

        old, fresh, make, hops = rehearsed_sides(plan, notify)
        self._rehearsal = Rehearsal(plan, old, fresh, make, hops, notify, self._upgraded_to, self._watch)
        return old, fresh

    def _upgraded_to(self, side: Side) -> None:
        """Of an upgrade in place, the side on old's data stands for new as soon as there is one."""
        self.new = side

    @property
    def rehearsed(self) -> InPlace | None:
        """What the rehearsal of an upgrade in place has to say; None for every other run."""
        return None if self._rehearsal is None else self._rehearsal.result

    @property
    def seconds(self) -> float:
        """How long ago the run was made."""
        return time.monotonic() - self._started

    def open(self) -> None:
        """Make both sides ready, at the same time.

        Where a service fails by its own doing, that is an observation: its side stays and answers with it. Every other
        failure closes both sides and is raised as a MailuError.
        """
        if any(side.behaviours is None for side in (self.old, self.new)):
            self._watch.start()
        for error in self._loop.finish(_both(self.old.open(), self.new.open())):
            if error is None or (isinstance(error, StackError) and error.own_doing):
                continue
            self.close()
            raise error

    def ask(self, behaviours: Iterable[Behaviour]) -> None:
        """Start asking in the background; each behaviour has its `result` as soon as it is settled."""
        chosen = list(behaviours)
        self._results.update({behaviour.id: Future() for behaviour in chosen})
        self._progress.begin()
        if self._rehearsal is not None:
            self._ask(self._rehearsal.run(chosen, self._publish))
            return
        settling = Settling(self.old, self.new, self.plan.seed, watch=self._watch)
        scheduler = Scheduler(self.old, self.new, repeat=self.plan.repeat, settling=settling, watch=self._watch)
        self._ask(scheduler.run(chosen, self._publish))

    def _ask(self, work: Coroutine[Any, Any, None]) -> None:
        self._asking = self._loop.submit(work)
        # Whoever cancels it does so in another thread, but only the loop sets results: they cannot meet there.
        self._asking.add_done_callback(lambda asking: self._loop.call(self._asked, asking))

    def _publish(self, comparison: Comparison) -> None:
        result = self._results[comparison.question.id]
        if not result.done():  # nobody waits for it any more: the asking was cancelled
            result.set_result(comparison)

    def _asked(self, asking: Future[None]) -> None:
        """The end of the asking ends every wait for a result that is still missing."""
        problem = CancelledError() if asking.cancelled() else asking.exception()
        for result in self._results.values():
            if not result.done():
                result.set_exception(problem or CancelledError())

    def stop_asking(self) -> None:
        """Ask no more. Every wait for a result that is still missing ends with a CancelledError."""
        if self._asking is not None:
            self._asking.cancel()

    @property
    def problem(self) -> MailuError | None:
        """What ended the asking early; None while it goes on, and where it came to its end."""
        asking = self._asking
        if asking is None or not asking.done() or asking.cancelled():
            return None
        error = asking.exception()
        return error if isinstance(error, MailuError) else None

    def result(self, id: str) -> Comparison:
        """Wait for the comparison of a behaviour that `ask` was given."""
        return self._progress.wait(self._results[id], self._count)

    def _count(self) -> tuple[int, int]:
        return sum(result.done() for result in self._results.values()), len(self._results)

    @property
    def settled(self) -> tuple[Comparison, ...]:
        """The comparisons that are there by now, whether anybody has waited for them or not."""
        done = [result for result in self._results.values() if result.done()]
        return tuple(result.result() for result in done if result.exception() is None)

    def ask_once(self, side: Side, behaviour: Behaviour) -> Observation:
        """What one side does, asked once, while everything else goes on; nothing of it is shared."""
        seen = self._loop.finish(side.observe(behaviour, 0, shared=False))
        return seen or Observation(None, Stage.CONNECT, trouble="not recorded")

    def evidence(self, comparisons: Iterable[Comparison]) -> list[Comparison]:
        """The comparisons with the servers' log lines in the last attempt of each side; to be called before `close`."""
        chosen = list(comparisons)
        if self._loop.stopped:
            return chosen
        try:
            return self._loop.finish(self._evidence(chosen))
        except Exception as error:  # the report is complete without log lines, and has to be written
            self._notify(f"the servers' logs could not be read: {error}")
            return chosen

    async def _evidence(self, comparisons: list[Comparison]) -> list[Comparison]:
        old, new = await asyncio.gather(
            self.old.evidence([each.old[-1] for each in comparisons if each.old]),
            self.new.evidence([each.new[-1] for each in comparisons if each.new]),
        )
        last_old, last_new = iter(old), iter(new)
        return [
            replace(
                each,
                old=(*each.old[:-1], next(last_old)) if each.old else (),
                new=(*each.new[:-1], next(last_new)) if each.new else (),
            )
            for each in comparisons
        ]

    def close(self) -> None:
        """Stop asking and remove the stacks (with `keep` they stay). Calling it again does nothing."""
        if self._loop.stopped:
            return
        for error in self._loop.finish_undisturbed(self._close()):
            if error is not None:
                self._notify(str(error))
        self._watch.stop()
        self._loop.stop()

    async def _close(self) -> Sequence[BaseException | None]:
        # What still opens or asks must end first, or it would go on making what is then not removed.
        await self._loop.cancel_submitted()
        if self._rehearsal is not None:
            return [*await self._rehearsal.close(), *await _both(self.old.close())]
        return await _both(self.old.close(), self.new.close())


async def _both(*work: Awaitable[None]) -> Sequence[BaseException | None]:
    return await asyncio.gather(*work, return_exceptions=True)
