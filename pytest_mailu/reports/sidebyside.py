"""Two conversations beside each other: what belongs together stands in one row, what differs is marked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TypeAlias

from pytest_mailu.core.text import visible
from pytest_mailu.core.transcript import Event
from pytest_mailu.reports.words import cut

Marked: TypeAlias = tuple[tuple[str, bool], ...]
"""Pieces of a line; True where a piece is not in the other line."""

ALIKE = 0.5
"""From which similarity on two lines are compared word by word."""
WORDS = 200
"""Longer lines are not compared word by word: that takes time with the square of their length, or more."""
ROOM = 200_000
"""Pairs of words that are compared for one conversation; lines beyond that stand side by side without marks."""
MOST = 400
"""Events of one side that are shown."""
LONGEST = 1000
"""Characters of one event that are shown."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of each side, or none."""

    old: Marked
    new: Marked
    differs: bool


def rows(old: Sequence[Event], new: Sequence[Event]) -> tuple[Row, ...]:
    """The events of both sides as people read them, aligned; at most `MOST` of each side."""
    found = list(_rows(old[:MOST], new[:MOST]))
    if missing := max(len(old), len(new)) - MOST:
        mark = ((f"… [{missing} more events]", False),)
        found += [Row(mark, mark, differs=False)] if missing > 0 else []
    return tuple(found)


def _rows(old: Sequence[Event], new: Sequence[Event]) -> Iterator[Row]:
    before, after = [_line(event) for event in old], [_line(event) for event in new]
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    room = ROOM
    for tag, old_start, old_stop, new_start, new_stop in matcher.get_opcodes():
        left, right = old[old_start:old_stop], new[new_start:new_stop]
        for index in range(max(len(left), len(right))):
            said = left[index] if index < len(left) else None
            answered = right[index] if index < len(right) else None
            old_text, new_text = _line(said), _line(answered)
            if tag == "equal":
                yield Row(((old_text, False),), ((new_text, False),), differs=False)
            elif said is not None and answered is not None and said.speaker is answered.speaker:
                room -= len(_words(old_text)) * len(_words(new_text))
                both = marked(old_text, new_text) if room > 0 else (((old_text, False),), ((new_text, False),))
                yield Row(*both, differs=True)
            else:
                # Another speaker, or none: nothing in the one line answers to the other.
                yield Row(((old_text, False),), ((new_text, False),), differs=True)


def _line(event: Event | None) -> str:
    return "" if event is None else visible(cut(str(event), LONGEST))


def marked(old: str, new: str) -> tuple[Marked, Marked]:
    """Two lines with what differs marked; not where so much does that the marks would say nothing."""
    left, right = _words(old), _words(new)
    if max(len(left), len(right)) > WORDS:
        return ((old, False),), ((new, False),)
    matcher = SequenceMatcher(None, left, right, autojunk=False)
    if matcher.quick_ratio() < ALIKE or matcher.ratio() < ALIKE:
        return ((old, False),), ((new, False),)
    before: list[tuple[str, bool]] = []
    after: list[tuple[str, bool]] = []
    for tag, old_start, old_stop, new_start, new_stop in matcher.get_opcodes():
        before.append(("".join(left[old_start:old_stop]), tag != "equal"))
        after.append(("".join(right[new_start:new_stop]), tag != "equal"))
    return tuple(piece for piece in before if piece[0]), tuple(piece for piece in after if piece[0])


def _words(line: str) -> list[str]:
    return re.findall(r"\s+|\w+|[^\w\s]", line)
