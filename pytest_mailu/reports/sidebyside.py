"""Two conversations beside each other: what belongs together stands in one row, what differs is marked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TypeAlias

from pytest_mailu.core.text import visible

Marked: TypeAlias = tuple[tuple[str, bool], ...]
"""Pieces of a line; True where a piece is not in the other line."""

ALIKE = 0.5
"""From which similarity on two lines are compared word by word."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of each side, or none."""

    old: Marked
    new: Marked
    differs: bool


def rows(old: Sequence[str], new: Sequence[str]) -> tuple[Row, ...]:
    """The lines of both sides, aligned."""
    before, after = [visible(line) for line in old], [visible(line) for line in new]
    return tuple(_rows(before, after))


def _rows(old: Sequence[str], new: Sequence[str]) -> Iterator[Row]:
    for tag, old_start, old_stop, new_start, new_stop in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        left, right = old[old_start:old_stop], new[new_start:new_stop]
        for index in range(max(len(left), len(right))):
            one = left[index] if index < len(left) else ""
            other = right[index] if index < len(right) else ""
            if tag == "equal":
                yield Row(((one, False),), ((other, False),), differs=False)
            elif one[:3] == other[:3]:
                yield Row(*marked(one, other), differs=True)
            else:
                # Another speaker, or none: nothing in the one line answers to the other.
                yield Row(((one, False),), ((other, False),), differs=True)


def marked(old: str, new: str) -> tuple[Marked, Marked]:
    """Two lines with what differs marked; not where so much does that the marks would say nothing."""
    left, right = _words(old), _words(new)
    matcher = SequenceMatcher(None, left, right, autojunk=False)
    if matcher.ratio() < ALIKE:
        return ((old, False),), ((new, False),)
    before: list[tuple[str, bool]] = []
    after: list[tuple[str, bool]] = []
    for tag, old_start, old_stop, new_start, new_stop in matcher.get_opcodes():
        before.append(("".join(left[old_start:old_stop]), tag != "equal"))
        after.append(("".join(right[new_start:new_stop]), tag != "equal"))
    return tuple(piece for piece in before if piece[0]), tuple(piece for piece in after if piece[0])


def _words(line: str) -> list[str]:
    return re.findall(r"\s+|\w+|[^\w\s]", line)
