"""The fixtures `mailu_old` and `mailu_new`, for a project's own tests beside the matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # loaded with every pytest run, so imports must cost no time
    from collections.abc import Awaitable, Callable

    from pytest_mailu.core.model import Observation, SideInfo
    from pytest_mailu.probe.probe import Probe
    from pytest_mailu.running.run import Run


class MailuSide:
    """One side of the run, for a test that asks its own question."""

    def __init__(self, run: Run, label: str) -> None:
        self._run = run
        self._label = label
        self._side = run.old if label == "old" else run.new

    @property
    def info(self) -> SideInfo:
        """Where this side comes from: release, images, settings."""
        return self._side.info

    def ask(self, question: Callable[[Probe], Awaitable[Observation]], timeout: float = 60.0) -> Observation:
        """What this side does when it is asked `question`; it may take `timeout` seconds.

        A refusal is an observation. Where the side could not be asked, `outcome` is None and `trouble` says why. A
        recording cannot be asked: the test is skipped.
        """
        if self._side.behaviours is not None:
            pytest.skip(f"{self._label} is a recording ({self.info.release}); this test asks a running stack")
        from pytest_mailu.behaviours import Behaviour
        from pytest_mailu.core.model import Question, Severity

        name = getattr(question, "__name__", "question")
        asked = Behaviour(Question(name, name, "", "", None, Severity.INFO), question, timeout=timeout)
        return self._run.ask_once(self._side, asked)


@pytest.fixture(scope="session")
def mailu_old(request: pytest.FixtureRequest) -> MailuSide:
    """The old side of this run."""
    return _side(request, "old")


@pytest.fixture(scope="session")
def mailu_new(request: pytest.FixtureRequest) -> MailuSide:
    """The new side of this run."""
    return _side(request, "new")


def _side(request: pytest.FixtureRequest, label: str) -> MailuSide:
    active = request.config.pluginmanager.get_plugin("mailu-active")
    if active is None:
        pytest.fail(f"mailu_{label} needs two sides: pytest --mailu-from 2.0 --mailu-to 2024.06", pytrace=False)
    return MailuSide(active.opened_run(), label)
