"""The details of a report, with -v: blockers with their evidence, things to do with reasons, the rest in brief."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pytest_mailu.core.model import Advice, Finding, Outcome, Severity, Verdict
from pytest_mailu.core.text import safe
from pytest_mailu.reports import words
from pytest_mailu.reports.groups import Group, firsts
from pytest_mailu.reports.terminal.page import BOLD, DIM, NOTE, VERDICT_STYLES, Line, Page, Span
from pytest_mailu.reports.textwidth import clip, columns, pad, wrap
from pytest_mailu.reports.view import ReportView, total

FULL = 10
"""Root causes that are told in full; the others in one line each."""
SHOWN = 4
"""Behaviours of one kind that are told in full, one for everybody who is hit; the others by id."""
IDS = 8
"""Further ids; the others are counted."""
BRIEF = 10
"""Root causes of one section and verdict that are told in one line each; the others are counted."""
LONGEST = 240
"""Columns of what one server said; report.html has all of it."""


def details(view: ReportView, page: Page) -> Iterator[Line]:
    """The lines, with an empty one after each section."""
    for number, group in enumerate(view.blockers[:FULL], 1):
        yield from _group(view, page, number, group)
        yield ()
    yield from _brief(view, page, "More blockers", view.blockers[FULL:])
    yield from _full_todos(view, page)
    yield from _waived(view, page)
    yield from _brief(view, page, "Nothing to do", view.quiet)
    for deviation in view.deviations:
        yield from page.text(f"{deviation.name}: {deviation.text}", label="* ", style=DIM)
    if view.deviations:
        yield ()
    for note in view.report.notes:
        yield from page.text(note, label="note: ", style=NOTE)
    if view.report.notes:
        yield ()


def _full_todos(view: ReportView, page: Page) -> Iterator[Line]:
    if not view.todos:
        return
    yield (Span("To do", BOLD),)
    for todo in view.todos:
        yield page.todo(todo, view.mark(todo.findings))
        if todo.advice is not None:
            yield from _advice(page, todo.advice)
        yield from page.labelled("for", _first_two([f"mailu::{finding.behaviour}" for finding in todo.findings]), DIM)
    yield ()


def _group(view: ReportView, page: Page, number: int, group: Group) -> Iterator[Line]:
    style = VERDICT_STYLES.get(group.verdict, ())
    yield from page.text(group.headline, label=f"{number}. ", style=(*style, "bold"))
    yield from page.text(f"{view.counts_of(group)} · {group.severity}", indent=3, style=DIM)
    for advice in view.advice(group):
        yield from _advice(page, advice)
    for line in view.last_lines(group):
        yield from page.labelled("log", clip(line, LONGEST), DIM)
    for kind in _kinds(finding for finding in group.findings if view.stops(finding)):
        yield ()
        yield from _kind(view, page, kind, told_why=group.verdict in (Verdict.INCONCLUSIVE, Verdict.UNSTABLE))
    if also := [finding.behaviour for finding in group.findings if not view.stops(finding)]:
        yield ()
        yield from page.text(f"also different: {_first_two(also)}", indent=3, style=DIM)


def _advice(page: Page, advice: Advice) -> Iterator[Line]:
    yield from page.labelled("why", advice.cause)
    yield from page.labelled("do", advice.remedy, BOLD)
    yield from page.pasted(advice.paste)
    yield from page.labelled("see", advice.source, DIM)


def _first_two(ids: Sequence[str]) -> str:
    return words.listing(ids[:2]) + (f" and {len(ids) - 2} more" if len(ids) > 2 else "")


def _kind(view: ReportView, page: Page, kind: Sequence[Finding], *, told_why: bool) -> Iterator[Line]:
    """Findings that ended alike on both sides: who is hit by each, and how they ended once."""
    told, rest = firsts(kind, SHOWN)
    for finding in told:
        yield from page.text(finding.title, indent=3, style=BOLD)
        yield from _identity(page, finding)
        if finding.means:
            yield from page.text(finding.means, indent=3)
    if rest:
        yield from page.text("same for", indent=3, style=DIM)
    for finding in rest[:IDS]:
        yield from _identity(page, finding)
    yield from page.more(len(rest) - IDS)
    lead = kind[0]
    yield from _sides(view, page, lead)
    if lead.why and not told_why:
        yield from page.labelled("why", str(lead.why))
    yield from page.labelled("diff", clip(_short(lead), LONGEST), DIM)
    if deviation := view.deviation(lead):
        yield from page.labelled("*", deviation.text, DIM)
    yield from page.labelled("try", lead.reproduce, DIM)


def _identity(page: Page, finding: Finding) -> Iterator[Line]:
    """The id, and at the right margin verdict and severity; on the next line where they do not fit."""
    name, margin = f"mailu::{safe(finding.behaviour)}", Span(" " * 3)
    word, severity = str(finding.verdict).upper(), str(finding.severity)
    grade: Line = (
        Span(word, VERDICT_STYLES.get(finding.verdict, ())),
        Span(" "),
        Span(severity, BOLD if finding.severity is Severity.CRITICAL else ()),
    )
    gap = page.width - 3 - columns(name) - len(word) - len(severity) - 1
    if gap >= 2:
        yield (margin, Span(name), Span(" " * gap), *grade)
        return
    yield from page.text(name, indent=3)
    yield (margin, *grade)


def _sides(view: ReportView, page: Page, finding: Finding) -> Iterator[Line]:
    """Old and new beside each other where there is room, below each other where there is not."""
    texts = []
    for info, observation in ((view.report.old, finding.old), (view.report.new, finding.new)):
        said = words.reply(observation.reply) if observation is not None else ""
        texts.append((safe(info.release), clip(words.end(observation), LONGEST), clip(said, LONGEST)))
    if page.width < 72:
        for release, ended, said in texts:
            yield from page.text(f"{ended}{': ' if said else ''}{said}", indent=5, label=f"{release}: ")
        return
    room = (page.width - 5 - 3) // 2
    sides = [
        [(line, BOLD) for line in wrap(f"{release}: {ended}", room)] + [(line, ()) for line in wrap(said, room) if line]
        for release, ended, said in texts
    ]
    for index in range(max(map(len, sides))):
        left, right = (side[index] if index < len(side) else ("", ()) for side in sides)
        yield (Span(" " * 5), Span(pad(left[0], room), left[1]), Span(" │ ", DIM), Span(*right))


def _waived(view: ReportView, page: Page) -> Iterator[Line]:
    waived = view.waived
    if not waived:
        return
    yield (Span("Waived", BOLD),)
    for finding in waived[:BRIEF]:
        waiver = finding.waiver
        assert waiver is not None  # noqa: S101 - filtered above
        by = f", {waiver.by}" if waiver.by else ""
        until = f", until {waiver.expires}" if waiver.expires else ""
        name = f"mailu::{finding.behaviour} "
        yield from page.text(f"{name}{finding.verdict}: {waiver.reason}{by}{until}", indent=3, label="- ")
    yield from page.more(len(waived) - BRIEF)
    yield ()


def _brief(view: ReportView, page: Page, title: str, rest: Sequence[Group]) -> Iterator[Line]:
    """One line for each root cause."""
    if not rest:
        return
    yield (Span(f"{title} ({total(rest)})", BOLD),)
    for verdict in words.VERDICTS:
        alike = [group for group in rest if group.verdict is verdict]
        for group in alike[:BRIEF]:
            yield _line(page, group, view.mark(group.findings))
        yield from page.more(len(alike) - BRIEF)
    yield ()


def _line(page: Page, group: Group, mark: str) -> Line:
    """One root cause in one line: the verdict, how many findings, and what it is."""
    word = f"{str(group.verdict).upper():<13}"
    number = f"{len(group.findings):>3}  "
    alone = f"mailu::{group.lead.behaviour}: {words.in_brief(group.lead)}"
    text = safe(alone if len(group.findings) == 1 else group.headline)
    room = page.width - 3 - len(word) - len(number) - len(mark)
    shown = clip(text, room) + mark
    return (Span(" " * 3), Span(word, VERDICT_STYLES.get(group.verdict, ())), Span(number), Span(shown))


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
