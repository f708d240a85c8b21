"""Several questions in one session, each with its own answer or failure."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Generic, TypeVar

from pytest_mailu.core.model import Outcome
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed

Session = TypeVar("Session")
Value = TypeVar("Value")


class Answers(Generic[Value]):
    """The answers by the names of the questions."""

    def __init__(self, answers: Mapping[str, Value | NotServed | CannotAsk]) -> None:
        self._answers = answers

    def __getitem__(self, name: str) -> Value:
        """The answer to one question. Raises what kept it from an answer."""
        answer = self._answers[name]
        if isinstance(answer, NotServed | CannotAsk):
            raise answer
        return answer


async def in_one_session(
    session: Callable[[], AbstractAsyncContextManager[Session]],
    questions: Mapping[str, Callable[[Session], Awaitable[Value]]],
) -> Answers[Value]:
    """Ask all questions in one session. One that ends the session has that as its answer; the rest get a new session.

    Raises what a session raises at its begin and its end.
    """
    left = dict(questions)
    answers: dict[str, Value | NotServed | CannotAsk] = {}
    while left:
        asking: str | None = None
        try:
            async with session() as opened:
                while left:
                    asking = next(iter(left))
                    answers[asking] = await _answer(left.pop(asking), opened)
                asking = None
        except (NotServed, CannotAsk) as end:
            if asking is None:
                raise
            answers[asking] = end
    return Answers(answers)


async def _answer(ask: Callable[[Session], Awaitable[Value]], session: Session) -> Value | NotServed:
    """The answer, or the refusal of a session that goes on."""
    try:
        return await ask(session)
    except NotServed as end:
        if end.outcome in (Outcome.UNANSWERED, Outcome.UNREACHABLE):
            raise
        return end
