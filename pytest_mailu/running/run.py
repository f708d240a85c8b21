"""One run from opening both sides to the report, without a word of pytest."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import replace
from typing import TypeAlias

from pytest_mailu.behaviours import Behaviour
from pytest_mailu.core.errors import StackError
from pytest_mailu.core.model import Comparison, Observation, Stage
from pytest_mailu.core.plan import Plan, RecordedSpec, SideSpec
from pytest_mailu.running.event_loop import Background
from pytest_mailu.running.scheduler import Runner
from pytest_mailu.sides.base import Side
from pytest_mailu.sides.recording import RecordingSide, load

Tell: TypeAlias = Callable[[str], None]


class Run:
    """Both sides of a plan, from `open` to `close`. Called from one thread, it does its work in another."""

    def __init__(self, plan: Plan, tell: Tell = lambda _: None) -> None:
        self.plan = plan
        self._tell = tell
        self._started = time.monotonic()
        self._asking: Future[None] | None = None
        self._results: dict[str, Future[Comparison]] = {}
        self.old, self.new = self._sides()
        self._background = Background()

    def _sides(self) -> tuple[Side, Side]:
        recorded = {
            label: RecordingSide(load(spec.text)) for label, spec in self.plan.specs if isinstance(spec, RecordedSpec)
        }
        if len(recorded) == len(self.plan.specs):
            return recorded["old"], recorded["new"]
        # Docker's SDK takes a while to import; recordings need not wait for it.
        from pytest_mailu.sides.machine import Machine
        from pytest_mailu.sides.release import ReleaseSide

        machine = Machine(self.plan, self._tell)

        def side(label: str, spec: SideSpec) -> Side:
            if isinstance(spec, RecordedSpec):
                return recorded[label]
            return ReleaseSide(
                label, spec.release, self.plan, machine, lambda words: self._tell(f"{label} {spec}: {words}")
            )

        return side("old", self.plan.old), side("new", self.plan.new)

    @property
    def seconds(self) -> float:
        """How long ago the run was made."""
        return time.monotonic() - self._started

    def open(self) -> None:
        """Make both sides ready, at the same time.

        A service that fails by its own doing is an observation: its side stays, and answers with that. Every other
        failure closes both sides and is raised as a MailuError.
        """
        for error in self._background.finish(_both(self.old.open(), self.new.open())):
            if error is None or (isinstance(error, StackError) and error.own_doing):
                continue
            self.close()
            raise error

    def ask(self, behaviours: Iterable[Behaviour]) -> None:
        """Start asking in the background; each behaviour's `result` is there as soon as it stands."""
        chosen = list(behaviours)
        self._results.update({behaviour.id: Future() for behaviour in chosen})
        runner = Runner(self.old, self.new, repeat=self.plan.repeat)
        self._asking = self._background.submit(runner.run(chosen, self._publish))
        self._asking.add_done_callback(self._asked)

    def _publish(self, comparison: Comparison) -> None:
        self._results[comparison.question.id].set_result(comparison)

    def _asked(self, asking: Future[None]) -> None:
        """Nobody may wait for ever for a result that the end of the asking has left open."""
        problem = CancelledError() if asking.cancelled() else asking.exception()
        for result in self._results.values():
            if not result.done():
                result.set_exception(problem or CancelledError())

    def halt(self) -> None:
        """Ask no more. Whoever waits for a result that is not there yet gets a CancelledError."""
        if self._asking is not None:
            self._asking.cancel()

    def result(self, id: str) -> Comparison:
        """Wait for the comparison of a behaviour that `ask` was given."""
        return self._results[id].result()

    def ask_once(self, side: Side, behaviour: Behaviour) -> Observation:
        """What one side does, once, beside everything else that is going on."""
        seen = self._background.finish(side.observe(behaviour, 0))
        return seen or Observation(None, Stage.CONNECT, trouble="not recorded")

    def evidence(self, comparisons: Iterable[Comparison]) -> list[Comparison]:
        """The comparisons with the servers' log lines in the last attempt of each side; before `close`."""
        chosen = list(comparisons)
        if self._background.stopped:
            return chosen
        try:
            return self._background.finish(self._evidence(chosen))
        except Exception as error:  # the report stands without it, and has to be written
            self._tell(f"the servers' logs could not be read: {error}")
            return chosen

    async def _evidence(self, comparisons: list[Comparison]) -> list[Comparison]:
        old, new = await asyncio.gather(
            self.old.evidence([one.old[-1] for one in comparisons if one.old]),
            self.new.evidence([one.new[-1] for one in comparisons if one.new]),
        )
        before, after = iter(old), iter(new)
        return [
            replace(
                one,
                old=(*one.old[:-1], next(before)) if one.old else (),
                new=(*one.new[:-1], next(after)) if one.new else (),
            )
            for one in comparisons
        ]

    def close(self) -> None:
        """Stop asking and leave nothing behind (or, with `keep`, the stacks). Harmless when called again."""
        if self._background.stopped:
            return
        for error in self._background.finish_undisturbed(self._closed()):
            if error is not None:
                self._tell(str(error))
        self._background.stop()

    async def _closed(self) -> Sequence[BaseException | None]:
        # Whatever still opens or asks ends first, or it would go on making what nobody then removes.
        await self._background.cancel_submitted()
        return await _both(self.old.close(), self.new.close())


async def _both(*work: Awaitable[None]) -> Sequence[BaseException | None]:
    return await asyncio.gather(*work, return_exceptions=True)
