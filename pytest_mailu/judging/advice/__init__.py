"""Why behaviours change between releases and what to do: entries in TOML files, matched against comparisons.

The files are grouped by theme; docs/advice.md says how an entry is written.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from importlib.resources import files

from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.model import Advice, Cause, Comparison
from pytest_mailu.judging.advice.entry import REMEDY, Entry

__all__ = ["Advisor", "Entry", "read"]


def read(text: str, name: str) -> list[Entry]:
    """The entries in the text of the file `name`; raises UsageError, naming file and entry, for what is none."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{name} is invalid TOML: {error}", REMEDY) from None
    tables = document.pop("advice", None)
    if document or not (isinstance(tables, list) and all(isinstance(table, dict) for table in tables)):
        raise UsageError(f"{name} has to hold [[advice]] and nothing else", REMEDY)
    return [Entry.parse(table, name) for table in tables]


def _shipped() -> Iterator[Entry]:
    for file in sorted(files(__name__).iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".toml"):
            yield from read(file.read_text("utf-8"), file.name)


class Advisor:
    """Knows all entries. Raises UsageError where two have the same id."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries = tuple(entries)
        self._about: dict[tuple[str, str], tuple[Entry, ...]] = {}
        self._latest: tuple[Comparison, tuple[str, str], tuple[Entry, ...]] | None = None
        for id_, number in Counter(entry.advice.id for entry in self.entries).items():
            if number > 1:
                raise UsageError(f"there are {number} entries {id_!r}", REMEDY)

    @classmethod
    def load(cls) -> Advisor:
        """The entries of the package, file by file in alphabetical order."""
        return cls(_shipped())

    def advise(self, comparison: Comparison, old_release: str, new_release: str) -> tuple[Advice, ...]:
        """What is known about a comparison, in the order of the files."""
        return tuple(entry.advice for entry in self._fitting(comparison, old_release, new_release))

    def explain(self, comparison: Comparison, old_release: str, new_release: str) -> Cause | None:
        """The known cause that a comparison shares with others, or None."""
        fitting = self._fitting(comparison, old_release, new_release)
        return next((cause for entry in fitting if (cause := entry.known_cause)), None)

    def _fitting(self, comparison: Comparison, old_release: str, new_release: str) -> tuple[Entry, ...]:
        between = (old_release, new_release)
        if between not in self._about:
            # A run asks for one upgrade some thousand times.
            self._about[between] = tuple(entry for entry in self.entries if entry.is_about(*between))
        if self._latest is None or self._latest[0] is not comparison or self._latest[1] != between:
            # For what to do and for its cause, a finding is asked about twice in a row.
            fitting = tuple(entry for entry in self._about[between] if entry.shows_in(comparison))
            self._latest = comparison, between, fitting
        return self._latest[2]
