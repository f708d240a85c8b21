"""What recordings hold is judged once, however many attempts there are."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from pytest_mailu.behaviours.declaration import Behaviour
from pytest_mailu.core.model import Comparison, Observation, Outcome, Question, Stage
from pytest_mailu.judging.judge import judge
from pytest_mailu.running import comparing
from pytest_mailu.running.comparing import Comparing
from tests.running.idle_side import IdleSide
from tests.running.test_closed_ports import a_behaviour

WAVERING = [Observation(Outcome.DELIVERED, Stage.DELIVERY), Observation(Outcome.REFUSED, Stage.RCPT)] * 40


class Recorded(IdleSide):
    behaviours: frozenset[str] | None = frozenset({"a/587/x"})

    def recorded_attempts(self, id: str) -> int:
        return len(WAVERING)

    async def observe(self, behaviour: Behaviour, attempt: int, *, shared: bool = True) -> Observation | None:
        return WAVERING[attempt] if attempt < len(WAVERING) else None


def test_recorded_attempts_are_judged_together(monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[int] = []

    def counting(
        question: Question, old: Sequence[Observation], new: Sequence[Observation], volatile: Sequence[str]
    ) -> Comparison:
        judged.append(len(old))
        return judge(question, old, new, volatile)

    monkeypatch.setattr(comparing, "judge", counting)
    compared = asyncio.run(Comparing(Recorded(), Recorded()).compare(a_behaviour()))
    assert judged == [len(WAVERING)]
    assert len(compared.old) == len(compared.new) == len(WAVERING)
