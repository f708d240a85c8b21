"""What both parts of the terminal's report are written with: styled lines of a width, safe to print."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from pytest_mailu.core.model import Action, Decision, Verdict
from pytest_mailu.core.text import safe, visible
from pytest_mailu.reports.textwidth import clip, columns, wrap
from pytest_mailu.reports.view import Todo

Style: TypeAlias = tuple[str, ...]
"""Words of pytest's TerminalWriter: `red`, `bold` …"""


class Span(NamedTuple):
    """Text in one style."""

    text: str
    style: Style = ()


Line: TypeAlias = tuple[Span, ...]

DIM: Style = ("light",)
BOLD: Style = ("bold",)
NOTE: Style = ("yellow",)

DECISION_STYLES: Mapping[Decision, Style] = {
    Decision.GO: ("green", "bold"),
    Decision.GO_WITH_WAIVERS: ("yellow", "bold"),
    Decision.NO_GO: ("red", "bold"),
    Decision.CANNOT_TELL: ("yellow", "bold"),
}
VERDICT_STYLES: Mapping[Verdict, Style] = {
    Verdict.REGRESSED: ("red",),
    Verdict.UNSTABLE: ("yellow",),
    Verdict.INCONCLUSIVE: ("yellow",),
    Verdict.CHANGED: ("cyan",),
    Verdict.GAINED: ("green",),
}
ACTION_STYLES: Mapping[Action, Style] = {
    Action.FIX_BEFORE: ("red", "bold"),
    Action.DO: ("yellow",),
    Action.TELL: ("cyan",),
    Action.LOOK: ("cyan",),
}
ACTION_WORDS: Mapping[Action, str] = {
    Action.FIX_BEFORE: "fix",
    Action.DO: "do",
    Action.TELL: "tell",
    Action.LOOK: "look",
    Action.NOTHING: "–",
}

_LABEL = 5
"""Columns of the label in front of an entry."""


@dataclass(frozen=True, slots=True)
class Page:
    """`width` is in columns; `directory` is where the other reports were written, or ""."""

    width: int
    directory: str

    @property
    def where(self) -> str:
        """Where the rest is told."""
        return "see report.html" if self.directory else "-v shows them"

    def entry(self, label: str, text: str, style: Style = ACTION_STYLES[Action.FIX_BEFORE], mark: str = "") -> Line:
        """A label, and one line of text behind it; the mark at its end is never cut off."""
        room = self.width - _LABEL
        shown = clip(safe(text), max(room - len(mark), 1))
        return (Span(f"{label:<{_LABEL}}", style), Span(clip(shown + mark, room)))

    def whole_entry(self, label: str, text: str, style: Style = ACTION_STYLES[Action.FIX_BEFORE]) -> Iterator[Line]:
        """The same with all of the text."""
        first, *rest = wrap(safe(text), self.width - _LABEL) or [""]
        yield (Span(f"{label:<{_LABEL}}", style), Span(first))
        for line in rest:
            yield (Span(" " * _LABEL), Span(line))

    def todo(self, todo: Todo, mark: str) -> Line:
        """One thing to do."""
        return self.entry(ACTION_WORDS[todo.action], todo.weight + todo.title, ACTION_STYLES.get(todo.action, ()), mark)

    def below(self, text: str, style: Style = DIM) -> Line:
        """One line below the text of an entry."""
        return (Span(" " * _LABEL), Span(clip(text, self.width - _LABEL), style))

    def text(self, text: str, *, indent: int = 0, label: str = "", style: Style = ()) -> Iterator[Line]:
        """Wrapped text; the lines after the first stand below the first one's text, not below its label."""
        label = clip(visible(label), self.width // 2)
        margin = " " * indent
        for index, line in enumerate(wrap(safe(text), self.width - indent - columns(label))):
            yield (Span(margin + (label if index == 0 else " " * columns(label)), DIM), Span(line, style))

    def shortened(self, text: str, number: int, style: Style = ()) -> Iterator[Line]:
        """At most so many lines of a text."""
        found = wrap(safe(text), self.width)
        if len(found) > number:
            found[number - 1 :] = [clip(" ".join(found[number - 1 :]), self.width)]
        for line in found:
            yield (Span(line, style),)

    def labelled(self, label: str, text: str, style: Style = ()) -> Iterator[Line]:
        """Wrapped text with a label, where there is a text."""
        if text:
            yield from self.text(text, indent=3, label=f"{label:<{_LABEL}}", style=style)

    def pasted(self, text: str) -> Iterator[Line]:
        """Lines to paste: never wrapped, since they are to be copied."""
        for line in text.splitlines():
            yield (Span(" " * 8), Span(visible(line), BOLD))

    def more(self, number: int, indent: int = 3) -> Iterator[Line]:
        """How many more there are, where there are any."""
        if number > 0:
            where = "see report.html" if self.directory else "--mailu-report DIR tells them"
            yield from self.text(f"… and {number} more, {where}", indent=indent, style=DIM)
