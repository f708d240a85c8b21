"""How a failed behaviour is shown among pytest's FAILURES: each cause once, unless everything is wanted (-v)."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from pytest_mailu.core.model import Finding


class Told(str):
    """The words for a failed behaviour. Files (JUnit, report logs) have them all; the terminal adds what it leaves out.

    pytest asks for `toterminal` when it prints the failure, which is after the last item.
    """

    __slots__ = ("finding", "others")

    finding: Finding
    others: Counter[str]

    def toterminal(self, writer: Any) -> None:
        """Print the words and, below them, how many more have the same cause."""
        writer.line(str(self))
        if more := self.others[self.finding.root] - 1:
            writer.line(f"  and {more} more with this cause (-v shows {'it' if more == 1 else 'them'})")


class Failures:
    """Chooses what the terminal shows: with -v every failure, by default one of each cause, with -q none.

    All of them stay in pytest's short summary and in its counts.
    """

    def __init__(self, verbosity: int) -> None:
        self._verbosity = verbosity
        self._causes: Counter[str] = Counter()

    def show(self, report: pytest.TestReport, finding: Finding) -> None:
        """Take the report of a failed behaviour, before pytest's terminal reporter has it."""
        if self._verbosity > 0:
            return
        self._causes[finding.root] += 1
        told = Told(report.longrepr)
        told.finding, told.others = finding, self._causes
        report.longrepr = told
        if self._verbosity < 0 or self._causes[finding.root] > 1:
            # pytest's own mark for what has been shown already (TerminalReporter.getreports).
            report._pdbshown = True  # type: ignore[attr-defined]
