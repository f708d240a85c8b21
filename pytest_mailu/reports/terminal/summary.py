"""The summary, which ends every run: the decision, the blockers, the things to do, and where the reports are."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_mailu.core.model import Verdict
from pytest_mailu.core.text import visible
from pytest_mailu.reports import words
from pytest_mailu.reports.folder import FORMATS
from pytest_mailu.reports.groups import Group
from pytest_mailu.reports.terminal.page import BOLD, DECISION_STYLES, DIM, NOTE, Line, Page, Span
from pytest_mailu.reports.textwidth import clip, columns
from pytest_mailu.reports.view import ReportView, total

SUMMARY = 20
"""Lines of the summary at most."""
_LAST_LINES = 3
"""Of the log of a service that did not start; the reports have more."""
_IN_PLACE = 4
"""Sentences about an upgrade in place; the reports have all of them."""


def summary(view: ReportView, page: Page, *, with_todos: bool = True) -> Iterator[Line]:
    """The lines; without `with_todos` the things to do are only counted."""
    quiet = _quiet(view)
    head, end = [*_decision(view, page)], [*_closing(view, page, quiet)]
    room = SUMMARY - len(head) - len(end)
    blockers = _blockers(view, page, room)
    room -= len(blockers)
    yield from head
    yield from blockers
    yield from _todos(view, page, room if with_todos else 1)
    yield from end


def _decision(view: ReportView, page: Page) -> Iterator[Line]:
    report = view.report
    style = DECISION_STYLES[report.decision]
    word, sides = clip(view.decision, page.width), clip(view.sides, page.width)
    if columns(word) + 2 + columns(sides) <= page.width:
        yield (Span(word, style), Span("  "), Span(sides, BOLD))
    else:
        yield (Span(word, style),)
        yield (Span(sides, BOLD),)
    yield from page.shortened(view.sentence, 3)
    notes = report.notes
    most = 2 if report.findings else 6
    for note in notes[:most]:
        yield from page.shortened(note, 1 if report.findings else 2, NOTE)
    if len(notes) > most:
        yield page.below(f"… and {len(notes) - most} more notes, {page.where}")
    if not any(report.counts.values()):
        return
    yield from page.shortened(view.counts_in_short, 2, DIM)
    if left := view.not_compared_in_short:
        yield from page.shortened(f"Not compared: {'; '.join(left)}.", 2, DIM)
    if view.provenance:
        yield from page.shortened(view.provenance_in_short, 2, DIM)
    for sentence in view.in_place[:_IN_PLACE]:
        yield from page.shortened(f"in place: {sentence}", 2)


def _blockers(view: ReportView, page: Page, room: int) -> list[Line]:
    """Each blocker with what to paste or what a service said last; on one line where there are many."""
    if len(full := [line for group in view.blockers for line in _blocker_in_full(view, page, group)]) < room:
        return full
    shown = view.blockers if len(view.blockers) < room else view.blockers[: max(room - 2, 1)]
    found = [page.entry(_label(group), group.headline, mark=_weight(view, group)) for group in shown]
    if rest := view.blockers[len(shown) :]:
        found.append(page.below(f"… and {words.count(len(rest), 'more blocker')}, {page.where}"))
    return found


def _blocker_in_full(view: ReportView, page: Page, group: Group) -> Iterator[Line]:
    yield from page.whole_entry(_label(group), group.headline + _weight(view, group))
    for line in _remedy(view, page, group):
        yield page.below(visible(line), BOLD)
    if group.verdict is Verdict.INCONCLUSIVE:
        for line in view.last_lines(group)[-_LAST_LINES:]:
            yield page.below(visible(line))


def _remedy(view: ReportView, page: Page, group: Group) -> list[str]:
    """What to paste where it fits, else what to do."""
    for advice in view.advice(group)[:1]:
        paste = advice.paste.splitlines()
        # Half a block is worse than none: it would be pasted.
        if 0 < len(paste) <= 2 and all(columns(visible(line)) <= page.width - 5 for line in paste):
            return paste
        return [advice.title] if advice.title and advice.title != group.headline else []
    return []


def _label(group: Group) -> str:
    return "fix" if group.verdict is Verdict.REGRESSED else "look"


def _weight(view: ReportView, group: Group) -> str:
    """` (19 regressed, critical)`."""
    stopping = Group(group.root, tuple(filter(view.stops, group.findings)))
    return f" ({stopping.counts}, {group.severity})"


def _todos(view: ReportView, page: Page, room: int) -> Iterator[Line]:
    todos = view.todos
    shown = todos if len(todos) <= room else todos[: max(room - 1, 0)]
    for todo in shown:
        yield page.todo(todo, view.mark(todo.findings))
    if rest := todos[len(shown) :]:
        yield page.below(f"{'… and ' if shown else ''}{words.count(len(rest), 'thing')} to do, {page.where}")


def _quiet(view: ReportView) -> str:
    """`47 findings need nothing, 2 findings waived`."""
    quiet, waived = total(view.quiet), len(view.waived)
    parts = [f"{words.count(quiet, 'finding')} {'needs' if quiet == 1 else 'need'} nothing"] if quiet else []
    if waived:
        parts.append(f"{words.count(waived, 'finding')} waived")
    return ", ".join(parts)


def _closing(view: ReportView, page: Page, quiet: str) -> Iterator[Line]:
    """What needs nothing, and where the reports are: on one line where there are none."""
    where = "-v has details; --mailu-report DIR writes reports."
    if page.directory:
        if quiet:
            yield page.below(quiet)
        text = f"Reports: {visible(page.directory)}/{', '.join((*FORMATS, 'report.json'))}"
        yield (Span(clip(text, page.width), BOLD),)
    elif quiet and columns(quiet) + 2 + columns(where) <= page.width:
        yield (Span(f"{quiet}. {where}", DIM),)
    elif view.report.findings:
        if quiet:
            yield page.below(quiet)
        yield (Span(clip(where, page.width), DIM),)
