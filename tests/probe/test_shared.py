"""What several behaviours need is done once: races, failures, those who give up, deadlines, and what each gets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Hashable
from typing import Any

import pytest

from pytest_mailu.core.model import Outcome, Reply, Stage
from pytest_mailu.core.transcript import Kind
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.shared import shared
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed
from tests.behaviours.local_stack import LocalStack


def probes(*circles: Hashable) -> list[Probe]:
    """Probes of one stack, one for each circle that is named."""
    stack: Any = LocalStack({})
    return [Probe(stack, time.time(), circle) for circle in circles]


def said(probe: Probe) -> list[str]:
    return [event.text for event in probe.transcript.events]


def test_all_of_one_circle_share_one_answer_and_what_was_said() -> None:
    asked: list[str] = []

    async def ask(probe: Probe) -> str:
        probe.transcript.note("asking")
        asked.append(probe.unique_word())
        await asyncio.sleep(0)
        return f"user-{asked[-1]}"

    async def several() -> None:
        together = probes("first", "first", "first")
        first, second = await asyncio.gather(*(probe.shared("users", ask) for probe in together[:2]))
        third = await together[2].shared("users", ask)
        assert first == second == third
        for probe in together:
            assert said(probe) == ["asking"]
            assert probe.with_common_names(first) == "user-<token>"

    asyncio.run(several())
    assert len(asked) == 1


def test_who_asks_twice_has_it_said_once() -> None:
    async def ask(probe: Probe) -> None:
        probe.transcript.note("asking")

    async def twice() -> None:
        (probe,) = probes("first")
        await probe.shared("key", ask)
        await probe.shared("key", ask)
        assert said(probe) == ["asking"]

    asyncio.run(twice())


@pytest.mark.parametrize("circles", [("first", "second"), (None, None)])
def test_another_attempt_is_done_anew_and_without_a_circle_nothing_is_shared(circles: tuple[Hashable, ...]) -> None:
    asked: list[int] = []

    async def ask(_: Probe) -> int:
        asked.append(len(asked))
        return asked[-1]

    async def both() -> list[int]:
        return [await probe.shared("key", ask) for probe in probes(*circles)]

    assert asyncio.run(both()) == [0, 1]


def test_a_declaration_shares_calls_with_equal_arguments() -> None:
    asked: list[tuple[str, int]] = []

    @shared
    async def look(probe: Probe, what: str, *, number: int = 0) -> str:
        """What it is for."""
        asked.append((what, number))
        return f"{what} {number}"

    async def several() -> list[str]:
        one, other = probes("first", "first")
        return [await look(one, "a"), await look(other, "a"), await look(other, "a", number=1), await look(one, "b")]

    assert asyncio.run(several()) == ["a 0", "a 0", "a 1", "b 0"]
    assert asked == [("a", 0), ("a", 1), ("b", 0)]
    assert (look.__name__, look.__doc__) == ("look", "What it is for.")


@pytest.mark.parametrize(
    "end", [NotServed(Outcome.REFUSED, Stage.AUTH, Reply("403", "", "no")), CannotAsk("no such place"), KeyError("bug")]
)
def test_what_kept_it_from_an_answer_is_raised_to_all_of_them(end: Exception) -> None:
    asked: list[int] = []

    async def ask(probe: Probe) -> None:
        asked.append(1)
        probe.transcript.note("asking")
        await asyncio.sleep(0)
        raise end

    async def both() -> None:
        together = probes("first", "first", "first")
        ends = await asyncio.gather(*(probe.shared("key", ask) for probe in together), return_exceptions=True)
        assert ends == [end] * 3
        assert [said(probe) for probe in together] == [["asking"]] * 3

    asyncio.run(both())
    assert asked == [1]


def test_one_who_gives_up_takes_it_from_no_one_else() -> None:
    asked: list[int] = []

    async def several() -> None:
        impatient, patient = probes("first", "first")
        go_on = asyncio.Event()

        async def ask(probe: Probe) -> str:
            asked.append(1)
            probe.transcript.note("begun")
            await go_on.wait()
            return "answer"

        waiting = asyncio.create_task(patient.shared("key", ask))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await impatient.shared("key", ask)
        assert said(impatient) == ["begun"], "what was said until then is told"
        go_on.set()
        assert await waiting == "answer"

    asyncio.run(several())
    assert asked == [1]


def test_it_ends_with_the_last_one_who_waits_and_is_done_anew_for_the_next() -> None:
    ended: list[str] = []

    async def several() -> None:
        impatient, later = probes("first", "first")

        async def for_ever(_: Probe) -> str:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("cleaned up")
            return "never"

        async def ask(_: Probe) -> str:
            return "answer"

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await impatient.shared("key", for_ever)
        assert ended == ["cleaned up"], "nothing goes on behind the back of a run that ends"
        assert await later.shared("key", ask) == "answer"

    asyncio.run(several())


def test_a_deadline_of_its_own_ends_it_for_all() -> None:
    async def for_ever(_: Probe) -> None:
        await asyncio.Event().wait()

    async def both() -> None:
        together = probes("first", "first")
        ends = await asyncio.gather(
            *(probe.shared("key", for_ever, seconds=0.01) for probe in together), return_exceptions=True
        )
        assert [str(end) for end in ends] == ["what several behaviours share was not done within 0.01 s"] * 2
        assert all(isinstance(end, CannotAsk) for end in ends)

    asyncio.run(both())


def test_what_is_shared_may_rest_on_what_is_shared() -> None:
    asked: list[str] = []

    @shared
    async def inner(probe: Probe) -> str:
        asked.append("inner")
        probe.transcript.note("inner")
        return probe.unique_word()

    @shared
    async def outer(probe: Probe) -> str:
        asked.append("outer")
        word = await inner(probe)
        probe.transcript.note("outer")
        return word

    async def several() -> None:
        one, other = probes("first", "first")
        word = await outer(one)
        assert await inner(other) == word
        assert await outer(other) == word
        assert await inner(one) == word
        assert said(one) == ["inner", "outer"]
        assert one.with_common_names(word) == other.with_common_names(word) == "<token>"

    asyncio.run(several())
    assert asked == ["outer", "inner"]


def test_secrets_and_moments_of_what_was_shared_are_kept() -> None:
    async def ask(probe: Probe) -> str:
        probe.transcript.hide("secret-token")
        probe.transcript.note("made a token")
        return "secret-token"

    async def several() -> None:
        first, later = probes("first", "first")
        await first.shared("token", ask)
        await asyncio.sleep(0.02)
        later = Probe(later.stack, time.time(), "first")
        secret = await later.shared("token", ask)
        later.transcript.client(f"AUTH with {secret}")
        events = later.transcript.events
        assert [event.text for event in events] == ["made a token", "AUTH with ****"]
        assert events[0].kind is Kind.NOTE
        assert (events[0].seconds or 0.0) < 0 <= (events[1].seconds or 0.0), "it was made before this probe began"

    asyncio.run(several())


def test_the_time_of_what_was_done_before_counts_and_waiting_counts_once() -> None:
    async def ask(_: Probe) -> None:
        await asyncio.sleep(0.05)

    async def several() -> None:
        first, later = probes("first", "first")
        await first.shared("key", ask)
        await later.shared("key", ask)
        assert first.seconds_before < 0.02, "it was waited for, so it is in this probe's own time"
        assert later.seconds_before >= 0.04

    asyncio.run(several())
