"""The matrix as pytest sees it: one collector, one item per behaviour."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from pytest_mailu.behaviours import Behaviour
from pytest_mailu.core.errors import MailuError
from pytest_mailu.core.model import FailOn, Finding, Verdict
from pytest_mailu.judging.decision import fails
from pytest_mailu.reports.brief import brief
from pytest_mailu.running.results import Result

ROOT = "mailu"
"""What the ids of all items start with: `mailu::submission/465-tls/external`."""

VERDICT_PROPERTY = "mailu_verdict"
SEVERITY_PROPERTY = "mailu_severity"
"""Names in `user_properties`, which JUnit files, report logs and xdist carry."""

WaitForResult: TypeAlias = Callable[[str], Result]
"""From an id to its result; waits for it."""


class BehaviourFailed(Exception):
    """The finding that fails an item."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.behaviour)
        self.finding = finding


class MatrixCollector(pytest.Collector):
    """Holds the behaviours that were chosen."""

    def __init__(
        self, *, behaviours: Iterable[Behaviour], result: WaitForResult, fail_on: FailOn, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self._behaviours = tuple(behaviours)
        self._result = result
        self._fail_on = fail_on

    def collect(self) -> Iterator[BehaviourItem]:
        """One item per behaviour, in the order of the matrix."""
        for behaviour in self._behaviours:
            yield BehaviourItem.from_parent(
                self, name=behaviour.id, behaviour=behaviour, result=self._result, fail_on=self._fail_on
            )


class BehaviourItem(pytest.Item):
    """Waits for the result of one behaviour, and passes or fails by its verdict."""

    def __init__(self, *, behaviour: Behaviour, result: WaitForResult, fail_on: FailOn, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.behaviour = behaviour
        self._result = result
        self._fail_on = fail_on
        question = behaviour.question
        self.add_marker(
            pytest.mark.mailu(family=question.family, severity=str(question.severity), variant=behaviour.variant)
        )

    def runtest(self) -> None:
        """Raise BehaviourFailed where the finding fails the run. What ended the asking ends the session, told once."""
        try:
            result = self._result(self.behaviour.id)
        except MailuError as error:
            self.session.shouldfail = error.cause
            raise
        self.user_properties.append((VERDICT_PROPERTY, str(result.comparison.verdict)))
        if result.finding is not None:
            self.user_properties.append((SEVERITY_PROPERTY, str(result.finding.severity)))
            if fails(result.finding, self._fail_on):
                raise BehaviourFailed(result.finding)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What failed, in words instead of a traceback into this plugin."""
        if isinstance(excinfo.value, BehaviourFailed):
            return brief(excinfo.value.finding)
        if isinstance(excinfo.value, MailuError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        """A behaviour has no file; its location is the matrix.

        The headline of a failure must not be the end of the id: pytest would print the id with `::` for its dots.
        """
        return self.session.path / ROOT, None, f"{self.name} ({self.behaviour.question.severity})"


STATUS_WORDS = {
    Verdict.CHANGED: ("c", "CHANGED", "yellow"),
    Verdict.GAINED: ("g", "GAINED", "green"),
    Verdict.BROKEN: ("b", "BROKEN", "yellow"),
    Verdict.REGRESSED: ("R", "REGRESSED", "red"),
    Verdict.INCONCLUSIVE: ("I", "INCONCLUSIVE", "red"),
    Verdict.UNSTABLE: ("U", "UNSTABLE", "red"),
}
"""Letter, word and colour of the verdicts for which pytest has no word of its own."""
