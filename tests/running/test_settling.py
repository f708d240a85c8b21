"""How a wavering answer is settled: alone, beside others, in a drawn order, and within its time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pytest_mailu.behaviours.declaration import Behaviour
from pytest_mailu.core.model import Comparison, Observation, Outcome, Question, Severity, Stage, Verdict
from pytest_mailu.judging.judge import judge
from pytest_mailu.running.scheduler import Scheduler
from pytest_mailu.running.settling import Asked, Settling, disturber
from tests.running.idle_side import IdleSide

GOOD = Observation(Outcome.DELIVERED, Stage.DELIVERY, started=100.0, seconds=1.0)
LOST = replace(GOOD, outcome=Outcome.LOST)


def a_behaviour(id_: str, **how: Any) -> Behaviour:
    async def ask(probe: Any) -> Observation:
        raise AssertionError("these sides answer by themselves")

    return Behaviour(Question(id_, "Title", "Breaks.", "Source", Outcome.DELIVERED, Severity.MAJOR), ask, **how)


class Side(IdleSide):
    """Answers by a rule of what is being asked at the same time."""

    def __init__(self, name: str, fails: Callable[[str, set[str]], bool], diary: list[str]) -> None:
        self._name = name
        self._fails = fails
        self._diary = diary
        self.running: set[str] = set()
        self.shared: list[bool] = []

    async def observe(self, behaviour: Behaviour, attempt: int, *, shared: bool = True) -> Observation | None:
        self._diary.append(f"{self._name} {behaviour.id}")
        self.shared.append(shared)
        beside = set(self.running)
        self.running.add(behaviour.id)
        for _ in range(6 if behaviour.id != TARGET else 1):
            await asyncio.sleep(0)
        self.running.discard(behaviour.id)
        return LOST if self._fails(behaviour.id, beside) else GOOD


TARGET = "a/993/login"
OTHERS = ["b/993/one", "b/993/two", "b/993/three"]


def never(_: str, __: set[str]) -> bool:
    return False


def sometimes(rate: float, seed: int = 7) -> Callable[[str, set[str]], bool]:
    rng = random.Random(seed)
    return lambda id_, _: id_ == TARGET and rng.random() < rate


def beside(disturbing: str, rate: float = 1.0) -> Callable[[str, set[str]], bool]:
    rng = random.Random(7)
    return lambda id_, running: id_ == TARGET and disturbing in running and rng.random() < rate


def settle(
    old: Callable[[str, set[str]], bool], new: Callable[[str, set[str]], bool], *, others: bool = True, seed: int = 1
) -> tuple[Comparison, list[str]]:
    diary: list[str] = []
    target = a_behaviour(TARGET)
    unstable = judge(target.question, [GOOD, GOOD], [LOST, GOOD])
    assert unstable.verdict is Verdict.UNSTABLE
    phase = [(a_behaviour(id_), judge(a_behaviour(id_).question, [GOOD], [GOOD])) for id_ in OTHERS] if others else []
    sides = Side("old", old, diary), Side("new", new, diary)
    settling = Settling(*sides, seed)
    assert settling.possible(unstable)
    (made,) = asyncio.run(settling.settle([Asked(target, unstable)], [*phase, (target, unstable)]))
    assert not any([*sides[0].shared, *sides[1].shared]), "what wavers is asked anew each time, and shares nothing"
    return made, diary


def test_a_side_that_fails_now_and_then_by_itself_is_regressed() -> None:
    made, diary = settle(never, sometimes(0.3))
    assert made.verdict is Verdict.REGRESSED
    assert set(diary) == {f"old {TARGET}", f"new {TARGET}"}
    assert made.why is None


def test_sides_that_fail_alike_are_the_same() -> None:
    made, _ = settle(sometimes(0.12, seed=3), sometimes(0.12, seed=4))
    assert made.verdict is Verdict.SAME


def test_what_is_steady_alone_is_asked_beside_what_ran_when_it_failed() -> None:
    made, diary = settle(never, beside("b/993/two"))
    alone = diary.index(next(entry for entry in diary if TARGET not in entry))
    assert diary[:alone].count(f"new {TARGET}") == 20
    assert made.verdict is Verdict.REGRESSED
    assert str(made.why) == "new: fails only while b/993/two is asked at the same time"


def test_what_another_behaviour_disturbs_on_both_sides_is_no_difference_and_the_other_is_named() -> None:
    made, _ = settle(beside("b/993/two", rate=0.7), beside("b/993/two", rate=0.7))
    assert made.verdict is Verdict.SAME
    assert made.why is not None
    assert made.why.detail == "fails only while b/993/two is asked at the same time"


def test_a_single_failure_that_never_comes_back_is_no_difference() -> None:
    made, diary = settle(never, never, others=False)
    assert (made.verdict, made.why) == (Verdict.SAME, None)
    assert diary.count(f"new {TARGET}") < 60


def test_the_order_of_asking_comes_from_the_seed() -> None:
    _, first = settle(never, sometimes(0.3), seed=1)
    _, again = settle(never, sometimes(0.3), seed=1)
    _, other = settle(never, sometimes(0.3), seed=2)
    assert first == again
    assert first[:12] != other[:12]
    assert len(set(first[::2])) == 2, "neither side is always the first"


def test_asking_ends_with_its_time_and_says_how_far_it_came() -> None:
    diary: list[str] = []
    target = a_behaviour(TARGET)
    unstable = judge(target.question, [GOOD, GOOD], [LOST, GOOD])
    settling = Settling(Side("old", never, diary), Side("new", never, diary), 1, seconds=0.0)
    (made,) = asyncio.run(settling.settle([Asked(target, unstable)]))
    assert (made.verdict, diary) == (Verdict.UNSTABLE, [])


def test_the_time_of_all_behaviours_together_is_bounded() -> None:
    diary: list[str] = []
    target = a_behaviour(TARGET)
    unstable = judge(target.question, [GOOD, GOOD], [LOST, GOOD])
    settling = Settling(Side("old", never, diary), Side("new", never, diary), 1, seconds_in_all=0.0)
    (made,) = asyncio.run(settling.settle([Asked(target, unstable)]))
    assert made.verdict is Verdict.UNSTABLE


def test_a_recording_cannot_be_asked_again() -> None:
    unstable = judge(a_behaviour(TARGET).question, [GOOD, GOOD], [LOST, GOOD])
    recorded = Side("old", never, [])
    recorded.behaviours = frozenset({TARGET})
    assert not Settling(recorded, Side("new", never, []), 1).possible(unstable)


def test_dozens_of_attempts_keep_few_transcripts() -> None:
    made, _ = settle(never, sometimes(0.3))
    assert sum(bool(seen.seconds) for seen in made.new) == len(made.new)
    with_text = [replace(seen, logs=("a line",)) for seen in made.new]
    assert len(with_text) > 5


def test_a_scheduler_settles_when_the_phase_is_over_and_publishes_once() -> None:
    diary: list[str] = []
    answers = iter([True, False] * 40)
    old, new = Side("old", never, diary), Side("new", lambda id_, _: id_ == TARGET and next(answers), diary)
    asked = [a_behaviour(TARGET), *map(a_behaviour, OTHERS)]
    published: list[Comparison] = []
    settling = Settling(old, new, 1)
    asyncio.run(Scheduler(old, new, settling=settling).run(asked, published.append))
    assert len({comparison.question.id for comparison in published}) == len(published) == 4
    assert published[-1].question.id == TARGET
    assert published[-1].verdict is Verdict.REGRESSED


def test_a_run_that_is_ended_does_not_wait_for_what_was_asked_beside() -> None:
    class Hanging(Side):
        async def observe(self, behaviour: Behaviour, attempt: int, *, shared: bool = True) -> Observation | None:
            if behaviour.id != TARGET:
                await asyncio.Event().wait()
            await asyncio.sleep(0)
            return GOOD

    async def ended() -> bool:
        target = a_behaviour(TARGET)
        unstable = judge(target.question, [GOOD, GOOD], [LOST, GOOD])
        others = [(a_behaviour(id_), judge(a_behaviour(id_).question, [GOOD], [GOOD])) for id_ in OTHERS]
        settling = Settling(Hanging("old", never, []), Hanging("new", never, []), 1)
        settle = asyncio.create_task(settling.settle([Asked(target, unstable)], others))
        while len(asyncio.all_tasks()) < 4:
            await asyncio.sleep(0)
        settle.cancel()
        await asyncio.wait([settle], timeout=10)
        return settle.cancelled() and len(asyncio.all_tasks()) == 1

    assert asyncio.run(ended())


def test_the_disturber_is_the_one_that_ran_beside_failures() -> None:
    one, two = frozenset({"a", "b"}), frozenset({"b"})
    assert disturber([(True, one)] * 5 + [(False, two)] * 10) == "a"
    assert disturber([(True, one)] * 5 + [(False, one)] * 10) == ""
    assert disturber([(False, one)] * 10) == ""
