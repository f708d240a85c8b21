"""A report for somebody at a terminal: the details first where they are asked for, and last a summary of 20 lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

from pytest_mailu.core.model import Action, Decision, Finding, Outcome, Report, Severity, Verdict
from pytest_mailu.core.text import safe, visible
from pytest_mailu.reports import words
from pytest_mailu.reports.groups import Group, firsts
from pytest_mailu.reports.textwidth import clip, columns, pad, wrap
from pytest_mailu.reports.view import ReportView, Todo, total

Style: TypeAlias = tuple[str, ...]


class Span(NamedTuple):
    """Text in one style; the words of `style` are those of pytest's TerminalWriter (`red`, `bold` …)."""

    text: str
    style: Style = ()


Line: TypeAlias = tuple[Span, ...]

SUMMARY = 20
"""Lines of the summary at most: the decision, the blockers, the things to do and where the reports are."""
FULL = 10
"""Root causes that are told in full with -v; the others in one line each."""
SHOWN = 4
"""Behaviours of one kind that are told in full, one for everybody who is hit; the others by id."""
IDS = 8
"""Further ids; the others are counted."""
BRIEF = 10
"""Root causes of one section and verdict that are told in one line each; the others are counted."""

LONGEST = 240
"""Columns of what one server said; report.html has all of it."""

DECISION_STYLES: dict[Decision, Style] = {
    Decision.GO: ("green", "bold"),
    Decision.GO_WITH_WAIVERS: ("yellow", "bold"),
    Decision.NO_GO: ("red", "bold"),
    Decision.CANNOT_TELL: ("yellow", "bold"),
}
VERDICT_STYLES: dict[str, Style] = {
    Verdict.REGRESSED: ("red",),
    Verdict.UNSTABLE: ("yellow",),
    Verdict.INCONCLUSIVE: ("yellow",),
    Verdict.CHANGED: ("cyan",),
    Verdict.GAINED: ("green",),
}
ACTION_WORDS: dict[Action, str] = {
    Action.FIX_BEFORE: "fix",
    Action.DO: "do",
    Action.TELL: "tell",
    Action.LOOK: "look",
    Action.NOTHING: "–",
}
ACTION_STYLES: dict[Action, Style] = {
    Action.FIX_BEFORE: ("red", "bold"),
    Action.DO: ("yellow",),
    Action.TELL: ("cyan",),
    Action.LOOK: ("cyan",),
}
DIM: Style = ("light",)
BOLD: Style = ("bold",)


def lines(report: Report, width: int = 80, directory: str = "", verbosity: int = 0) -> list[Line]:
    """The report as lines of at most `width` columns (at least 40 are taken).

    `directory` is where the other reports were written, or "" where they were not. `verbosity` is pytest's: with -v the
    details stand before the summary, with -q the things to do are only counted.
    """
    page = _Page(report, max(width, 40), directory)
    if verbosity < 0:
        return list(page.summary(with_todos=False))
    return [*(page.details() if verbosity > 0 else ()), *page.summary()]


class _Page:
    def __init__(self, report: Report, width: int, directory: str) -> None:
        self.report = report
        self.width = width
        self.directory = directory
        self.view = ReportView(report)

    # The summary

    def summary(self, *, with_todos: bool = True) -> Iterator[Line]:
        head, end = [*self.decision()], [*self.closing()]
        room = SUMMARY - len(head) - len(end)
        blockers = self.blockers(room)
        room -= len(blockers)
        yield from head
        yield from blockers
        yield from self.todos(room if with_todos else 1)
        yield from end

    def decision(self) -> Iterator[Line]:
        view = self.view
        style = DECISION_STYLES[self.report.decision]
        word, sides = clip(view.decision, self.width), clip(view.sides, self.width)
        if columns(word) + 2 + columns(sides) <= self.width:
            yield (Span(word, style), Span("  "), Span(sides, BOLD))
        else:
            yield (Span(word, style),)
            yield (Span(sides, BOLD),)
        yield from self.shortened(view.sentence, 3)
        notes = self.report.notes
        most = 2 if self.report.findings else 6
        for note in notes[:most]:
            yield from self.shortened(note, 2, ("yellow",))
        if len(notes) > most:
            yield self.label(f"… and {len(notes) - most} more notes, {self.where}")
        if not any(self.report.counts.values()):
            return
        yield from self.shortened(view.counts_in_short, 2, DIM)
        if view.not_compared:
            yield from self.shortened(f"Not compared: {'; '.join(view.not_compared_in_short)}.", 2, DIM)
        if view.provenance:
            yield from self.shortened(view.provenance, 2, DIM)

    def blockers(self, room: int) -> list[Line]:
        """Each blocker with what to paste, or on one line where there are many."""
        view = self.view
        full = 3 * len(view.blockers) < room
        found: list[Line] = []
        shown = view.blockers if len(view.blockers) < room else view.blockers[: max(room - 2, 1)]
        for group in shown:
            stopping = Group(group.root, tuple(filter(view.stops, group.findings)))
            text = f"{group.headline} ({stopping.counts}, {group.severity})"
            found.append(self.entry("fix" if group.verdict is Verdict.REGRESSED else "look", text))
            if full:
                for advice in self.view.advice(group)[:1]:
                    paste = advice.paste.splitlines()
                    # Half a block is worse than none: it would be pasted.
                    fits = 0 < len(paste) <= 2 and all(columns(visible(line)) <= self.width - 5 for line in paste)
                    told = paste if fits else [advice.title] if advice.title else []
                    found += [(Span(" " * 5), Span(clip(visible(line), self.width - 5), BOLD)) for line in told]
        if rest := view.blockers[len(shown) :]:
            found.append(self.label(f"… and {words.count(len(rest), 'more blocker')}, {self.where}"))
        return found

    def todos(self, room: int) -> Iterator[Line]:
        todos, quiet = self.view.todos, total(self.view.quiet)
        room -= 1 if quiet or self.view.waived else 0
        shown = todos if len(todos) <= room else todos[: max(room - 1, 0)]
        for todo in shown:
            yield self.todo(todo)
        if rest := todos[len(shown) :]:
            yield self.label(f"{'… and ' if shown else ''}{words.count(len(rest), 'thing')} to do, {self.where}")
        parts = [f"{words.count(quiet, 'finding')} {'needs' if quiet == 1 else 'need'} nothing"] if quiet else []
        if self.view.waived:
            parts.append(f"{words.count(len(self.view.waived), 'finding')} waived")
        if parts:
            yield self.label(", ".join(parts))

    def todo(self, todo: Todo) -> Line:
        worst = min((finding.severity for finding in todo.findings), key=list(Severity).index)
        text = f"{worst} regression: {todo.title}" if todo.lost else todo.title
        return self.entry(ACTION_WORDS[todo.action], text, ACTION_STYLES.get(todo.action, ()))

    def entry(self, label: str, text: str, style: Style = ACTION_STYLES[Action.FIX_BEFORE]) -> Line:
        return (Span(f"{label:<5}", style), Span(clip(safe(text), self.width - 5)))

    def label(self, text: str) -> Line:
        return (Span(" " * 5), Span(clip(text, self.width - 5), DIM))

    def closing(self) -> Iterator[Line]:
        if self.directory:
            text = f"Reports: {visible(self.directory)}/report.html, report.md, report.json"
            yield (Span(clip(text, self.width), BOLD),)
        elif self.report.findings:
            text = "Details: -v; --mailu-report DIR writes reports with transcripts, logs, waivers."
            yield (Span(clip(text, self.width), DIM),)

    @property
    def where(self) -> str:
        return "see report.html" if self.directory else "-v shows them"

    def shortened(self, text: str, number: int, style: Style = ()) -> Iterator[Line]:
        """At most so many lines of a text."""
        found = wrap(safe(text), self.width)
        if len(found) > number:
            found[number - 1 :] = [clip(" ".join(found[number - 1 :]), self.width)]
        for line in found:
            yield (Span(line, style),)

    # The details

    def details(self) -> Iterator[Line]:
        for number, group in enumerate(self.view.blockers[:FULL], 1):
            yield from self.group(number, group)
            yield ()
        yield from self.brief("More blockers", self.view.blockers[FULL:])
        yield from self.full_todos()
        yield from self.waived()
        yield from self.brief("Nothing to do", self.view.quiet)
        for note in self.report.notes:
            yield from self.text(note, label="note: ", style=("yellow",))
        if self.report.notes:
            yield ()

    def full_todos(self) -> Iterator[Line]:
        if not self.view.todos:
            return
        yield (Span("To do", BOLD),)
        for todo in self.view.todos:
            yield self.todo(todo)
            if todo.advice is not None:
                yield from self.labelled("why", todo.advice.cause)
                yield from self.labelled("do", todo.advice.remedy, BOLD)
                yield from self.pasted(todo.advice.paste)
                yield from self.labelled("see", todo.advice.source, DIM)
            ids = words.listing([f"mailu::{finding.behaviour}" for finding in todo.findings[:2]])
            more = f" and {len(todo.findings) - 2} more" if len(todo.findings) > 2 else ""
            yield from self.labelled("for", f"{ids}{more}", DIM)
        yield ()

    def group(self, number: int, group: Group) -> Iterator[Line]:
        style = VERDICT_STYLES.get(group.verdict, ())
        yield from self.text(group.headline, label=f"{number}. ", style=(*style, "bold"))
        yield from self.text(f"{group.counts} · {group.severity}", indent=3, style=DIM)
        for advice in self.view.advice(group):
            yield from self.labelled("why", advice.cause)
            yield from self.labelled("do", advice.remedy, BOLD)
            yield from self.pasted(advice.paste)
            yield from self.labelled("see", advice.source, DIM)
        for kind in _kinds(finding for finding in group.findings if self.view.stops(finding)):
            yield ()
            yield from self.kind(kind, told_why=group.verdict in (Verdict.INCONCLUSIVE, Verdict.UNSTABLE))
        also = [finding for finding in group.findings if not self.view.stops(finding)]
        if also:
            yield ()
            ids = words.listing([finding.behaviour for finding in also[:2]])
            more = f" and {len(also) - 2} more" if len(also) > 2 else ""
            yield from self.text(f"also different: {ids}{more}", indent=3, style=DIM)

    def kind(self, kind: Sequence[Finding], *, told_why: bool) -> Iterator[Line]:
        """Findings that ended alike on both sides: who is hit by each, and how they ended once."""
        told, rest = firsts(kind, SHOWN)
        for finding in told:
            yield from self.text(finding.title, indent=3, style=BOLD)
            yield from self.identity(finding)
            if finding.means:
                yield from self.text(finding.means, indent=3)
        if rest:
            yield from self.text("same for", indent=3, style=DIM)
        for finding in rest[:IDS]:
            yield from self.identity(finding)
        yield from self.more(len(rest) - IDS, indent=3)
        lead = kind[0]
        yield from self.sides(lead)
        if lead.why and not told_why:
            yield from self.labelled("why", str(lead.why))
        yield from self.labelled("diff", clip(_short(lead), LONGEST), DIM)
        yield from self.labelled("try", lead.reproduce, DIM)

    def identity(self, finding: Finding) -> Iterator[Line]:
        name = f"mailu::{safe(finding.behaviour)}"
        word = str(finding.verdict).upper()
        severity = str(finding.severity)
        gap = self.width - 3 - columns(name) - len(word) - len(severity) - 1
        severity_style: Style = BOLD if finding.severity is Severity.CRITICAL else ()
        style = VERDICT_STYLES.get(finding.verdict, ())
        if gap >= 2:
            yield (
                Span(" " * 3),
                Span(name),
                Span(" " * gap),
                Span(word, style),
                Span(" "),
                Span(severity, severity_style),
            )
            return
        yield from self.text(name, indent=3)
        yield (Span(" " * 3), Span(word, style), Span(" "), Span(severity, severity_style))

    def sides(self, finding: Finding) -> Iterator[Line]:
        """Old and new beside each other where there is room, below each other where there is not."""
        texts = []
        for info, observation in ((self.report.old, finding.old), (self.report.new, finding.new)):
            said = words.reply(observation.reply) if observation is not None else ""
            texts.append((safe(info.release), clip(words.end(observation), LONGEST), clip(said, LONGEST)))
        if self.width < 72:
            for release, ended, said in texts:
                yield from self.text(f"{ended}{': ' if said else ''}{said}", indent=5, label=f"{release}: ")
            return
        room = (self.width - 5 - 3) // 2
        sides = [
            [(line, BOLD) for line in wrap(f"{release}: {ended}", room)]
            + [(line, ()) for line in wrap(said, room) if line]
            for release, ended, said in texts
        ]
        for index in range(max(map(len, sides))):
            left, right = (side[index] if index < len(side) else ("", ()) for side in sides)
            yield (Span(" " * 5), Span(pad(left[0], room), left[1]), Span(" │ ", DIM), Span(*right))

    def waived(self) -> Iterator[Line]:
        waived = self.view.waived
        if not waived:
            return
        yield (Span("Waived", BOLD),)
        for finding in waived[:BRIEF]:
            waiver = finding.waiver
            assert waiver is not None  # noqa: S101 - filtered above
            by = f", {waiver.by}" if waiver.by else ""
            until = f", until {waiver.expires}" if waiver.expires else ""
            name = f"mailu::{finding.behaviour} "
            yield from self.text(f"{name}{finding.verdict}: {waiver.reason}{by}{until}", indent=3, label="- ")
        yield from self.more(len(waived) - BRIEF, indent=3)
        yield ()

    def brief(self, title: str, rest: Sequence[Group]) -> Iterator[Line]:
        """One line for each root cause."""
        if not rest:
            return
        yield (Span(f"{title} ({total(rest)})", BOLD),)
        for verdict in words.VERDICTS:
            alike = [group for group in rest if group.verdict is verdict]
            for group in alike[:BRIEF]:
                yield self.line(group)
            yield from self.more(len(alike) - BRIEF, indent=3)
        yield ()

    def line(self, group: Group) -> Line:
        """One root cause in one line: the verdict, how many findings, and what it is."""
        word = f"{str(group.verdict).upper():<13}"
        number = f"{len(group.findings):>3}  "
        alone = f"mailu::{group.lead.behaviour}: {words.in_brief(group.lead)}"
        text = safe(alone if len(group.findings) == 1 else group.headline)
        room = self.width - 3 - len(word) - len(number)
        return (Span(" " * 3), Span(word, VERDICT_STYLES.get(group.verdict, ())), Span(number), Span(clip(text, room)))

    def more(self, number: int, indent: int) -> Iterator[Line]:
        if number > 0:
            where = "see report.html" if self.directory else "--mailu-report DIR tells them"
            yield from self.text(f"… and {number} more, {where}", indent=indent, style=DIM)

    def labelled(self, label: str, text: str, style: Style = ()) -> Iterator[Line]:
        if text:
            yield from self.text(text, indent=3, label=f"{label:<5}", style=style)

    def pasted(self, text: str) -> Iterator[Line]:
        """Lines to paste: never wrapped, since they are to be copied."""
        for line in text.splitlines():
            yield (Span(" " * 8), Span(visible(line), BOLD))

    def text(self, text: str, *, indent: int = 0, label: str = "", style: Style = ()) -> Iterator[Line]:
        """Wrapped text, made safe; the lines after the first stand below the first one's text, not below its label."""
        text = safe(text)
        label = clip(visible(label), self.width // 2)
        margin = " " * indent
        for index, line in enumerate(wrap(text, self.width - indent - columns(label))):
            yield (Span(margin + (label if index == 0 else " " * columns(label)), DIM), Span(line, style))


def _kinds(findings: Iterable[Finding]) -> list[list[Finding]]:
    """Findings that ended alike and answered alike, together."""
    kinds: dict[tuple[object, ...], list[Finding]] = {}
    for finding in findings:
        key = (finding.verdict, words.end(finding.old), words.end(finding.new), _short(finding))
        kinds.setdefault(key, []).append(finding)
    return list(kinds.values())


def _beyond(finding: Finding) -> tuple[str, ...]:
    """What differs beyond how it ended; nothing where one side has nothing to be compared with."""
    gone = {Outcome.UNREACHABLE, Outcome.NOT_OFFERED}
    if any(side is None or side.outcome is None or side.outcome in gone for side in (finding.old, finding.new)):
        return ()
    found = words.beyond(finding.differences)
    if words.end(finding.old) != words.end(finding.new):
        # Whatever comes after the point where they parted is there on one side alone, and says nothing new.
        found = tuple(difference for difference in found if difference.kind == "changed")
    return words.differences(found)


def _short(finding: Finding, limit: int = 3) -> str:
    found = _beyond(finding)
    more = f" · {len(found) - limit} more" if len(found) > limit else ""
    return " · ".join(found[:limit]) + more
