"""A report for a pull request: the decision, what stops and what cures it, and the rest folded away.

What a server said must not become markup, leave its table cell, or call anybody: every character that Markdown or HTML
could take for its own is written as an entity, which both take for text (CommonMark 0.31 section 2.5), and stands in
`<code>`, where the big forges look for no names, issues or addresses.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pytest_mailu.core.model import Advice, Finding
from pytest_mailu.core.text import safe, visible
from pytest_mailu.reports import words
from pytest_mailu.reports.groups import Group, firsts
from pytest_mailu.reports.textwidth import clip
from pytest_mailu.reports.view import ReportView, total

COMMENT_LIMIT = 65_000
"""Characters that a comment on GitHub may have, with a margin (65536)."""
LONGEST = 300
"""Characters of one text; what is longer is in report.html whole."""
GROUPS = 12
NOTES = 12
LISTED = 24

_MARKUP = re.compile(r"[\\`*_\[\]|~$]|^[-+#=]")
_CALL = re.compile(r"(?<!\w)@(?=\w)|(?<=[#!&%])(?=\d)|(?<=://)")


@dataclass(frozen=True, slots=True)
class _Shape:
    """How much is told: rows of a table, ids of further behaviours, whether waivers and whole things to do are."""

    rows: int
    ids: int
    entries: bool
    todos: bool


_SHAPES = (
    _Shape(8, 400, entries=True, todos=True),
    _Shape(8, 40, entries=False, todos=True),
    _Shape(4, 0, entries=False, todos=False),
)


def render(view: ReportView, limit: int = COMMENT_LIMIT) -> str:
    """The report in GitHub's Markdown, at most `limit` characters: told shorter rather than cut off."""
    text = ""
    for shape in _SHAPES:
        text = "\n".join(_page(view, shape)) + "\n"
        if len(text) <= limit:
            return text
    return text[: text.rfind("\n\n", 0, limit) + 1]


def prose(text: str) -> str:
    """Text between markup, taken literally; nobody is called by it, nothing is linked."""
    return _literal(clip(safe(text), LONGEST))


def code(text: str) -> str:
    """Text as code, in a table or anywhere else in a line."""
    shown = clip(safe(text), LONGEST)
    return f"<code>{_MARKUP.sub(lambda found: f'&#{ord(found[0])};', html.escape(shown, quote=False))}</code>"


def block(lines: Iterable[str], language: str = "") -> str:
    """Lines as a code block, whose fence is longer than any in them (CommonMark 0.31 section 4.5)."""
    shown = [visible(line) for line in lines]
    longest = max((len(run) for line in shown for run in re.findall(r"`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join((f"{fence}{language}", *shown, fence))


def _page(view: ReportView, shape: _Shape) -> Iterator[str]:
    yield f"## {prose(view.title)}"
    # Here, so that it is there however short the report is cut.
    yield "<!-- made by pytest-mailu -->"
    yield ""
    yield f"**{prose(view.sentence)}**"
    yield ""
    yield prose(view.counts)
    if view.not_compared:
        yield ""
        yield f"Not compared: {prose('; '.join(view.not_compared))}."
    if view.provenance:
        yield ""
        yield f"> {prose(view.provenance)}"
        yield from (f"> <br>\\* {deviation.name}: {prose(deviation.text)}" for deviation in view.deviations)
    for note in view.report.notes[:NOTES]:
        yield ""
        yield f"> {prose(note)}"
    if view.blockers:
        yield from ("", "### Fix before the upgrade")
    for number, group in enumerate(view.blockers[:GROUPS], 1):
        yield from _blocker(view, number, group, shape)
    yield from _brief("More blockers", view.blockers[GROUPS:], view)
    if view.in_place:
        yield from ("", "### The upgrade in place", "", *(f"- {prose(sentence)}" for sentence in view.in_place))
    yield from _todos(view, shape)
    yield from _waived(view.waived, shape)
    yield from _brief("Nothing to do", view.quiet, view)
    yield from _compared(view)


def _blocker(view: ReportView, number: int, group: Group, shape: _Shape) -> Iterator[str]:
    yield ""
    yield f"#### {number}. {prose(group.headline)}"
    yield ""
    yield f"{prose(view.counts_of(group))} · {group.severity}"
    hit = view.hit(group)
    named = hit[: shape.rows // 2]
    yield from ("", *(f"- {prose(breaks)}" for breaks in named))
    if more := len(hit) - len(named):
        yield f"- and {more} more"
    for advice in view.advice(group):
        yield from _advice(advice)
    if lines := view.last_lines(group):
        yield ""
        yield from _folded("The last log lines of the service", lines, "text")
    told, rest = firsts(group.findings, shape.rows)
    yield ""
    yield f"<details><summary>What each side did ({len(group.findings)})</summary>"
    yield ""
    yield f"| what | {prose(view.report.old.release)} | {prose(view.report.new.release)} |"
    yield "|---|---|---|"
    for finding in told:
        breaks = f"<br>{prose(finding.means)}" if finding.means else ""
        mark = prose(view.mark([finding]))
        what = f"**{prose(finding.title)}**{mark}{breaks}<br>{code('mailu::' + finding.behaviour)}"
        yield f"| {what} | {_side(finding, new=False)} | {_side(finding, new=True)} |"
    yield ""
    ids = [f"mailu::{finding.behaviour}  {finding.verdict}" for finding in rest[: shape.ids]]
    if ids:
        yield block(ids, "text")
    yield from _more(len(rest) - shape.ids)
    yield from ("", "</details>", "")
    yield from _folded("By hand", [finding.reproduce for finding in told], "sh")
    if shape.entries:
        entries = [view.waiver_entry(finding) for finding in group.findings]
        yield from _folded("Waivers to paste into mailu-waivers.toml; give each a reason", entries, "toml")


def _advice(advice: Advice, indent: str = "") -> Iterator[str]:
    yield ""
    yield f"{indent}**Why:** {_told(advice.cause)}<br>"
    yield f"{indent}**Do:** {_told(advice.remedy)}"
    if advice.paste:
        yield ""
        yield from (f"{indent}{line}" for line in block(advice.paste.split("\n")).split("\n"))
    yield ""
    yield f"{indent}**See:** {_told(advice.source)}"


def _todos(view: ReportView, shape: _Shape) -> Iterator[str]:
    todos = view.todos
    if not todos:
        return
    yield from ("", f"### To do ({len(todos)})")
    for todo in todos[:LISTED]:
        found = words.count(len(todo.findings), "finding")
        yield ""
        yield f"- [ ] **{todo.label}:** {todo.weight}{prose(todo.title + view.mark(todo.findings))} ({found})"
        if shape.todos and todo.advice is not None:
            yield from _advice(todo.advice, "  ")
        elif todo.paste:
            yield from (f"  {line}" for line in block(todo.paste).split("\n"))
    yield from _more(len(todos) - LISTED)


def _compared(view: ReportView) -> Iterator[str]:
    report = view.report
    yield from ("", "<details><summary>What was compared</summary>", "", "| | old | new |", "|---|---|---|")
    rows = {
        "release": (report.old.release, report.new.release),
        "version, as the image says": (report.old.version, report.new.version),
        "from": (report.old.provenance, report.new.provenance),
    }
    for name, (old, new) in rows.items():
        yield f"| {name} | {prose(old)} | {prose(new)} |"
    yield ""
    made = [("Made", report.run.date), ("by pytest-mailu", report.run.plugin), ("with", report.run.command)]
    made.append(("settings from", ", ".join(report.run.files)))
    yield " ".join(f"{name} {code(text)}" for name, text in made if text)
    yield from ("", "</details>")


def _side(finding: Finding, *, new: bool) -> str:
    observation = finding.new if new else finding.old
    said = words.reply(observation.reply) if observation is not None else ""
    return prose(words.end(observation)) + (f"<br>{code(said)}" if said else "")


def _folded(title: str, texts: Sequence[str], language: str) -> Iterator[str]:
    lines = [line for text in dict.fromkeys(texts) if text for line in text.split("\n")]
    if not lines:
        return
    while lines[-1] == "":
        lines.pop()
    yield f"<details><summary>{title}</summary>"
    yield ""
    yield block(lines, language)
    yield ""
    yield "</details>"


def _waived(waived: Sequence[Finding], shape: _Shape) -> Iterator[str]:
    if not waived:
        return
    yield from ("", "### Waived", "", "| behaviour | verdict | reason |", "|---|---|---|")
    for finding in waived[: shape.rows]:
        waiver = finding.waiver
        assert waiver is not None  # noqa: S101 - chosen so
        until = f", until {waiver.expires}" if waiver.expires else ""
        by = f", {waiver.by}" if waiver.by else ""
        yield f"| {code('mailu::' + finding.behaviour)} | {finding.verdict} | {prose(f'{waiver.reason}{by}{until}')} |"
    yield from _more(len(waived) - shape.rows)


def _brief(title: str, told: Sequence[Group], view: ReportView) -> Iterator[str]:
    if not told:
        return
    yield from ("", f"<details><summary>{title} ({total(told)})</summary>", "")
    yield from ("| verdict | findings | what |", "|---|---|---|")
    for group in told[: 2 * GROUPS]:
        lead = group.lead
        what = prose(group.headline)
        if len(group.findings) == 1:
            what = f"{prose(lead.title)}: {code(words.in_brief(lead))}<br>{code('mailu::' + lead.behaviour)}"
        what += prose(view.mark(group.findings))
        yield f"| {group.verdict} | {len(group.findings)} | {what} |"
    yield from _more(len(told) - 2 * GROUPS)
    yield from ("", "</details>")


def _more(number: int) -> Iterator[str]:
    if number > 0:
        yield ""
        yield f"… and {number} more in report.html"


def _told(text: str) -> str:
    """Our own text, with addresses that can be followed and code as code."""
    shown = {"address": lambda piece: f"<{piece}>", "code": code, "text": _literal}
    return "".join(shown[kind](piece) for piece, kind in words.pieces(text))


def _literal(text: str) -> str:
    apart = _CALL.sub(lambda found: f"{found[0]}\u200b", text)
    return _MARKUP.sub(lambda found: f"&#{ord(found[0])};", html.escape(apart, quote=False))
