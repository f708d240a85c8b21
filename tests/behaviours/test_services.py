from __future__ import annotations

import asyncio
import time

import pytest

from pytest_mailu.behaviours import built_in
from pytest_mailu.behaviours.services import stays_up
from pytest_mailu.core.errors import StackError
from pytest_mailu.core.model import Outcome
from pytest_mailu.core.plan import Plan, side_spec
from pytest_mailu.core.releases import Release
from pytest_mailu.probe.probe import Probe
from pytest_mailu.sides import release
from pytest_mailu.stack.data.own import Survey
from tests.behaviours.local_stack import LocalStack

STAYS_UP = ("services/smtp/stays-up", "services/imap/stays-up")


class Ready:
    """A machine on which nothing is looked over."""

    labels = engine = compose = subnets = None

    async def prepare(self) -> None:
        pass


class DeadStack:
    """A stack whose Postfix ends as soon as it starts."""

    survey = Survey()
    databases: tuple[str, ...] = ()

    def __init__(self, *_: object) -> None:
        pass

    async def up(self) -> None:
        raise StackError("the service smtp exited", "read the log", ("fatal",), service="smtp", own_doing=True)


class EndedStack(LocalStack):
    async def exit_of(self, service: str) -> StackError | None:
        return StackError("exited with status 1", "", ("no such setting",)) if service == "smtp" else None


def test_a_service_that_ended_is_no_longer_there_and_its_last_words_are_kept() -> None:
    probe = Probe(EndedStack({}), time.time())  # type: ignore[arg-type]
    seen = asyncio.run(stays_up(probe, "smtp"))
    assert seen.outcome is Outcome.UNANSWERED
    assert seen.reply is not None
    assert seen.reply.text == "exited with status 1"
    assert [str(event) for event in seen.transcript] == ["no such setting"]


def test_a_stack_that_never_came_up_still_says_which_service_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """And not merely that it could not be asked: a release that does not start is a NO-GO."""
    monkeypatch.setattr(release, "Stack", DeadStack)
    plan = Plan(side_spec("2.0"), side_spec("2.0"))
    side = release.ReleaseSide("new", Release.parse("2.0"), plan, Ready(), print)  # type: ignore[arg-type]
    with pytest.raises(StackError):
        asyncio.run(side.open())
    of_smtp, of_imap = (behaviour for behaviour in built_in() if behaviour.id in STAYS_UP)
    seen = [asyncio.run(side.observe(behaviour, 0)) for behaviour in (of_smtp, of_imap)]
    assert {one.outcome for one in seen} == {Outcome.UNANSWERED, None}
    assert {one.reply and one.reply.text for one in seen} == {"the service smtp exited", None}


def test_a_service_that_runs_is_accepted() -> None:
    probe = Probe(EndedStack({}), time.time())  # type: ignore[arg-type]
    assert asyncio.run(stays_up(probe, "imap")).outcome is Outcome.ACCEPTED
