"""Which faults of the lab are tried in one stack together: those that do not hide each other, nor show as each other.

Computed from what the faults say of them; nothing here starts anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

from pytest_mailu.behaviours import Behaviour, built_in
from pytest_mailu.behaviours.in_setup import in_setup
from pytest_mailu.core.globs import any_of
from pytest_mailu.core.setups import SetUp
from tests.lab.faults import LISTS, Fault
from tests.lab.setups import setup_of

MAIL = ("smtp/", "imap/")
"""The lab's files of configuration that decide what a message goes through."""
_SETTING = re.compile(r"(?:\$config\[')?([\w-]+)(?:'\])?\s*=")


@dataclass(frozen=True)
class Placed:
    """A fault among the behaviours of its set-up."""

    fault: Fault
    behaviours: tuple[Behaviour, ...]

    @cached_property
    def asked(self) -> frozenset[str]:
        """The ids of what catches it, and of what has to be asked beside that."""
        return self._ids((*self.fault.caught_by, *self.fault.beside))

    @cached_property
    def hit(self) -> frozenset[str]:
        """The ids of what it may break, or hide.

        Those are all where what catches it stops services, or keeps everybody else from the stack.
        """
        disturbing = any(each.alone or each.disturbs for each in self.behaviours if each.id in self.asked)
        fault = self.fault
        return self._ids(("*",) if disturbing else (*fault.caught_by, *fault.radius, *fault.hides))

    @cached_property
    def sets(self) -> frozenset[str]:
        """What it sets, by name: settings that take one word, and names in files of configuration."""
        single = (name for name in self.fault.settings if name not in LISTS)
        inside = (f"{file} {name}" for file, text in self.fault.lines.items() for name in names_in(text))
        return frozenset([*single, *inside])

    def _ids(self, globs: Sequence[str]) -> frozenset[str]:
        return frozenset(each.id for each in self.behaviours if any_of(globs, each.id))


def names_in(lines: str) -> list[str]:
    """The names that lines of configuration set (Postfix, Dovecot, Roundcube), with the blocks that they stand in."""
    blocks: list[str] = []
    found = []
    for line in map(str.strip, lines.splitlines()):
        if line == "}":
            blocks.pop()
        elif setting := _SETTING.match(line):
            found.append("/".join([*blocks, setting[1]]))
        elif line.endswith("{"):
            blocks.append(line.removesuffix("{").strip())
    return found


def together(one: Placed, other: Placed) -> bool:
    """Whether two faults can be in one stack, and what catches each of them still proves that it was caught."""
    return (
        setup_of(one.fault) == setup_of(other.fault)
        and not one.sets & other.sets
        and not one.asked & other.hit
        and not other.asked & one.hit
        and _is_unchanged(one, other)
        and _is_unchanged(other, one)
    )


def _is_unchanged(one: Placed, other: Placed) -> bool:
    """Whether `one` is not told by a change, or `other` cannot make one there.

    A radius says what is regressed and not what is only changed, so nothing of the same family may be hit, and no
    server that mail goes through be set up otherwise.
    """
    if one.fault.verdict != "changed":
        return True
    families = {id_.partition("/")[0] for id_ in one.asked}
    return not families & {id_.partition("/")[0] for id_ in other.hit} and not any(
        file.startswith(MAIL) for file in other.fault.lines
    )


def grouped(faults: Iterable[Placed]) -> tuple[tuple[Fault, ...], ...]:
    """All of them in groups, always the same: those that hit most come first, each in the first group that can have it.

    Who hits most has the fewest to be together with, so this makes fewer groups than the order of the list.
    """
    groups: list[list[Placed]] = []
    for fault in sorted(faults, key=lambda placed: -len(placed.hit)):
        for group in groups:
            if all(together(fault, other) for other in group):
                group.append(fault)
                break
        else:
            groups.append([fault])
    return tuple(tuple(placed.fault for placed in group) for group in groups)


def in_the_matrix(faults: Iterable[Fault]) -> list[Placed]:
    """Faults among what the whole matrix asks in their set-ups."""

    @cache
    def of_setup(setup: SetUp) -> tuple[Behaviour, ...]:
        return tuple(in_setup(built_in(), setup).answered)

    return [Placed(fault, of_setup(setup_of(fault))) for fault in faults]
