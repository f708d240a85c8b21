"""How two sides are asked: what runs together, what runs alone, and what is asked again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from pytest_mailu.behaviours.declaration import ANY_VARIANT, BASE_VARIANT, Behaviour
from pytest_mailu.core.model import (
    Comparison,
    Observation,
    Outcome,
    Question,
    Reply,
    Severity,
    Stage,
    Verdict,
)
from pytest_mailu.core.transcript import Connection, Event, Kind, Speaker
from pytest_mailu.running.closed_ports import ClosedPorts
from pytest_mailu.running.scheduler import Scheduler, phases
from pytest_mailu.wire.transport.connector import REFUSED
from tests.running.idle_side import IdleSide

GOOD = Observation(Outcome.DELIVERED, Stage.DELIVERY)
BAD = Observation(Outcome.REFUSED, Stage.RCPT)
UNTOLD = Observation(None, Stage.CONNECT, trouble="no door")


def a_behaviour(id_: str, **how: Any) -> Behaviour:
    async def ask(probe: Any) -> Observation:
        raise AssertionError("these sides answer by themselves")

    question = Question(id_, "Title", "Breaks.", "Source", Outcome.DELIVERED, Severity.MAJOR)
    return Behaviour(question, ask, **how)


class FakeSide(IdleSide):
    """Answers from a list, the last entry again and again; keeps a diary of what was asked of it."""

    def __init__(self, answers: Sequence[Observation | None] = (GOOD,), recorded: int = 0) -> None:
        self.answers = answers
        self.amount_recorded = recorded
        self.diary: list[str] = []
        self.running: set[str] = set()
        self.most = 0
        self.gate: Callable[[str], Any] | None = None

    async def open(self) -> None:
        self.diary.append("open")

    async def close(self) -> None:
        self.diary.append("close")

    def restarts(self, variant: str) -> frozenset[str]:
        return frozenset() if variant == BASE_VARIANT else frozenset({"smtp"})

    async def prepare(self, variant: str) -> None:
        assert not self.running, "nothing is asked that needs what is made anew"
        self.diary.append(f"prepare {variant}")

    def recorded_attempts(self, id: str) -> int:
        return self.amount_recorded

    async def observe(self, behaviour: Behaviour, attempt: int, *, shared: bool = True) -> Observation | None:
        self.running.add(behaviour.id)
        self.most = max(self.most, len(self.running))
        if behaviour.alone:
            assert self.running == {behaviour.id}, "something else runs beside what runs alone"
        if self.gate is not None:
            await self.gate(behaviour.id)
        await asyncio.sleep(0)
        self.running.discard(behaviour.id)
        self.diary.append(f"{behaviour.id} #{attempt}")
        return self.answers[min(attempt, len(self.answers) - 1)]


def run(old: FakeSide, new: FakeSide, behaviours: Iterable[Behaviour], **how: Any) -> dict[str, Comparison]:
    published: list[Comparison] = []
    asyncio.run(Scheduler(old, new, **how).run(behaviours, published.append))
    found = {comparison.question.id: comparison for comparison in published}
    assert len(found) == len(published), "each comparison is published once"
    return found


def compare(old: Sequence[Observation | None], new: Sequence[Observation | None], **how: Any) -> Comparison:
    return run(FakeSide(old), FakeSide(new), [a_behaviour("a/1/x")], **how)["a/1/x"]


# Confirmation


def test_where_both_sides_agree_each_is_asked_once() -> None:
    made = compare([GOOD], [GOOD])
    assert (made.verdict, len(made.old), len(made.new)) == (Verdict.SAME, 1, 1)


def test_a_difference_is_confirmed_by_asking_both_sides_again() -> None:
    made = compare([GOOD], [BAD])
    assert (made.verdict, made.old, made.new) == (Verdict.REGRESSED, (GOOD, GOOD), (BAD, BAD))


def test_a_difference_that_is_not_confirmed_is_unstable() -> None:
    assert compare([GOOD], [BAD, GOOD]).verdict is Verdict.UNSTABLE


def test_noise_found_by_asking_again_is_no_difference() -> None:
    def at(time: int) -> Observation:
        return Observation(Outcome.DELIVERED, Stage.DELIVERY, facts={"at": time})

    assert compare([at(1), at(2)], [at(3), at(4)]).verdict is Verdict.SAME


def test_what_is_broken_alike_on_both_sides_is_not_asked_again() -> None:
    made = compare([BAD], [BAD])
    assert (made.verdict, len(made.new)) == (Verdict.BROKEN, 1)


def test_a_question_that_could_not_be_put_is_put_once_more() -> None:
    made = compare([GOOD], [UNTOLD, GOOD])
    assert (made.verdict, made.new) == (Verdict.SAME, (UNTOLD, GOOD))


def test_trouble_that_lasts_ends_inconclusive() -> None:
    made = compare([GOOD], [UNTOLD])
    assert (made.verdict, made.new) == (Verdict.INCONCLUSIVE, (UNTOLD, UNTOLD))


def test_an_attempt_that_failed_confirms_nothing() -> None:
    made = compare([GOOD], [UNTOLD, BAD])
    assert (made.verdict, made.new) == (Verdict.REGRESSED, (UNTOLD, BAD, BAD))
    assert compare([GOOD], [UNTOLD, BAD, GOOD]).verdict is Verdict.UNSTABLE


def test_repeat_is_the_least_number_of_attempts() -> None:
    made = compare([GOOD], [GOOD], repeat=3)
    assert (len(made.old), len(made.new)) == (3, 3)
    assert compare([GOOD], [GOOD, GOOD, BAD], repeat=3).verdict is Verdict.UNSTABLE


# Recordings


def test_every_attempt_that_a_recording_holds_counts() -> None:
    old, new = FakeSide([GOOD, GOOD, BAD, None], recorded=3), FakeSide([GOOD])
    made = run(old, new, [a_behaviour("a/1/x")])["a/1/x"]
    assert (made.verdict, made.old) == (Verdict.UNSTABLE, (GOOD, GOOD, BAD))
    assert made.new == (GOOD, GOOD, GOOD)


def test_two_recordings_are_not_asked_for_more_than_they_hold() -> None:
    made = run(FakeSide([GOOD, None], recorded=1), FakeSide([BAD, None], recorded=1), [a_behaviour("a/1/x")])["a/1/x"]
    assert (made.verdict, made.old, made.new) == (Verdict.REGRESSED, (GOOD,), (BAD,))


def test_a_stack_confirms_what_a_recording_cannot() -> None:
    made = run(FakeSide([GOOD, None], recorded=1), FakeSide([BAD]), [a_behaviour("a/1/x")])["a/1/x"]
    assert (made.old, made.new) == ((GOOD,), (BAD, BAD))


def test_what_neither_side_has_is_inconclusive_and_asking_ends() -> None:
    made = run(FakeSide([None]), FakeSide([None]), [a_behaviour("a/1/x")], repeat=5)["a/1/x"]
    assert (made.verdict, made.old, made.new) == (Verdict.INCONCLUSIVE, (), ())


def test_a_behaviour_newer_than_a_recording_says_so() -> None:
    old, new = FakeSide([None]), FakeSide([GOOD])
    old.behaviours = frozenset({"b/1/x"})
    made = run(old, new, [a_behaviour("a/1/x")])["a/1/x"]
    assert made.verdict is Verdict.INCONCLUSIVE
    assert str(made.why) == "old: the behaviour is newer than this recording"
    old.behaviours = frozenset({"a/1/x"})
    assert str(run(old, new, [a_behaviour("a/1/x")])["a/1/x"].why) == "old: not recorded"


# Order and company


def test_phases_are_sorted_by_cost_and_last_comes_last() -> None:
    asked = [
        a_behaviour("z/1/last", last=True),
        a_behaviour("y/1/relay", variant="relay"),
        a_behaviour("x/1/alone", alone=True),
        a_behaviour("w/1/base"),
        a_behaviour("v/1/relay-alone", variant="relay", alone=True),
        a_behaviour("u/1/base"),
    ]
    assert [[made.id for made in phase] for phase in phases(asked)] == [
        ["w/1/base", "u/1/base"],
        ["x/1/alone"],
        ["y/1/relay"],
        ["v/1/relay-alone"],
        ["z/1/last"],
    ]


def test_variants_are_prepared_in_order_while_nothing_is_asked() -> None:
    asked = [
        a_behaviour("a/1/relay", variant="relay"),
        a_behaviour("a/1/base"),
        a_behaviour("a/1/tokens", variant="tokens"),
    ]
    old, new = FakeSide(), FakeSide()
    run(old, new, asked)
    expected = [
        *(f"prepare {BASE_VARIANT}", "a/1/base #0"),
        *("prepare relay", "a/1/relay #0"),
        *("prepare tokens", "a/1/tokens #0"),
    ]
    assert old.diary == new.diary == expected


def test_what_needs_no_settings_of_its_own_costs_no_restart() -> None:
    asked = [
        a_behaviour("a/1/any", variant=ANY_VARIANT, last=True),
        a_behaviour("a/1/relay", variant="relay"),
    ]
    old, new = FakeSide(), FakeSide()
    run(old, new, asked)
    assert old.diary == new.diary == ["prepare relay", "a/1/relay #0", "a/1/any #0"]


class Restarting(FakeSide):
    """Its restarts for a variant end when `enough` behaviours were asked meanwhile."""

    def __init__(self, enough: int) -> None:
        super().__init__()
        self._enough = enough
        self.restarting = False

    async def prepare(self, variant: str) -> None:
        if variant == BASE_VARIANT:
            return
        self.restarting = True
        self.diary.append(f"restarting for {variant}")
        asked = len(self.diary)
        async with asyncio.timeout(5):
            while len(self.diary) - asked < self._enough:
                await asyncio.sleep(0)
        self.diary.append("ready")
        self.restarting = False

    async def observe(self, behaviour: Behaviour, attempt: int, *, shared: bool = True) -> Observation | None:
        assert not (self.restarting and "smtp" in behaviour.needs), "it needs what is being made anew"
        return await super().observe(behaviour, attempt, shared=shared)


def test_a_restart_goes_on_beside_what_does_not_need_it() -> None:
    asked = [a_behaviour(f"b/{number}/reads", needs=frozenset({"imap"})) for number in range(4)]
    asked += [a_behaviour("a/1/whole"), a_behaviour("a/1/relay", variant="relay")]
    old, new = Restarting(4), Restarting(4)
    assert len(run(old, new, asked, concurrency=1)) == 6
    for side in (old, new):
        assert side.diary[0] == "a/1/whole #0", "what needs smtp as it is comes first"
        assert side.diary[1] == "restarting for relay"
        assert side.diary[-2:] == ["ready", "a/1/relay #0"]


def test_what_disturbs_something_runs_beside_what_does_not_need_that() -> None:
    """With one slot: what disturbs something needs none, and is not kept waiting by those that fill."""
    together: list[set[str]] = []

    class Watching(FakeSide):
        async def observe(self, behaviour: Behaviour, attempt: int, *, shared: bool = True) -> Observation | None:
            seen = await super().observe(behaviour, attempt, shared=shared)
            together.append({behaviour.id, *self.running})
            return seen

    stops = a_behaviour("a/1/stops-imap", needs=frozenset({"smtp"}), disturbs=frozenset({"imap"}))
    readers = [a_behaviour(f"b/{number}/reads", needs=frozenset({"imap"})) for number in range(3)]
    sites = [a_behaviour(f"c/{number}/site", needs=frozenset({"admin"})) for number in range(3)]
    run(Watching(), Watching(), [*readers, *sites, stops], concurrency=1)
    assert any("a/1/stops-imap" in ids and len(ids) > 1 for ids in together)
    assert not any("a/1/stops-imap" in ids and any("reads" in id_ for id_ in ids) for ids in together)


def test_who_waits_for_a_look_at_a_port_keeps_no_slot() -> None:
    port = Connection("front", 587, "stranger")
    closed = Observation(
        Outcome.UNREACHABLE,
        Stage.CONNECT,
        Reply(text=REFUSED),
        transcript=(Event(Speaker.PROBE, Kind.CONNECT, "", detail=port), Event(Speaker.PROBE, Kind.END, "")),
    )

    class Closed(FakeSide):
        async def observe(self, behaviour: Behaviour, attempt: int, *, shared: bool = True) -> Observation | None:
            seen = await super().observe(behaviour, attempt, shared=shared)
            return closed if "587" in behaviour.id else seen

    old, new = FakeSide(), Closed()
    asked = [a_behaviour("a/587/x"), *(a_behaviour(f"b/{number}/x") for number in range(5))]
    found = run(old, new, asked, concurrency=1, ports=ClosedPorts(0.05, 0.05))
    assert found["a/587/x"].verdict is Verdict.REGRESSED
    assert new.diary[-1] == "port/587 #0", "the others were asked while it waited"
    assert old.diary.count("a/587/x #0") == 1
    assert "a/587/x #1" not in old.diary


def test_what_is_alone_runs_alone() -> None:
    asked = [a_behaviour(f"a/{number}/alone", alone=True) for number in range(5)]
    asked += [a_behaviour(f"b/{number}/free") for number in range(5)]
    old, new = FakeSide(), FakeSide([BAD])
    assert len(run(old, new, asked)) == 10


@pytest.mark.parametrize("bound", [1, 3])
def test_no_more_are_asked_at_a_time_than_allowed_and_no_fewer_than_possible(bound: int) -> None:
    old, new = FakeSide(), FakeSide()
    run(old, new, [a_behaviour(f"a/{number}/x") for number in range(10)], concurrency=bound)
    assert old.most == new.most == bound


def test_failed_logins_take_nobody_elses_place() -> None:
    """A server keeps them waiting; with one place for all, these would wait for one another for ever."""
    asked = asyncio.Event()

    async def gate(id_: str) -> None:
        await (asked.wait() if id_ == "access/1/wrong" else asyncio.sleep(0))
        if id_ == "access/1/right":
            asked.set()

    old, new = FakeSide(), FakeSide()
    old.gate = gate
    waiting = a_behaviour("access/1/wrong")
    waiting = replace(waiting, question=replace(waiting.question, wanted=Outcome.AUTH_FAILED))
    made = run(old, new, [waiting, a_behaviour("access/1/right")], concurrency=1)
    assert list(made) == ["access/1/right", "access/1/wrong"]


def test_one_that_is_slow_keeps_nobody_else_waiting() -> None:
    old, new = FakeSide(), FakeSide()
    others_done = asyncio.Event()
    published: list[str] = []

    async def gate(id_: str) -> None:
        if id_ == "a/1/slow":
            await others_done.wait()

    def publish(comparison: Comparison) -> None:
        published.append(comparison.question.id)
        if len(published) == 3:
            others_done.set()

    old.gate = gate
    asked = [a_behaviour("a/1/slow"), *(a_behaviour(f"a/{number}/fast") for number in range(3))]
    asyncio.run(Scheduler(old, new, concurrency=2).run(asked, publish))
    assert published[-1] == "a/1/slow"


def test_both_sides_are_asked_at_the_same_time() -> None:
    old, new = FakeSide(), FakeSide()
    met = asyncio.Barrier(2)

    async def gate(_: str) -> None:
        await met.wait()

    old.gate = new.gate = gate
    assert run(old, new, [a_behaviour("a/1/x")])["a/1/x"].verdict is Verdict.SAME
