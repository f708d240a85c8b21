"""One known change: what has to be observed for it to be the explanation, and how an entry is written in TOML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.globs import matches
from pytest_mailu.core.model import Advice, Cause, CauseKind, Comparison, Observation, Verdict
from pytest_mailu.core.ranges import ReleaseRange
from pytest_mailu.judging.compare import view
from pytest_mailu.judging.judge import UNCERTAIN

TEXTS = ("id", "cause", "remedy", "source")
REMEDY = "Write the entry as docs/advice.md says."
_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_CONDITIONS = ("verdicts", "paths", "old", "new")


@dataclass(frozen=True, slots=True)
class When:
    """One thing that is observed when the change is at work. Every condition that is named has to be met.

    `behaviours` are globs over ids; `verdicts` and `paths` (globs over difference paths) need one hit each; `old` and
    `new` map paths of an observation (as in differences) to globs over their values.
    """

    behaviours: tuple[str, ...]
    verdicts: tuple[Verdict, ...] = ()
    paths: tuple[str, ...] = ()
    old: Mapping[str, str] = field(default_factory=dict)
    new: Mapping[str, str] = field(default_factory=dict)

    def fits(self, comparison: Comparison) -> bool:
        """Whether this was observed."""
        return (
            _any(self.behaviours, (comparison.question.id,))
            and (not self.verdicts or comparison.verdict in self.verdicts)
            and (not self.paths or _any(self.paths, (difference.path for difference in comparison.differences)))
            and _shows(self.old, comparison.old)
            and _shows(self.new, comparison.new)
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """One known change between the releases in `from_` and those in `to`, which shows in any one of `whens`.

    `root`, where there is one, are the words under which all that the change explains is told as one.
    """

    advice: Advice
    whens: tuple[When, ...]
    from_: ReleaseRange
    to: ReleaseRange
    root: str = ""

    @property
    def cause(self) -> Cause | None:
        """The root cause of what the entry explains; None where the entry has no `root`."""
        return Cause(CauseKind.KNOWN, advice=self.advice.id, words=self.root) if self.root else None

    @classmethod
    def parse(cls, table: Mapping[str, Any], where: str) -> Entry:
        """An entry from its TOML table, which stands in the file `where`.

        Raises UsageError, naming file, entry and what is wrong, for what is missing, unknown or of a wrong form.
        """
        where = f"{where}, advice {table.get('id', '?')!r}"
        _known(table, (*TEXTS, "from", "to", "root", "when"), where)
        advice = Advice(*(_text(table, key, where) for key in TEXTS))
        if not _ID.fullmatch(advice.id):
            raise UsageError(f"{where}: an id is made of lower-case words with hyphens", REMEDY)
        if not (table.get("from") or table.get("to")):
            raise UsageError(f"{where}: `from` or `to` is missing", REMEDY)
        whens = table.get("when")
        if not (isinstance(whens, list) and whens and all(isinstance(when, dict) for when in whens)):
            raise UsageError(f"{where}: [[advice.when]] is missing", REMEDY)
        return cls(
            advice,
            tuple(_when(when, where) for when in whens),
            _range(table, "from", where),
            _range(table, "to", where),
            _text(table, "root", where) if "root" in table else "",
        )

    def fits(self, comparison: Comparison, old_release: str, new_release: str) -> bool:
        """Whether this explains that. What could not be told is never explained."""
        return (
            comparison.verdict not in UNCERTAIN
            and any(when.fits(comparison) for when in self.whens)
            and _holds(self.from_, old_release)
            and _holds(self.to, new_release)
        )


def _when(table: Mapping[str, Any], where: str) -> When:
    _known(table, ("behaviours", *_CONDITIONS), where)
    behaviours = _texts(table, "behaviours", where)
    if not behaviours or not all(behaviour.strip("*?") for behaviour in behaviours):
        raise UsageError(f"{where}: `behaviours` has to name some, and not everything", REMEDY)
    if not any(table.get(condition) for condition in _CONDITIONS):
        raise UsageError(f"{where}: one of {', '.join(_CONDITIONS)} is needed", REMEDY)
    try:
        verdicts = tuple(map(Verdict, _texts(table, "verdicts", where)))
    except ValueError as error:
        raise UsageError(f"{where}: {error}", REMEDY) from None
    return When(
        behaviours, verdicts, _texts(table, "paths", where), _globs(table, "old", where), _globs(table, "new", where)
    )


def _known(table: Mapping[str, Any], names: Iterable[str], where: str) -> None:
    if unknown := sorted(table.keys() - set(names)):
        raise UsageError(f"{where}: {', '.join(unknown)} is not known", REMEDY)


def _text(table: Mapping[str, Any], key: str, where: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value.strip():
        raise UsageError(f"{where}: `{key}` has to be a text", REMEDY)
    return value


def _texts(table: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    values = table.get(key, [])
    if not isinstance(values, list) or not all(isinstance(value, str) and value for value in values):
        raise UsageError(f"{where}: `{key}` has to be a list of texts", REMEDY)
    return tuple(values)


def _globs(table: Mapping[str, Any], key: str, where: str) -> Mapping[str, str]:
    values = table.get(key, {})
    if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
        raise UsageError(f"{where}: `{key}` has to be a table from paths to texts (quote the paths)", REMEDY)
    return values


def _range(table: Mapping[str, Any], key: str, where: str) -> ReleaseRange:
    try:
        return ReleaseRange(_text(table, key, where) if key in table else "")
    except UsageError as error:
        raise UsageError(f"{where}: `{key}`: {error.cause}", error.remedy) from None


def _holds(range_: ReleaseRange, release: str) -> bool:
    try:
        return not range_.text or release in range_
    except UsageError:
        # A live server has no release that a range could hold.
        return False


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
