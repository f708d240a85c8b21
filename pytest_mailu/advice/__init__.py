"""Why behaviours change between releases and what to do: entries in TOML files, matched against comparisons."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from pytest_mailu.compare import view
from pytest_mailu.globs import matches
from pytest_mailu.model import Advice, Comparison, Observation
from pytest_mailu.ranges import ReleaseRange


@dataclass(frozen=True, slots=True)
class Entry:
    """One known change. It fits a comparison when every condition it names is met.

    `behaviours` are globs over ids; `verdicts` and `paths` (globs over difference paths) need one hit each; `old` and
    `new` map paths of an observation (as in differences) to globs over their values.
    """

    advice: Advice
    behaviours: tuple[str, ...]
    from_: ReleaseRange = ReleaseRange()
    to: ReleaseRange = ReleaseRange()
    verdicts: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    old: Mapping[str, str] = field(default_factory=dict)
    new: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, table: Mapping[str, Any]) -> Entry:
        """An entry from its TOML table; KeyError where `id`, `cause`, `remedy`, `source` or `behaviours` is missing."""
        return cls(
            Advice(table["id"], table["cause"], table["remedy"], table["source"]),
            tuple(table["behaviours"]),
            ReleaseRange(table.get("from", "")),
            ReleaseRange(table.get("to", "")),
            tuple(table.get("verdicts", ())),
            tuple(table.get("paths", ())),
            table.get("old", {}),
            table.get("new", {}),
        )

    def fits(self, comparison: Comparison, old_release: str, new_release: str) -> bool:
        """Whether this explains that."""
        return (
            _any(self.behaviours, (comparison.question.id,))
            and (not self.verdicts or comparison.verdict in self.verdicts)
            and old_release in self.from_
            and new_release in self.to
            and (not self.paths or _any(self.paths, (difference.path for difference in comparison.differences)))
            and _shows(self.old, comparison.old)
            and _shows(self.new, comparison.new)
        )


class Advisor:
    """Knows all entries."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries = tuple(entries)

    @classmethod
    def load(cls) -> Advisor:
        """The entries of the package, file by file in alphabetical order."""
        tables: list[Mapping[str, Any]] = []
        for file in sorted(files(__name__).iterdir(), key=lambda entry: entry.name):
            if file.name.endswith(".toml"):
                tables.extend(tomllib.loads(file.read_text("utf-8"))["advice"])
        return cls(map(Entry.parse, tables))

    def advise(self, comparison: Comparison, old_release: str, new_release: str) -> tuple[Advice, ...]:
        """What is known about a comparison, in the order of the files."""
        return tuple(entry.advice for entry in self.entries if entry.fits(comparison, old_release, new_release))


def _any(globs: Iterable[str], words: Iterable[str]) -> bool:
    words = tuple(words)
    return any(matches(glob, word) for glob in globs for word in words)


def _shows(wanted: Mapping[str, str], attempts: tuple[Observation, ...]) -> bool:
    if not wanted:
        return True
    if not attempts:
        return False
    seen = view(attempts[-1])
    return all(path in seen and matches(glob, str(seen[path])) for path, glob in wanted.items())
