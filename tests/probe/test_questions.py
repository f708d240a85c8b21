"""Several questions in one session do not spoil each other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from pytest_mailu.core.model import Outcome, Stage
from pytest_mailu.probe.questions import in_one_session
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed

REFUSED = NotServed(Outcome.REFUSED, Stage.COMMAND)
SILENT = NotServed(Outcome.UNANSWERED, Stage.COMMAND)
CUT_OFF = CannotAsk("half a reply, then the server closed the connection")


def answering(answer: str | Exception) -> Callable[[int], Awaitable[str]]:
    async def ask(session: int) -> str:
        if isinstance(answer, Exception):
            raise answer
        return f"{answer} in {session}"

    return ask


class Server:
    """Counts its sessions, which may fail at their begin or end."""

    def __init__(self, *, begin: Exception | None = None, end: Exception | None = None) -> None:
        self.sessions = 0
        self._begin = begin
        self._end = end

    @asynccontextmanager
    async def session(self) -> AsyncIterator[int]:
        if self._begin is not None:
            raise self._begin
        self.sessions += 1
        yield self.sessions
        if self._end is not None:
            raise self._end


def test_all_are_answered_in_one_session_and_a_refusal_is_of_one_alone() -> None:
    server = Server()
    questions = {"first": answering("yes"), "second": answering(REFUSED), "third": answering("no")}
    answers = asyncio.run(in_one_session(server.session, questions))
    assert (answers["first"], answers["third"], server.sessions) == ("yes in 1", "no in 1", 1)
    with pytest.raises(NotServed):
        answers["second"]


@pytest.mark.parametrize("end", [CUT_OFF, SILENT])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_the_one_that_ends_the_session_takes_nothing_from_the_others(end: Exception, place: int) -> None:
    server = Server()
    names = ("first", "second", "third")
    questions = {name: answering(end if number == place else name) for number, name in enumerate(names)}
    answers = asyncio.run(in_one_session(server.session, questions))
    for number, name in enumerate(names):
        if number == place:
            with pytest.raises(type(end)):
                answers[name]
        else:
            assert answers[name] == f"{name} in {1 if number < place else 2}"
    assert server.sessions == (2 if place < 2 else 1)


@pytest.mark.parametrize("server", [Server(begin=REFUSED), Server(end=CUT_OFF)])
def test_a_session_that_does_not_begin_or_end_is_raised(server: Server) -> None:
    with pytest.raises((NotServed, CannotAsk)):
        asyncio.run(in_one_session(server.session, {"first": answering("yes")}))
