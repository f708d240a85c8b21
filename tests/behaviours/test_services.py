from __future__ import annotations

import asyncio
import time

from pytest_mailu.behaviours.services import stays_up
from pytest_mailu.model import Outcome
from pytest_mailu.probe import Probe

from .ground import LocalGround


class EndedGround(LocalGround):
    async def ended(self, service: str) -> tuple[str, tuple[str, ...]]:
        return ("exited with status 1", ("no such setting",)) if service == "smtp" else ("", ())


def test_a_service_that_ended_is_no_longer_there_and_its_last_words_are_kept() -> None:
    probe = Probe(EndedGround({}), time.time())  # type: ignore[arg-type]
    seen = asyncio.run(stays_up(probe, "smtp"))
    assert seen.outcome is Outcome.UNANSWERED
    assert seen.reply is not None
    assert seen.reply.text == "exited with status 1"
    assert seen.transcript == ("no such setting",)


def test_a_service_that_runs_is_accepted() -> None:
    probe = Probe(EndedGround({}), time.time())  # type: ignore[arg-type]
    assert asyncio.run(stays_up(probe, "imap")).outcome is Outcome.ACCEPTED
