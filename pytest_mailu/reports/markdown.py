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

from pytest_mailu.core.model import Finding
from pytest_mailu.core.text import safe, visible
from pytest_mailu.reports import words
from pytest_mailu.reports.groups import Group, firsts
from pytest_mailu.reports.textwidth import clip
from pytest_mailu.reports.view import ReportView

COMMENT_LIMIT = 65_000
"""Characters that a comment on GitHub may have, with a margin (65536)."""
LONGEST = 300
"""Characters of one text; what is longer is in report.html whole."""
GROUPS = 12
NOTES = 12

_MARKUP = re.compile(r"[\\`*_\[\]|~$]|^[-+#=]")
_CALL = re.compile(r"(?<!\w)@(?=\w)|(?<=[#!&%])(?=\d)|(?<=://)")


@dataclass(frozen=True, slots=True)
class _Shape:
    """How much is told: rows of a table, ids of further behaviours, and whether waivers are."""

    rows: int
    ids: int
    entries: bool


_SHAPES = (_Shape(8, 400, entries=True), _Shape(8, 40, entries=False), _Shape(3, 0, entries=False))


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
    yield ""
    yield f"**{prose(view.sentence)}**"
    yield ""
    yield prose(view.counts)
    for number, group in enumerate(view.blockers[:GROUPS], 1):
        yield from _group(view, number, group, shape)
    yield from _brief("More blockers", view.blockers[GROUPS:])
    yield from _waived(view.waived, shape)
    yield from _brief("Also different", view.others)
    for note in view.report.notes[:NOTES]:
        yield ""
        yield f"> {prose(note)}"


def _group(view: ReportView, number: int, group: Group, shape: _Shape) -> Iterator[str]:
    yield ""
    yield f"### {number}. {prose(group.headline)}"
    yield ""
    yield f"{prose(group.counts)} · {group.severity}"
    for advice in group.advice:
        yield ""
        yield f"**Why:** {_told(advice.cause)}<br>"
        yield f"**Do:** {_told(advice.remedy)}<br>"
        yield f"**See:** {_told(advice.source)}"
    yield ""
    yield f"| who is hit | {prose(view.report.old.release)} | {prose(view.report.new.release)} |"
    yield "|---|---|---|"
    told, rest = firsts(group.findings, shape.rows)
    for finding in told:
        what = f"**{prose(finding.title)}**<br>{prose(finding.breaks)}<br>{code('mailu::' + finding.behaviour)}"
        yield f"| {what} | {_side(finding, new=False)} | {_side(finding, new=True)} |"
    yield ""
    ids = [f"mailu::{finding.behaviour}  {finding.verdict}" for finding in rest[: shape.ids]]
    yield from _folded(f"{len(rest)} more of this cause", ids, "text")
    yield from _more(len(rest) - shape.ids)
    yield from _folded("By hand", [finding.reproduce for finding in told], "sh")
    if shape.entries:
        entries = [view.waiver_entry(finding) for finding in group.findings]
        yield from _folded("Waivers ready to paste into mailu-waivers.toml", entries, "toml")


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


def _brief(title: str, told: Sequence[Group]) -> Iterator[str]:
    if not told:
        return
    yield from ("", f"<details><summary>{title} ({sum(len(group.findings) for group in told)})</summary>", "")
    yield from ("| verdict | findings | what |", "|---|---|---|")
    for group in told[: 2 * GROUPS]:
        lead = group.lead
        what = prose(group.headline)
        if len(group.findings) == 1:
            what = f"{prose(lead.title)}: {code(words.in_brief(lead))}<br>{code('mailu::' + lead.behaviour)}"
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
