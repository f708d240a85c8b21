"""A closed port is confirmed by a later look that many behaviours share, and only where that is enough."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from pytest_mailu.behaviours.declaration import Behaviour
from pytest_mailu.behaviours.port_look import closed_port, port_look
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
from pytest_mailu.running.comparing import Comparing
from pytest_mailu.wire.transport.connector import REFUSED
from tests.behaviours.local_stack import local_probe
from tests.running.idle_side import IdleSide

DELIVERED = Observation(Outcome.DELIVERED, Stage.DELIVERY)
LOST = Observation(Outcome.LOST, Stage.DELIVERY)


def closed(port: int = 587, reply: str = REFUSED, *more: Event, **how: Any) -> Observation:
    """An attempt that found nobody at a port, after an earlier connection to 443."""
    events = [
        Event(Speaker.PROBE, Kind.CONNECT, "", detail=Connection("front", number, "stranger")) for number in (443, port)
    ]
    end = Event(Speaker.PROBE, Kind.END, "unreachable")
    seen = Observation(Outcome.UNREACHABLE, Stage.CONNECT, Reply(text=reply), transcript=(*events, end, *more))
    return replace(seen, **how)


def a_behaviour(id_: str = "a/587/x", wanted: Outcome | None = Outcome.DELIVERED) -> Behaviour:
    async def ask(probe: Any) -> Observation:
        raise AssertionError("these sides answer by themselves")

    return Behaviour(Question(id_, "Title", "Breaks.", "Source", wanted, Severity.MAJOR), ask)


class Side(IdleSide):
    """Answers from a list; a port that opens does so at the look with that number."""

    def __init__(self, answers: Sequence[Observation], *, opens_at: int = 99, recorded: bool = False) -> None:
        self.answers = answers
        self.behaviours: frozenset[str] | None = frozenset({"a/587/x"}) if recorded else None
        self.asked: list[str] = []
        self.looks: list[float] = []
        self._opens_at = opens_at

    def recorded_attempts(self, id: str) -> int:
        return 1 if self.behaviours is not None else 0

    async def observe(self, behaviour: Behaviour, attempt: int, *, shared: bool = True) -> Observation | None:
        await asyncio.sleep(0)
        if behaviour.id.startswith("port/"):
            assert not shared
            self.looks.append(asyncio.get_running_loop().time())
            return closed() if len(self.looks) <= self._opens_at else Observation(Outcome.ACCEPTED, Stage.CONNECT)
        self.asked.append(f"{behaviour.id} #{attempt}")
        if self.behaviours is not None:
            return self.answers[0] if attempt == 0 else None
        return self.answers[min(attempt, len(self.answers) - 1)]


def compared(old: Side, new: Side, *behaviours: Behaviour, apart: float = 0.02, grid: float = 0.01) -> list[Comparison]:
    async def several() -> list[Comparison]:
        comparing = Comparing(old, new, ports=ClosedPorts(apart, grid))
        return await asyncio.gather(*map(comparing.compare, behaviours or (a_behaviour(),)))

    return asyncio.run(several())


def test_a_port_that_stays_closed_is_a_finding_and_the_other_side_is_asked_once() -> None:
    old, new = Side([DELIVERED]), Side([closed()])
    (made,) = compared(old, new)
    assert made.verdict is Verdict.REGRESSED
    assert (old.asked, new.asked, len(new.looks)) == (["a/587/x #0"], ["a/587/x #0"], 1)
    assert (made.old, made.new) == ((DELIVERED,), (closed(), closed()))


def test_a_port_that_was_closed_for_a_moment_is_no_finding() -> None:
    """The look finds it open, so both sides are asked again; what then differs from itself is settled, or unstable."""
    old, new = Side([DELIVERED]), Side([closed(), DELIVERED], opens_at=0)
    (made,) = compared(old, new)
    assert made.verdict is Verdict.UNSTABLE
    assert (old.asked, new.asked) == (["a/587/x #0", "a/587/x #1"], ["a/587/x #0", "a/587/x #1"])


def test_all_behind_one_port_share_one_look_that_is_later_than_each_of_them() -> None:
    behaviours = [a_behaviour(f"a/587/{number}") for number in range(20)]
    old, new = Side([DELIVERED]), Side([closed()])
    began = asyncio.run(_now())
    found = compared(old, new, *behaviours, apart=0.1, grid=0.5)
    assert {made.verdict for made in found} == {Verdict.REGRESSED}
    assert len(new.looks) == 1
    assert len(old.asked) == len(new.asked) == 20
    assert new.looks[0] - began >= 0.1, "a server may have been restarted"


async def _now() -> float:
    return asyncio.get_running_loop().time()


def test_other_ports_have_looks_of_their_own() -> None:
    old, new = Side([DELIVERED]), Side([closed(587)])

    async def both() -> None:
        ports = ClosedPorts(0.0, 0.01)
        for number in (587, 143):
            port = closed_port(closed(number))
            assert port is not None
            await ports.look(new, port, closed(number))
            await ports.look(old, port, closed(number))

    asyncio.run(both())
    assert (len(old.looks), len(new.looks)) == (2, 2)


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        # What old did is not what is wanted: it may be a failure by chance, which only asking again shows.
        ([LOST], [closed()], Outcome.DELIVERED),
        # Something else was seen on the way to the closed port, or it was not simply closed.
        ([DELIVERED], [closed(facts={"tried": {}})], Outcome.DELIVERED),
        ([DELIVERED], [closed(587, "no answer to the connection")], Outcome.DELIVERED),
        ([DELIVERED], [closed(587, REFUSED, Event(Speaker.CLIENT, Kind.LINE, "QUIT"))], Outcome.DELIVERED),
        ([DELIVERED], [Observation(Outcome.UNREACHABLE, Stage.CONNECT, Reply(text=REFUSED))], Outcome.DELIVERED),
    ],
)
def test_where_a_look_at_the_port_is_not_enough_both_sides_are_asked_again(
    old: list[Observation], new: list[Observation], wanted: Outcome
) -> None:
    one, other = Side(old), Side(new)
    compared(one, other, a_behaviour(wanted=wanted))
    assert (len(one.asked), len(other.asked), other.looks) == (2, 2, [])


@pytest.mark.parametrize(
    ("wanted", "seen", "verdict"),
    [
        (Outcome.REFUSED, Observation(Outcome.REFUSED, Stage.RCPT), Verdict.CHANGED),
        (None, Observation(Outcome.ACCEPTED, Stage.EHLO), Verdict.REGRESSED),
    ],
)
def test_protections_and_facts_are_confirmed_alike(wanted: Outcome | None, seen: Observation, verdict: Verdict) -> None:
    old, new = Side([seen]), Side([closed()])
    (made,) = compared(old, new, a_behaviour(wanted=wanted))
    assert (made.verdict, len(old.asked), len(new.looks)) == (verdict, 1, 1)


def test_a_port_that_only_old_closes_is_confirmed_on_old() -> None:
    old, new = Side([closed()]), Side([DELIVERED])
    (made,) = compared(old, new)
    assert (made.verdict, len(old.looks), new.looks, len(new.asked)) == (Verdict.GAINED, 1, [], 1)


def test_a_recording_cannot_be_looked_at() -> None:
    old, new = Side([DELIVERED]), Side([closed()], recorded=True)
    (made,) = compared(old, new)
    assert (made.verdict, new.looks) == (Verdict.REGRESSED, [])


def test_the_look_is_a_connection_and_says_what_it_is_for() -> None:
    async def looks() -> list[Observation]:
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
        open_port = server.sockets[0].getsockname()[1]
        found = []
        async with server:
            for port in (587, 588):
                probe = local_probe({587: open_port, 588: 1})
                try:
                    found.append(await port_look(Connection("front", port, "stranger")).ask(probe))
                except Exception as end:
                    found.append(probe.not_served(end))  # type: ignore[arg-type]
                assert probe.transcript.events[0].text == "one look at the port for all that is behind it"
        return found

    served, refused = asyncio.run(looks())
    assert served.outcome is Outcome.ACCEPTED
    assert refused.outcome is Outcome.UNREACHABLE
