"""Whatever happens while a behaviour is asked becomes an observation."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from pytest_mailu.behaviours.declaration import Behaviour
from pytest_mailu.core.errors import StackError
from pytest_mailu.core.model import Observation, Outcome, Question, Reply, Severity, Stage, Verdict
from pytest_mailu.core.releases import Release
from pytest_mailu.judging.judge import judge
from pytest_mailu.sides.observe import observe
from pytest_mailu.sides.side_stack import SideStack
from pytest_mailu.stack.docker.networks import choose_layout
from pytest_mailu.wire.transport.errors import HUNG_UP, CannotAsk, NotServed

GOOD = Observation(Outcome.DELIVERED, Stage.DELIVERY)
REFUSED = Observation(Outcome.REFUSED, Stage.RCPT, Reply("554", "5.7.1", "no"))


class FakeStack:
    """As much of a stack as is looked at afterwards."""

    def __init__(
        self,
        *,
        interference: str = "",
        full: StackError | None = None,
        death: StackError | None = None,
        events_lost: bool = False,
    ) -> None:
        self._interference = interference
        self._full = full
        self._death = death
        self.events_lost = events_lost
        self.layout = choose_layout([])

    async def external_interference(self) -> str:
        return self._interference

    async def no_room(self) -> StackError | None:
        return self._full

    async def check_alive(self) -> None:
        if self._death is not None:
            raise self._death


def side(**stack: Any) -> SideStack:
    made = SideStack(Release("2.0", 43))
    made.stack = FakeStack(**stack)  # type: ignore[assignment]
    return made


def asking(answer: Callable[[Any], Awaitable[Observation]], timeout: float = 30.0) -> Behaviour:
    question = Question("a/25/x", "Title", "Breaks.", "Source", Outcome.DELIVERED, Severity.MAJOR)
    return Behaviour(question, answer, timeout=timeout)


def returning(seen: Observation) -> Behaviour:
    async def answer(_: Any) -> Observation:
        return seen

    return asking(answer)


def raising(error: Exception) -> Behaviour:
    async def answer(_: Any) -> Observation:
        raise error

    return asking(answer)


def seen(behaviour: Behaviour, stack: SideStack) -> Observation:
    return asyncio.run(observe(behaviour, stack))


def test_what_a_behaviour_returns_is_the_observation_with_its_time() -> None:
    made = seen(returning(GOOD), side())
    assert (made.outcome, made.stage) == (GOOD.outcome, GOOD.stage)
    assert made.started > 0


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (CannotAsk("no way in"), "no way in"),
        (StackError("smtp is gone", "look at its log"), "smtp is gone"),
        (ZeroDivisionError("oh"), "the behaviour itself failed: ZeroDivisionError('oh')"),
    ],
)
def test_what_keeps_a_behaviour_from_being_asked_is_no_outcome(error: Exception, trouble: str) -> None:
    made = seen(raising(error), side())
    assert (made.outcome, made.trouble) == (None, trouble)


def test_a_behaviour_that_takes_too_long_was_not_asked() -> None:
    async def for_ever(_: Any) -> Observation:
        await asyncio.Event().wait()
        return GOOD

    made = seen(asking(for_ever, timeout=0.01), side())
    assert (made.outcome, made.trouble) == (None, "not done within 0.01 s")


@pytest.mark.parametrize(
    ("stack", "trouble"),
    [
        ({"interference": "imap was restarted"}, "the stack was disturbed: imap was restarted"),
        ({"full": StackError("the disk is full", "free some space")}, "the disk is full"),
        ({"death": StackError("smtp exited with status 1", "see its log")}, "smtp exited with status 1"),
    ],
)
def test_a_failure_while_the_stack_was_disturbed_is_no_outcome(stack: dict[str, Any], trouble: str) -> None:
    made = seen(returning(REFUSED), side(**stack))
    assert (made.outcome, made.trouble) == (None, trouble)


def test_a_server_that_hangs_up_is_observed_unless_the_stack_was_disturbed() -> None:
    closed = raising(NotServed(Outcome.UNANSWERED, Stage.AUTH, HUNG_UP))
    made = seen(closed, side())
    assert (made.outcome, made.stage, made.reply) == (Outcome.UNANSWERED, Stage.AUTH, HUNG_UP)
    compared = judge(closed.question, [GOOD], [made])
    assert compared.verdict is Verdict.REGRESSED


@pytest.mark.parametrize("outcome", [Outcome.UNREACHABLE, Outcome.UNANSWERED, Outcome.DEFERRED])
@pytest.mark.parametrize("wanted", [None, Outcome.REFUSED])
def test_what_looks_as_if_a_service_is_gone_counts_only_where_nobody_disturbed_the_stack(
    outcome: Outcome, wanted: Outcome | None
) -> None:
    behaviour = returning(Observation(outcome, Stage.CONNECT))
    behaviour = replace(behaviour, question=replace(behaviour.question, wanted=wanted))
    assert seen(behaviour, side()).outcome is outcome
    assert seen(behaviour, side(interference="imap was restarted")).outcome is None


def test_where_a_service_ended_its_last_log_lines_are_kept() -> None:
    lines = tuple(f"line {number}" for number in range(9))
    death = StackError("smtp exited with status 1", "see its log", lines)
    assert seen(returning(REFUSED), side(death=death)).logs == lines[-5:]
    assert seen(raising(death), side()).logs == lines[-5:]
    failed = side()
    failed.failure = death
    assert seen(raising(CannotAsk("smtp exited")), failed).logs == lines[-5:]


def test_a_success_stands_unless_disturbances_would_go_unnoticed() -> None:
    assert seen(returning(GOOD), side(interference="imap was restarted")).outcome is Outcome.DELIVERED
    assert seen(returning(GOOD), side(interference="imap was restarted", events_lost=True)).outcome is None


def test_what_a_behaviour_says_of_the_settings_stands_even_where_a_service_ended() -> None:
    told = Observation(Outcome.REFUSED, Stage.SETTINGS)
    assert seen(returning(told), side(death=StackError("smtp exited", "see its log"))).outcome is Outcome.REFUSED


def test_behaviours_of_one_circle_share_and_the_time_of_it_counts_for_each() -> None:
    asked: list[int] = []

    async def look(_: Any) -> int:
        await asyncio.sleep(0.05)
        asked.append(1)
        return len(asked)

    async def answer(probe: Any) -> Observation:
        return replace(GOOD, facts={"number": await probe.shared("key", look)})

    async def several() -> list[Observation]:
        stack = side()
        return [await observe(asking(answer), stack, circle) for circle in ("first", "first", "second", None)]

    made = asyncio.run(several())
    assert [each.facts["number"] for each in made] == [1, 1, 2, 3]
    assert all(each.seconds >= 0.04 for each in made), "who comes later is not faster for that"


def test_it_is_known_what_a_behaviour_shared_with_others() -> None:
    async def inner(_: Any) -> int:
        return 1

    async def outer(probe: Any) -> int:
        return int(await probe.shared("session", inner))

    async def answer(probe: Any) -> Observation:
        await probe.shared("page", outer)
        return GOOD

    async def looks(circle: Any) -> set[Any]:
        stack = side()
        await observe(asking(answer), stack, circle)
        return stack.looks["a/25/x"]

    assert asyncio.run(looks("first")) == {"page", "session"}
    assert asyncio.run(looks(None)) == set()


def test_a_stack_that_did_not_start_answers_with_the_reason() -> None:
    async def connecting(probe: Any) -> Observation:
        assert probe.stack.connector
        return GOOD

    failed = SideStack(Release("2.0", 43))
    assert seen(asking(connecting), failed).trouble == "the stack is not running"
    failed.failure = StackError("smtp exited", "see its log", ("last line",), service="smtp", own_doing=True)
    assert seen(asking(connecting), failed).trouble == "smtp exited"
    assert asyncio.run(failed.exit_of("smtp")) is failed.failure
