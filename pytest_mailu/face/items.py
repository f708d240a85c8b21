"""The matrix as pytest sees it: one collector, one item per behaviour."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from pytest_mailu.behaviours import Behaviour
from pytest_mailu.core.errors import MailuError
from pytest_mailu.core.model import Comparison, FailOn, Finding, Verdict
from pytest_mailu.judging.judge import fails
from pytest_mailu.reports.brief import brief

ROOT = "mailu"
"""What the ids of all items start with: `mailu::submission/465-tls/external`."""

Answer: TypeAlias = Callable[[str], tuple[Comparison, Finding | None]]
"""From an id to its comparison, and to the finding where it is one; waits until there is an answer."""


class Disagreement(Exception):
    """A behaviour that fails its item; `finding` tells why."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.behaviour)
        self.finding = finding


class MatrixCollector(pytest.Collector):
    """Holds the behaviours that were chosen."""

    def __init__(self, *, behaviours: Iterable[Behaviour], answer: Answer, fail_on: FailOn, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._behaviours = tuple(behaviours)
        self._answer = answer
        self._fail_on = fail_on

    def collect(self) -> Iterator[BehaviourItem]:
        """One item per behaviour, in the order of the matrix."""
        for behaviour in self._behaviours:
            yield BehaviourItem.from_parent(
                self, name=behaviour.id, behaviour=behaviour, answer=self._answer, fail_on=self._fail_on
            )


class BehaviourItem(pytest.Item):
    """Waits for the two observations of one behaviour, and passes or fails by their verdict."""

    def __init__(self, *, behaviour: Behaviour, answer: Answer, fail_on: FailOn, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.behaviour = behaviour
        self.comparison: Comparison | None = None
        self.finding: Finding | None = None
        self._answer = answer
        self._fail_on = fail_on
        question = behaviour.question
        self.add_marker(
            pytest.mark.mailu(family=question.family, severity=str(question.severity), variant=behaviour.variant)
        )

    def runtest(self) -> None:
        """Raise Disagreement where the verdict fails."""
        self.comparison, self.finding = self._answer(self.behaviour.id)
        self.user_properties.append(("mailu_verdict", str(self.comparison.verdict)))
        if self.finding is not None:
            self.user_properties.append(("mailu_severity", str(self.finding.severity)))
            if fails(self.finding, self._fail_on):
                raise Disagreement(self.finding)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What failed, in words; a traceback into this plugin would help nobody."""
        if isinstance(excinfo.value, Disagreement):
            return brief(excinfo.value.finding)
        if isinstance(excinfo.value, MailuError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        """There is no file behind a behaviour; its place is the matrix.

        What heads a failure must not be the end of the id: pytest would print the id with `::` for its dots.
        """
        return self.session.path / ROOT, None, f"{self.name} ({self.behaviour.question.severity})"


WORDS = {
    Verdict.CHANGED: ("c", "CHANGED", "yellow"),
    Verdict.GAINED: ("g", "GAINED", "green"),
    Verdict.BROKEN: ("b", "BROKEN", "yellow"),
    Verdict.REGRESSED: ("R", "REGRESSED", "red"),
    Verdict.INCONCLUSIVE: ("I", "INCONCLUSIVE", "red"),
    Verdict.UNSTABLE: ("U", "UNSTABLE", "red"),
}
"""Letter, word and colour of the verdicts that pytest's own words do not tell."""
