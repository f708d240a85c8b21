"""On a machine that is too busy, what runs into a deadline is asked again when the machine is calm, alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pytest_mailu.behaviours.declaration import Behaviour
from pytest_mailu.core.endpoints import Tls
from pytest_mailu.core.model import (
    Comparison,
    Decision,
    Observation,
    Outcome,
    Question,
    Reply,
    Severity,
    Stage,
    Vantage,
    Verdict,
)
from pytest_mailu.core.releases import Release
from pytest_mailu.judging.decision import decide
from pytest_mailu.judging.findings import findings
from pytest_mailu.judging.judge import judge
from pytest_mailu.judging.starvation import SURE, TOO_BUSY
from pytest_mailu.running.comparing import Comparing
from pytest_mailu.running.processor_watch import ProcessorWatch
from pytest_mailu.running.scheduler import FEW, Scheduler
from pytest_mailu.running.settling import Settling
from pytest_mailu.running.when_calm import PATIENCE, WhenCalm
from pytest_mailu.sides.observe import observe
from pytest_mailu.sides.side_stack import SideStack
from pytest_mailu.wire.imap.session import ImapSession
from pytest_mailu.wire.transport.connector import Connector
from tests.running.idle_side import IdleSide
from tests.wire.direct import LocalConnector
from tests.wire.peer import expect, peer, say, silence

GOOD = Observation(Outcome.ACCEPTED, Stage.COMMAND, seconds=1.0)
HUNG = Observation(Outcome.UNANSWERED, Stage.COMMAND, seconds=30.0)
NOT_DONE = Observation(None, Stage.CONNECT, trouble="not done within 75 s", seconds=75.0)
REFUSED = Observation(Outcome.REFUSED, Stage.COMMAND, Reply("554"), seconds=20.0)


class Machine(ProcessorWatch):
    """Busy until the run waits for it to become calm, which it does or not. Time is the number of the answer."""

    def __init__(self, *, busy: bool = True, becomes_calm: bool = True) -> None:
        super().__init__()
        self.time = 0.0
        self.waited = 0
        self._busy_until = float("inf") if busy else -1.0
        self._becomes_calm = becomes_calm

    def share(self, begin: float, end: float) -> float:
        return 0.05 if begin <= self._busy_until else 0.8

    async def calm(self, seconds: float) -> bool:
        self.waited += 1
        if self._becomes_calm:
            self._busy_until = min(self._busy_until, self.time)
        return self.time >= self._busy_until


class Side(IdleSide):
    """Answers by a rule of how often it was asked, and whether for long."""

    def __init__(self, machine: Machine, answer: Callable[[int], Observation]) -> None:
        self._machine = machine
        self._answer = answer
        self.asked: list[tuple[str, float, bool]] = []
        self.running = 0

    async def observe(self, behaviour: Behaviour, attempt: int, *, shared: bool = True) -> Observation | None:
        if self._machine.waited:
            assert not self.running, "on the calm machine it is asked alone"
        self.running += 1
        await asyncio.sleep(0)
        self.running -= 1
        self.asked.append((behaviour.id, behaviour.timeout, shared))
        self._machine.time += 1
        number = sum(id_ == behaviour.id for id_, *_ in self.asked) - 1
        return replace(self._answer(number), started=self._machine.time)


def a_behaviour(id_: str = "a/993/x", ask: Any = None) -> Behaviour:
    return Behaviour(Question(id_, "Title", "Breaks.", "Source", Outcome.ACCEPTED, Severity.MAJOR), ask)


def good(_: int) -> Observation:
    return GOOD


def hangs(_: int) -> Observation:
    return HUNG


def at_first(seen: Observation, times: int = 2) -> Callable[[int], Observation]:
    return lambda number: seen if number < times else GOOD


def run(machine: Machine, old: Side, new: Side, *ids: str) -> dict[str, Comparison]:
    published: list[Comparison] = []
    settling = Settling(old, new, 1, watch=machine)
    scheduler = Scheduler(old, new, settling=settling, watch=machine)
    asyncio.run(scheduler.run([a_behaviour(id_) for id_ in ids or ("a/993/x",)], published.append))
    found = {comparison.question.id: comparison for comparison in published}
    assert len(found) == len(published) == (len(ids) or 1)
    return found


def compared(machine: Machine, old: Callable[[int], Observation], new: Callable[[int], Observation]) -> Comparison:
    return run(machine, Side(machine, old), Side(machine, new))["a/993/x"]


def decision(comparison: Comparison) -> Decision:
    return decide(findings([comparison]), [comparison])


@pytest.mark.parametrize("seen", [HUNG, NOT_DONE])
def test_what_only_a_busy_machine_keeps_from_its_deadline_is_the_same(seen: Observation) -> None:
    made = compared(Machine(), good, at_first(seen))
    assert (made.verdict, decision(made)) == (Verdict.SAME, Decision.GO)
    assert sum(attempt.outcome is not None for attempt in made.new) == SURE


def test_a_release_that_hangs_is_regressed_also_where_the_machine_was_busy_at_first() -> None:
    made = compared(Machine(), good, hangs)
    assert (made.verdict, decision(made)) == (Verdict.REGRESSED, Decision.NO_GO)
    assert [attempt.outcome for attempt in made.new] == [None, None, Outcome.UNANSWERED, Outcome.UNANSWERED]


def test_a_release_that_hangs_on_a_calm_machine_is_regressed_as_ever() -> None:
    machine = Machine(busy=False)
    made = compared(machine, good, hangs)
    assert (made.verdict, len(made.new), machine.waited) == (Verdict.REGRESSED, 3, 0)


def test_a_machine_that_stays_too_busy_cannot_tell_and_says_why() -> None:
    made = compared(Machine(becomes_calm=False), good, hangs)
    assert (made.verdict, decision(made)) == (Verdict.INCONCLUSIVE, Decision.CANNOT_TELL)
    assert str(made.why) == f"new: {TOO_BUSY}"


def test_one_good_answer_after_a_time_out_is_no_go() -> None:
    """The second attempt was answered on the busy machine: new may hang now and then."""
    made = compared(Machine(becomes_calm=False), good, at_first(HUNG, 1))
    assert (made.verdict, decision(made)) == (Verdict.INCONCLUSIVE, Decision.CANNOT_TELL)
    assert compared(Machine(), good, at_first(HUNG, 1)).verdict is Verdict.SAME


def test_a_release_that_hangs_now_and_then_is_found_on_the_calm_machine() -> None:
    made = compared(Machine(), good, lambda number: HUNG if number % 3 == 0 else GOOD)
    assert (made.verdict, decision(made)) == (Verdict.REGRESSED, Decision.NO_GO)


def test_a_refusal_is_regressed_however_busy_the_machine_is() -> None:
    machine = Machine(becomes_calm=False)
    made = compared(machine, good, lambda _: REFUSED)
    assert (made.verdict, len(made.new), machine.waited) == (Verdict.REGRESSED, 2, 0)


def test_what_is_slower_than_our_deadline_on_a_calm_machine_does_not_pass_by_the_longer_one() -> None:
    slow = replace(GOOD, seconds=100.0)
    made = compared(Machine(), good, lambda number: NOT_DONE if number < 2 else slow)
    assert (made.verdict, str(made.why)) == (Verdict.INCONCLUSIVE, "new: not done within 75 s")


def test_it_is_asked_alone_for_itself_and_with_more_patience_when_all_others_are_done() -> None:
    machine = Machine()
    old, new = Side(machine, good), Side(machine, lambda number: HUNG if number < 2 else GOOD)
    found = run(machine, old, new, "a/993/x", "b/993/x", "c/993/x")
    assert {made.verdict for made in found.values()} == {Verdict.SAME}
    again = new.asked[6:]
    assert [id_ for id_, *_ in again] == [id_ for id_ in ("a/993/x", "b/993/x", "c/993/x") for _ in range(SURE)]
    assert {(timeout, shared) for _, timeout, shared in again} == {(75.0 * PATIENCE, False)}
    assert {(timeout, shared) for _, timeout, shared in new.asked[:6]} == {(75.0, True)}


def test_what_timed_out_on_old_as_well_is_asked_once_more() -> None:
    made = compared(Machine(), at_first(NOT_DONE), good)
    assert (made.verdict, len(made.new)) == (Verdict.SAME, 3)
    made = compared(Machine(), at_first(HUNG), at_first(HUNG))
    assert (made.verdict, len(made.new)) == (Verdict.SAME, 3)
    made = compared(Machine(), hangs, hangs)
    assert (made.verdict, len(made.new)) == (Verdict.BROKEN, 3)


def test_the_time_of_all_behaviours_together_is_bounded() -> None:
    machine = Machine()
    side = Side(machine, good)
    question = a_behaviour().question
    open_ = judge(question, [GOOD], [replace(NOT_DONE, trouble=TOO_BUSY)])
    same = judge(question, [GOOD, GOOD], [replace(NOT_DONE, trouble=TOO_BUSY), GOOD])
    when_calm = WhenCalm(Comparing(side, side, watch=machine), machine, seconds_in_all=0.0)
    for comparison in (open_, same):
        made = asyncio.run(when_calm.ask(a_behaviour(), comparison))
        assert (made.verdict, str(made.why)) == (Verdict.INCONCLUSIVE, f"new: {TOO_BUSY}")
    assert not side.asked


# With servers


class PeerSide(Side):
    """A side that is a server on this machine. Half a second there stands for thirty seconds."""

    def __init__(self, machine: Machine, ports: Callable[[int], int]) -> None:
        super().__init__(machine, good)
        self._ports = ports

    async def observe(self, behaviour: Behaviour, attempt: int, *, shared: bool = True) -> Observation | None:
        stack = _LocalStack(LocalConnector({143: self._ports(len(self.asked))}))
        seen = await observe(behaviour, stack)
        self.asked.append((behaviour.id, behaviour.timeout, shared))
        self._machine.time += 1
        return replace(seen, started=self._machine.time, seconds=seen.seconds * 60, transcript=())


class _LocalStack(SideStack):
    def __init__(self, connector: Connector) -> None:
        super().__init__(Release("2.0", 43))
        self._connector = connector

    @property
    def connector(self) -> Any:
        return self._connector


async def a_command(probe: Any) -> Observation:
    how = {"port": 143, "tls": Tls.NONE, "vantage": Vantage.STRANGER, "transcript": probe.transcript, "timeout": 0.5}
    async with ImapSession.open(probe.connector, "front", **how) as session:
        await session.noop()
    return Observation(Outcome.ACCEPTED, Stage.COMMAND)


@pytest.mark.parametrize(
    ("hanging", "machine", "first", "verdict"),
    [
        (range(2), Machine(), None, Verdict.SAME),
        (range(99), Machine(), None, Verdict.REGRESSED),
        (range(99), Machine(busy=False), Outcome.UNANSWERED, Verdict.REGRESSED),
        (range(99), Machine(becomes_calm=False), None, Verdict.INCONCLUSIVE),
    ],
)
def test_servers_that_hang_or_are_kept_from_answering(
    hanging: range, machine: Machine, first: Outcome | None, verdict: Verdict
) -> None:
    greeting = say("* OK [CAPABILITY IMAP4rev1] ready")
    answers = (greeting, expect("NOOP"), say("a1 OK done"), silence)

    async def ask() -> Comparison:
        async with peer(*answers) as well, peer(greeting, silence) as badly:
            old = PeerSide(machine, lambda _: well.port)
            new = PeerSide(machine, lambda number: badly.port if number in hanging else well.port)
            published: list[Comparison] = []
            settling = Settling(old, new, 1, watch=machine)
            await Scheduler(old, new, settling=settling, watch=machine).run(
                [a_behaviour(ask=a_command)], published.append
            )
        return published[0]

    made = asyncio.run(ask())
    assert made.verdict is verdict
    assert made.new[0].outcome is first


def hangs_at_first(side: str, times: int) -> Comparison:
    """One side hangs so many times, and the other never, on a machine that is calm."""
    rules = {side: at_first(HUNG, times)}
    return compared(Machine(busy=False), rules.get("old", good), rules.get("new", good))


@pytest.mark.parametrize("side", ["old", "new"])
def test_what_hung_twice_in_a_row_and_never_again_is_no_difference(side: str) -> None:
    """2.0.43 against itself told of a gain: one DELETE of Dovecot hung, and the next session waited for its lock."""
    assert hangs_at_first(side, 2).verdict is Verdict.SAME


@pytest.mark.parametrize(("side", "verdict"), [("old", Verdict.GAINED), ("new", Verdict.REGRESSED)])
def test_what_hangs_a_third_time_is_told(side: str, verdict: Verdict) -> None:
    found = hangs_at_first(side, 1000)
    assert (found.verdict, len(found.old), len(found.new)) == (verdict, 3, 3)


@pytest.mark.parametrize(("number", "attempts"), [(FEW, 3), (FEW + 1, 2)])
def test_of_many_that_hang_none_is_asked_once_more(number: int, attempts: int) -> None:
    machine = Machine(busy=False)
    ids = [f"a/993/{each}" for each in range(number)]
    found = run(machine, Side(machine, good), Side(machine, hangs), *ids)
    assert {(each.verdict, len(each.new)) for each in found.values()} == {(Verdict.REGRESSED, attempts)}
