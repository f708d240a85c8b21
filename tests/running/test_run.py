"""A run between opening and closing: what stands afterwards, whichever way it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Sequence
from concurrent.futures import CancelledError
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_mailu.behaviours.declaration import BASE_VARIANT, Behaviour
from pytest_mailu.core.errors import StackError, UsageError
from pytest_mailu.core.model import Observation, Outcome, Question, Recording, Severity, SideInfo, Stage, Verdict
from pytest_mailu.core.plan import Plan, RecordedSpec
from pytest_mailu.core.serialization import SCHEMA, dumps
from pytest_mailu.judging.judge import judge
from pytest_mailu.running.event_loop import BackgroundLoop
from pytest_mailu.running.run import Run
from tests.running.idle_side import IdleSide

GOOD = Observation(Outcome.DELIVERED, Stage.DELIVERY)


def a_behaviour(id_: str = "a/1/x") -> Behaviour:
    async def ask(probe: Any) -> Observation:
        raise AssertionError("these sides answer by themselves")

    return Behaviour(Question(id_, "Title", "Breaks.", "Source", Outcome.DELIVERED, Severity.MAJOR), ask)


class FakeSide(IdleSide):
    """Opens, answers and closes as told, and keeps a diary."""

    def __init__(self, *, opening: Any = None, answering: Any = None, closing: Any = None, telling: Any = None) -> None:
        self.diary: list[str] = []
        self._does = {"open": opening, "observe": answering, "close": closing, "evidence": telling}

    async def _do(self, what: str) -> None:
        self.diary.append(what)
        try:
            if self._does[what] is not None:
                await self._does[what]()
        except asyncio.CancelledError:
            self.diary.append(f"{what} cancelled")
            await asyncio.sleep(0)
            self.diary.append(f"{what} tidied up")
            raise

    async def open(self) -> None:
        await self._do("open")

    async def close(self) -> None:
        await self._do("close")

    def restarts(self, variant: str) -> frozenset[str]:
        return frozenset() if variant == BASE_VARIANT else frozenset({"smtp"})

    async def evidence(self, observations: Sequence[Observation]) -> list[Observation]:
        await self._do("evidence")
        return [replace(observation, logs=("a line",)) for observation in observations]

    async def observe(self, behaviour: Behaviour, attempt: int, *, shared: bool = True) -> Observation | None:
        await self._do("observe")
        return GOOD


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    file = tmp_path / "some.json"
    file.write_text(dumps(Recording(SCHEMA, "0", SideInfo("2.0.43"), ("a/1/x",), {"a/1/x": (GOOD,)})))
    return Plan(RecordedSpec(str(file)), RecordedSpec(str(file)))


def run_of(plan: Plan, old: FakeSide, new: FakeSide) -> Run:
    run = Run(plan)
    run.old, run.new = old, new
    return run


async def for_ever() -> None:
    await asyncio.get_running_loop().create_future()


def raising(error: BaseException) -> Any:
    async def work() -> None:
        raise error

    return work


def test_a_run_over_recordings_from_open_to_close(plan: Plan) -> None:
    run = Run(plan)
    run.open()
    run.ask([a_behaviour()])
    assert run.result("a/1/x").verdict is Verdict.SAME
    run.close()
    run.close()
    assert run.old.info.release == "2.0.43"


def test_a_recording_that_is_not_there_is_known_before_anything_starts(tmp_path: Path) -> None:
    before = threading.active_count()
    with pytest.raises(UsageError, match="cannot read the recording"):
        Run(Plan(RecordedSpec(str(tmp_path / "none.json")), RecordedSpec("recorded:1.0")))
    assert threading.active_count() == before


def test_when_one_side_does_not_open_both_are_closed_and_the_reason_is_told(plan: Plan) -> None:
    trouble = StackError("no engine", "start Docker")
    old, new = FakeSide(opening=raising(trouble)), FakeSide()
    run = run_of(plan, old, new)
    with pytest.raises(StackError, match="no engine"):
        run.open()
    assert (old.diary[-1], new.diary[-1]) == ("close", "close")


def test_a_service_that_dies_by_its_own_doing_leaves_its_side_open_to_questions(plan: Plan) -> None:
    old, new = FakeSide(), FakeSide(opening=raising(StackError("smtp exited", "see its log", own_doing=True)))
    run = run_of(plan, old, new)
    run.open()
    run.ask([a_behaviour()])
    assert run.result("a/1/x").verdict is Verdict.SAME
    run.close()


def test_whoever_waits_for_a_result_hears_when_the_run_is_closed(plan: Plan) -> None:
    run = run_of(plan, FakeSide(answering=for_ever), FakeSide())
    run.open()
    run.ask([a_behaviour()])
    ended: list[BaseException] = []

    def wait() -> None:
        try:
            run.result("a/1/x")
        except CancelledError as error:
            ended.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    run.close()
    waiting.join(30)
    assert len(ended) == 1


def test_a_result_that_comes_after_the_asking_was_stopped_troubles_nobody(plan: Plan) -> None:
    """The thread that stops set the end of each wait, and the loop a result: -x ended in a traceback now and then."""
    late = judge(a_behaviour().question, [GOOD], [GOOD])

    async def publish() -> None:
        run._publish(late)

    run = run_of(plan, FakeSide(answering=for_ever), FakeSide())
    run.open()
    run.ask([a_behaviour()])
    run.stop_asking()
    with pytest.raises(CancelledError):
        run.result("a/1/x")
    run._loop.finish(publish())
    run.close()


def test_what_goes_wrong_while_asking_reaches_whoever_waits(plan: Plan) -> None:
    run = run_of(plan, FakeSide(answering=raising(ZeroDivisionError("oh"))), FakeSide())
    run.open()
    run.ask([a_behaviour()])
    with pytest.raises(ExceptionGroup) as caught:
        run.result("a/1/x")
    assert caught.group_contains(ZeroDivisionError, match="oh")
    run.close()


def test_asking_has_ended_before_the_sides_close(plan: Plan) -> None:
    asked = threading.Event()

    async def answering() -> None:
        asked.set()
        await for_ever()

    old, new = FakeSide(answering=answering), FakeSide()
    run = run_of(plan, old, new)
    run.open()
    run.ask([a_behaviour()])
    asked.wait(30)
    run.close()
    assert old.diary == ["open", "observe", "observe cancelled", "observe tidied up", "close"]


def test_ctrl_c_while_opening_ends_the_opening_before_the_sides_close(plan: Plan) -> None:
    async def interrupted() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        await for_ever()

    old, new = FakeSide(opening=interrupted), FakeSide(opening=for_ever)
    run = run_of(plan, old, new)
    with pytest.raises(KeyboardInterrupt):
        run.open()
    run.close()
    expected = ["open", "open cancelled", "open tidied up", "close"]
    assert old.diary == new.diary == expected


def test_evidence_goes_to_the_last_attempt_of_each_side_that_has_one(plan: Plan) -> None:
    run = run_of(plan, FakeSide(), FakeSide())
    made = [judge(a_behaviour().question, [GOOD, GOOD], [GOOD]), judge(a_behaviour("a/1/y").question, [], [GOOD])]
    first, second = run.evidence(made)
    told = replace(GOOD, logs=("a line",))
    assert (first.old, first.new) == ((GOOD, told), (told,))
    assert (second.old, second.new) == ((), (told,))
    run.close()
    assert run.evidence(made) == made


def test_a_run_stands_without_evidence(plan: Plan) -> None:
    told: list[str] = []
    run = Run(plan, told.append)
    run.old, run.new = FakeSide(telling=raising(OSError("the engine is gone"))), FakeSide()
    made = [judge(a_behaviour().question, [GOOD], [GOOD])]
    assert run.evidence(made) == made
    assert told == ["the servers' logs could not be read: the engine is gone"]
    run.close()


def test_ctrl_c_does_not_keep_a_run_from_cleaning_up(plan: Plan) -> None:
    async def interrupted() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(0)

    old, new = FakeSide(closing=interrupted), FakeSide()
    run = run_of(plan, old, new)
    run.open()
    run.close()
    assert (old.diary[-1], new.diary[-1]) == ("close", "close")


def test_a_side_that_does_not_close_is_told_and_the_other_one_is_closed(plan: Plan) -> None:
    told: list[str] = []
    run = Run(plan, told.append)
    run.old, run.new = FakeSide(closing=raising(StackError("cannot remove it", "remove it"))), FakeSide()
    run.open()
    run.close()
    assert told == ["cannot remove it\n  → remove it"]
    assert run.new.diary == ["open", "close"]


def test_stopping_the_background_ends_what_is_left_in_it() -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await for_ever()
        finally:
            ended.append("work")

    background = BackgroundLoop()
    future = background.submit(work())
    assert background.finish(asyncio.sleep(0, "value")) == "value"
    background.stop()
    background.stop()
    assert (ended, background.stopped, future.cancelled()) == (["work"], True, True)
