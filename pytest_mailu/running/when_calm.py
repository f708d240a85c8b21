"""Asks again, alone and with a longer deadline, what could not be told since this machine was too busy."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from pytest_mailu.behaviours.declaration import Behaviour
from pytest_mailu.core.model import Comparison, Verdict
from pytest_mailu.judging.judge import judge
from pytest_mailu.judging.starvation import SURE, answers_needed, too_busy
from pytest_mailu.running.comparing import Comparing
from pytest_mailu.running.processor_watch import ProcessorWatch

PATIENCE = 2.0
"""How many times the usual deadline a behaviour gets."""
TRIES = SURE + 3
"""How often one behaviour is asked at most."""
SECONDS_IN_ALL = 300.0
"""How long a run may spend on it."""
CALM_SECONDS_IN_ALL = 60.0
"""How long a run waits for the machine to become calm, all in all."""


class WhenCalm:
    """Asks by `comparing`, as soon as `watch` says that the machine is calm. The seconds bound it for a whole run."""

    def __init__(
        self,
        comparing: Comparing,
        watch: ProcessorWatch,
        *,
        seconds_in_all: float = SECONDS_IN_ALL,
        calm_seconds_in_all: float = CALM_SECONDS_IN_ALL,
    ) -> None:
        self._comparing = comparing
        self._watch = watch
        self._left = seconds_in_all
        self._wait_left = calm_seconds_in_all

    async def ask(self, behaviour: Behaviour, comparison: Comparison) -> Comparison:
        """The comparison with more attempts; inconclusive where the machine stays too busy.

        Nothing else is asked meanwhile. Where it then differs from itself, that is to be settled.
        """
        patient = replace(behaviour, timeout=behaviour.timeout * PATIENCE)
        suspicious = self._watch.against_new(comparison)
        looks = 0
        for _ in range(TRIES):
            if self._left <= 0 or not await self._calm():
                break
            comparison = await self._again(patient, comparison, behaviour.timeout)
            if comparison.verdict is Verdict.UNSTABLE:
                return comparison
            if comparison.verdict is not Verdict.INCONCLUSIVE:
                looks += 1
                if looks >= answers_needed(comparison, suspicious=suspicious):
                    return comparison
            elif not any(map(self._watch.left_open, (comparison.old[-1], comparison.new[-1]))):
                return comparison
        if comparison.verdict is Verdict.INCONCLUSIVE:
            return comparison
        return judge(comparison.question, comparison.old, (*comparison.new, too_busy()), behaviour.volatile)

    async def _calm(self) -> bool:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            return await self._watch.calm(self._wait_left)
        finally:
            self._wait_left = max(self._wait_left - (loop.time() - began), 0.0)

    async def _again(self, behaviour: Behaviour, comparison: Comparison, usual: float) -> Comparison:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            return await self._comparing.again(behaviour, comparison, usual)
        finally:
            self._left -= loop.time() - began
