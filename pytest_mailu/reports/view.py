"""One view of a report for every format: blockers, things to do, and what needs nothing, in order and in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from pytest_mailu.core.client_commands import failed_requests
from pytest_mailu.core.model import Action, Advice, Comparison, Finding, LeftOut, Report, Severity, Verdict
from pytest_mailu.core.optional_services import OPTIONAL_SERVICES, WEBMAIL
from pytest_mailu.core.setups import DEFAULT, FROM_FILES, USUAL, USUAL_FLAVOURS, WEB_MAILS
from pytest_mailu.core.text import safe
from pytest_mailu.core.web_mails import NO_WEB_MAIL, web_mail_words
from pytest_mailu.judging.decision import stops
from pytest_mailu.judging.judge import SEVERITIES
from pytest_mailu.judging.waivers import entry_for
from pytest_mailu.reports import in_place, words
from pytest_mailu.reports.deviations import LOCAL, OWN_BUILD, Deviation, deviation
from pytest_mailu.reports.groups import Group, groups

ACTIONS: Mapping[Action, str] = {
    Action.FIX_BEFORE: "fix before",
    Action.DO: "do",
    Action.TELL: "tell people",
    Action.LOOK: "look",
    Action.NOTHING: "nothing",
}
GRAVE = (Severity.CRITICAL, Severity.MAJOR)
LAST_LINES = 5
"""How many log lines of a server's own error are shown beside what it broke: the end of its traceback."""


@dataclass(frozen=True, slots=True)
class Todo:
    """One thing to do: what on one line, the advice for it if there is any, and the findings that ask for it."""

    action: Action
    title: str
    advice: Advice | None
    findings: tuple[Finding, ...]

    @property
    def lost(self) -> bool:
        """Whether something regressed, though not so much that it stops the upgrade."""
        return any(finding.verdict is Verdict.REGRESSED for finding in self.findings)

    @property
    def severity(self) -> Severity:
        """The worst severity among the findings."""
        return min((finding.severity for finding in self.findings), key=SEVERITIES.index)

    @property
    def urgent(self) -> bool:
        """Whether something regressed, or the files have a grave mistake (an open relay) with both releases."""
        return self.lost or self.severity in GRAVE

    @property
    def weight(self) -> str:
        """What stands before the title of something urgent: `minor regression: `, `critical: `."""
        return f"{self.severity}{' regression' if self.lost else ''}: " if self.urgent else ""

    @property
    def rank(self) -> tuple[bool, int, int]:
        """The urgent first, the worst of it first; the rest by action."""
        severity, action = SEVERITIES.index(self.severity), list(Action).index(self.action)
        return (False, severity, action) if self.urgent else (True, action, severity)

    @property
    def label(self) -> str:
        """`do`, `tell people` …"""
        return ACTIONS[self.action]

    @property
    def paste(self) -> tuple[str, ...]:
        """The lines to paste."""
        return tuple(self.advice.paste.split("\n")) if self.advice is not None and self.advice.paste else ()


@dataclass(frozen=True)
class ReportView:
    """A report as formats show it. `comparisons` is everything compared, where it is at hand."""

    report: Report
    comparisons: Sequence[Comparison] = ()

    # The decision

    @property
    def decision(self) -> str:
        """`NO-GO`, `GO for 85 of 569`, `GO, with 2 minor regressions`."""
        report = self.report
        text = words.DECISIONS[report.decision]
        left = len(report.left_out.get(LeftOut.DESELECTED, ())) + len(self._not_reached)
        if left and (compared := sum(report.counts.values())):
            text += f" for {compared} of {compared + left}"
        passed = [finding for finding in self.report.findings if self._passed(finding)]
        if passed and words.is_good(report.decision):
            text += f", with {words.small_regressions(passed)}"
        return text

    @property
    def _not_reached(self) -> tuple[str, ...]:
        return self.report.left_out.get(LeftOut.NOT_REACHED, ())

    @property
    def sides(self) -> str:
        """`2.0.43 → 2024.06.24`; with the set-up where it is not the default one."""
        setup = "" if self.report.setup in USUAL else f" (set-up {safe(self.report.setup)})"
        if (flavour := self.report.old.settings.get("TLS_FLAVOR", "")) and self.report.setup == FROM_FILES:
            setup = "" if flavour in USUAL_FLAVOURS else f" (your files, TLS_FLAVOR={safe(flavour)})"
        return f"{safe(self.report.old.release)} → {safe(self.report.new.release)}{setup}"

    @property
    def title(self) -> str:
        """`NO-GO: Mailu 2.0.43 → 2024.06.24`."""
        return f"{self.decision}: Mailu {self.sides}"

    @cached_property
    def sentence(self) -> str:
        """The decision in one sentence; then what it does not cover although it was asked for."""
        return " ".join([words.sentence(self.report), *map(safe, self.report.caveats)])

    @cached_property
    def counts(self) -> str:
        """How many behaviours were compared, in what time, with which verdicts."""
        report = self.report
        compared = words.count(sum(report.counts.values()), "behaviour")
        took = f" in {words.duration(report.seconds)}" if report.seconds else ""
        numbers = " · ".join(words.counts(report))
        return f"{compared} compared{took}{': ' if numbers else ''}{numbers}"

    @cached_property
    def counts_in_short(self) -> str:
        """The same on one line, with what is the same and what is absent on both sides together."""
        report = self.report
        took = f" in {words.duration(report.seconds)}" if report.seconds else ""
        told = [text for text in words.counts(report) if text.split()[1] not in (Verdict.SAME, Verdict.ABSENT)]
        if same := sum(report.counts.get(str(verdict), 0) for verdict in (Verdict.SAME, Verdict.ABSENT)):
            told.append(f"{same} same or absent" if report.counts.get(str(Verdict.ABSENT)) else f"{same} same")
        return f"{sum(report.counts.values())} compared{took}{': ' if told else ''}{', '.join(told)}"

    @property
    def not_started(self) -> tuple[str, ...]:
        """The optional services that were not there on both sides, where images are known."""
        started = [set(info.images) for info in (self.report.old, self.report.new) if info.images]
        return tuple(
            service.words for name, service in OPTIONAL_SERVICES.items() if any(name not in names for names in started)
        )

    @property
    def other_web_mail(self) -> str:
        """The web mail of each side where no behaviour can compare the two: another program, or one that none knows."""
        old, new = self.report.old, self.report.new
        if not {WEBMAIL} <= set(old.images) & set(new.images):
            return ""
        was, now = (info.settings.get("WEBMAIL", "") for info in (old, new))
        if was != now:
            there, here = (safe(web_mail_words(name) or "none") for name in (was, now))
            return f"web mail, which is {there} on {safe(old.release)} and {here} on {safe(new.release)}"
        known = was in WEB_MAILS or was in NO_WEB_MAIL
        return "" if known else f"web mail, which is {safe(web_mail_words(was))} on both"

    @cached_property
    def in_place(self) -> tuple[str, ...]:
        """What the rehearsal of an upgrade in place says beside its findings, in sentences; empty for other runs."""
        return tuple(map(safe, in_place.sentences(self.report)))

    @property
    def not_compared(self) -> tuple[str, ...]:
        """What this comparison says nothing about."""
        return self._not_compared(in_short=False)

    @property
    def not_compared_in_short(self) -> tuple[str, ...]:
        """The same, with two of the services by name and without what to do about it."""
        return self._not_compared(in_short=True)

    def _not_compared(self, *, in_short: bool) -> tuple[str, ...]:
        report, found = self.report, []
        if self.other_web_mail:
            found.append(self.other_web_mail)
        if services := self.not_started:
            more = len(services) - 2 if in_short else 0
            names = (*services[:2], f"{more} more services") if more > 1 else services
            found.append(f"{words.listing(names)}{'' if in_short else ' (not started)'}")
        # In short, the names of the services say it.
        if (unserved := report.left_out.get(LeftOut.SERVICE)) and not in_short:
            found.append(f"{words.count(len(unserved), 'behaviour')} that need such a service (--mailu-with)")
        if slow := report.left_out.get(LeftOut.SLOW):
            found.append(f"{words.count(len(slow), 'slow behaviour')}{'' if in_short else ' (--mailu-deep)'}")
        if (untouched := report.left_out.get(LeftOut.IN_PLACE)) and not in_short:
            found.append(f"{words.count(len(untouched), 'behaviour')} about data that is upgraded (--mailu-in-place)")
        if (own := report.left_out.get(LeftOut.OWN)) and not in_short:
            found.append(f"{words.count(len(own), 'behaviour')} about your own accounts (--mailu-export)")
        # In short, a note of the run says it.
        if (newer := report.left_out.get(LeftOut.NEWER)) and not in_short:
            found.append(f"{words.count(len(newer), 'behaviour')} newer than the recordings")
        if unknown := report.left_out.get(LeftOut.UNKNOWN):
            several = words.count(len(unknown), "recorded behaviour")
            found.append(f"{several} that this version{'' if in_short else ' and your conftest.py'} does not know")
        # In short, nobody who has not chosen a set-up is told of others.
        chosen = not in_short or report.setup != DEFAULT.name
        if chosen and (unanswered := report.left_out.get(LeftOut.SETUP)):
            several = words.count(len(unanswered), "behaviour")
            found.append(f"{several} that the set-up{'' if in_short else f' {safe(report.setup)}'} cannot answer")
        if deselected := report.left_out.get(LeftOut.DESELECTED):
            found.append(f"{words.count(len(deselected), 'behaviour')} deselected")
        if self._not_reached:
            found.append(f"{words.count(len(self._not_reached), 'behaviour')} not reached")
        if replaced := {*report.old.replaced, *report.new.replaced}:
            found.append(f"{words.count(len(replaced), 'setting')} replaced for the test")
        return tuple(found)

    @cached_property
    def provenance(self) -> str:
        """A sentence for sides that are not the official images, or cannot be proven to be; empty where both are."""
        return self._provenance("; answers marked * may rest on that")

    @cached_property
    def provenance_in_short(self) -> str:
        """The same for a line of a terminal."""
        return self._provenance(" (*)")

    def _provenance(self, marks: str) -> str:
        sides = (self.report.old, self.report.new)
        built = [safe(info.release) for info in sides if OWN_BUILD in info.provenance]
        local = [safe(info.release) for info in sides if LOCAL in info.provenance and OWN_BUILD not in info.provenance]
        found = []
        if built:
            names = "Both sides are builds" if len(built) > 1 else f"{built[0]} is a build"
            found.append(f"{names} of Mailu's sources, not the official images{marks if self.deviations else ''}.")
        if local:
            names = "Both sides use" if len(local) > 1 else f"{local[0]} uses"
            found.append(f"{names} images of this machine only; whether they are the official ones is not known.")
        return " ".join(found)

    def deviation(self, finding: Finding) -> Deviation | None:
        """The deviation from the official images that a finding may rest on."""
        return deviation(finding.behaviour, (self.report.old, self.report.new))

    @cached_property
    def deviations(self) -> tuple[Deviation, ...]:
        """Those that any finding may rest on."""
        return tuple(dict.fromkeys(filter(None, map(self.deviation, self.report.findings))))

    def mark(self, findings: Iterable[Finding]) -> str:
        """` *` where all these findings may rest on a deviation."""
        return " *" if all(self.deviation(finding) is not None for finding in findings) else ""

    # Findings

    def stops(self, finding: Finding) -> bool:
        """Whether a finding stops the upgrade."""
        return finding.waiver is None and stops(finding, self.report.fail_on)

    def _passed(self, finding: Finding) -> bool:
        """Whether a regression is too small to stop the upgrade."""
        return finding.waiver is None and finding.verdict is Verdict.REGRESSED and not self.stops(finding)

    @cached_property
    def _open(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.report.findings if finding.waiver is None)

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """All findings that are not waived, by root cause, worst first."""
        return groups(self._open)

    @cached_property
    def blockers(self) -> tuple[Group, ...]:
        """The groups that stop the upgrade."""
        return tuple(group for group in self.groups if any(map(self.stops, group.findings)))

    def _worst(self, group: Group) -> tuple[Finding, ...]:
        """What stops the upgrade in a group; where nothing does, the findings of its worst verdict."""
        stopping = tuple(filter(self.stops, group.findings))
        return stopping or tuple(finding for finding in group.findings if finding.verdict is group.verdict)

    def counts_of(self, group: Group) -> str:
        """`19 regressed, 13 minor regressions, 26 changed`: what stops the upgrade apart from what does not."""
        small = words.small_regressions(filter(self._passed, group.findings))
        rest = Group(group.root, tuple(finding for finding in group.findings if not self._passed(finding)))
        if not small or not any(map(self.stops, group.findings)):
            return group.counts
        first, *others = rest.counts.split(", ")
        return ", ".join((first, small, *others))

    def advice(self, group: Group) -> tuple[Advice, ...]:
        """What is advised for the worst of a group, once; what only changed must not crowd it out."""
        return tuple({advice.id: advice for finding in self._worst(group) for advice in finding.advice}.values())

    def last_lines(self, group: Group) -> tuple[str, ...]:
        """The last log lines of what kept a side from being asked, or of an error of new's own web site.

        Nothing where neither is so.
        """
        seen = (side for finding in group.findings for side in (finding.old, finding.new) if side is not None)
        if lines := next((side.logs for side in seen if side.outcome is None and side.logs), ()):
            return lines
        new = (finding.new for finding in group.findings if finding.new is not None)
        return next((side.logs[-LAST_LINES:] for side in new if side.logs and failed_requests(side.transcript)), ())

    def hit(self, group: Group) -> tuple[str, ...]:
        """Who loses what by a group, each said once; the worst first."""
        return tuple(dict.fromkeys(finding.breaks for finding in self._worst(group) if finding.breaks))

    @cached_property
    def todos(self) -> tuple[Todo, ...]:
        """What to do beside the blockers, each thing once: regressions and grave mistakes first, then by action."""
        blocking = {group.root for group in self.blockers}
        explained = {advice.id for group in self.blockers for advice in self.advice(group)}
        found: dict[str, Todo] = {}
        for finding in self._open:
            if finding.root in blocking and not finding.advice:
                continue
            for advice in finding.advice or (None,):
                action = _calm(advice.action if advice is not None else finding.action, advice)
                if action is Action.NOTHING or (advice is not None and advice.id in explained):
                    continue
                key = advice.id if advice is not None else finding.root
                members = found[key].findings if key in found else ()
                title = (advice.title or finding.title) if advice is not None else ""
                found[key] = Todo(action, safe(title), advice, (*members, finding))
        named = (
            todo if todo.title else Todo(todo.action, self._headline(todo.findings), None, todo.findings)
            for todo in found.values()
        )
        return tuple(sorted(named, key=lambda todo: todo.rank))

    def _headline(self, findings: tuple[Finding, ...]) -> str:
        group = Group(findings[0].root, findings)
        return group.headline if len(findings) > 1 else f"{safe(findings[0].title)}: {words.in_brief(findings[0])}"

    @cached_property
    def quiet(self) -> tuple[Group, ...]:
        """The groups of findings for which nothing is to be done."""
        told = {finding.behaviour for todo in self.todos for finding in todo.findings}
        blocking = {group.root for group in self.blockers}
        return groups(
            finding for finding in self._open if finding.behaviour not in told and finding.root not in blocking
        )

    @cached_property
    def waived(self) -> tuple[Finding, ...]:
        """The findings that are waived."""
        return tuple(finding for finding in self.report.findings if finding.waiver is not None)

    @cached_property
    def everything(self) -> tuple[Group, ...]:
        """All findings by root cause, waived ones too: what stops the upgrade first."""
        blockers = {group.root for group in self.blockers}
        return tuple(sorted(groups(self.report.findings), key=lambda group: group.root not in blockers))

    def waiver_entry(self, finding: Finding) -> str:
        """A waiver for the finding in TOML, to paste."""
        return entry_for(finding, self.report.old.release, self.report.new.release)


def _calm(action: Action, advice: Advice | None) -> Action:
    """The action for what does not stop the upgrade: nothing of it has to be fixed before."""
    if action is not Action.FIX_BEFORE:
        return action
    return Action.DO if advice is not None else Action.LOOK


def total(several: Iterable[Group]) -> int:
    """How many findings some groups have."""
    return sum(len(group.findings) for group in several)


Render: TypeAlias = Callable[[ReportView], str]
"""What a report format is: from the view to the text of its file."""
