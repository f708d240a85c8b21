"""One view of a report for every format: what stops the upgrade, what is waived, the rest, in order and in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from pytest_mailu.core.model import Comparison, Finding, Report
from pytest_mailu.core.text import safe
from pytest_mailu.judging.judge import stops
from pytest_mailu.judging.waivers import entry_for
from pytest_mailu.reports import words
from pytest_mailu.reports.groups import Group, groups


@dataclass(frozen=True)
class ReportView:
    """A report as formats show it. `comparisons` is everything compared, where it is at hand."""

    report: Report
    comparisons: Sequence[Comparison] = ()

    @property
    def decision(self) -> str:
        """`NO-GO`."""
        return words.DECISIONS[self.report.decision]

    @property
    def sides(self) -> str:
        """`2.0.43 → 2024.06.24`."""
        return f"{safe(self.report.old.release)} → {safe(self.report.new.release)}"

    @property
    def title(self) -> str:
        """`NO-GO: Mailu 2.0.43 → 2024.06.24`."""
        return f"{self.decision}: Mailu {self.sides}"

    @cached_property
    def sentence(self) -> str:
        """The decision in one sentence."""
        return words.sentence(self.report)

    @cached_property
    def counts(self) -> str:
        """How many behaviours were compared, in what time, with which verdicts."""
        report = self.report
        compared = words.count(sum(report.counts.values()), "behaviour")
        took = f" in {words.duration(report.seconds)}" if report.seconds else ""
        numbers = " · ".join(words.counts(report))
        return f"{compared} compared{took}{': ' if numbers else ''}{numbers}"

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """All findings that are not waived, by root cause, worst first."""
        return groups(finding for finding in self.report.findings if finding.waiver is None)

    @cached_property
    def blockers(self) -> tuple[Group, ...]:
        """The groups that stop the upgrade."""
        return tuple(group for group in self.groups if any(map(self.stops, group.findings)))

    @cached_property
    def others(self) -> tuple[Group, ...]:
        """The groups that do not stop the upgrade."""
        blockers = {group.root for group in self.blockers}
        return tuple(group for group in self.groups if group.root not in blockers)

    @cached_property
    def waived(self) -> tuple[Finding, ...]:
        """The findings that are waived."""
        return tuple(finding for finding in self.report.findings if finding.waiver is not None)

    @cached_property
    def everything(self) -> tuple[Group, ...]:
        """All findings by root cause, waived ones too: what stops the upgrade first."""
        found = groups(self.report.findings)
        blockers = {group.root for group in self.blockers}
        return tuple(sorted(found, key=lambda group: group.root not in blockers))

    def stops(self, finding: Finding) -> bool:
        """Whether a finding stops the upgrade."""
        return finding.waiver is None and stops(finding, self.report.fail_on)

    def waiver_entry(self, finding: Finding) -> str:
        """A waiver for the finding in TOML, to paste."""
        return entry_for(finding, self.report.old.release, self.report.new.release)


Render = Callable[[ReportView], str]
"""What a report format is: from the view to the text of its file."""
