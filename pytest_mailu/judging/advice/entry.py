"""One known change: what has to be observed for it to be the explanation, and how an entry is written in TOML."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import cattrs
from cattrs.gen import make_dict_structure_fn, override

from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.globs import any_of, matches
from pytest_mailu.core.model import Action, Advice, Cause, CauseKind, Comparison, Observation, Verdict
from pytest_mailu.core.ranges import ReleaseRange
from pytest_mailu.judging.compare import view
from pytest_mailu.judging.entries import Filled, converter, problems
from pytest_mailu.judging.judge import UNCERTAIN

REMEDY = "Write the entry as docs/advice.md says."
EVERY = ReleaseRange()
_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class When:
    """One thing that is observed when the change is at work. Every condition that is named has to be met.

    `behaviours` are globs over ids, `endpoints` over where it is asked (`143-plain`); `verdicts` and `paths` (globs
    over difference paths) need one hit each; `old` and `new` map paths of an observation (as in differences) to globs
    over their values.
    """

    behaviours: tuple[str, ...]
    verdicts: tuple[Verdict, ...] = ()
    paths: tuple[str, ...] = ()
    old: Mapping[str, str] = field(default_factory=dict)
    new: Mapping[str, str] = field(default_factory=dict)
    endpoints: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.behaviours or not all(behaviour.strip("*?") for behaviour in self.behaviours):
            raise ValueError("`behaviours` has to name some, and not everything")
        if not (self.verdicts or self.paths or self.old or self.new):
            raise ValueError("one of verdicts, paths, old, new is needed")

    def fits(self, comparison: Comparison) -> bool:
        """Whether this was observed."""
        return (
            (not self.verdicts or comparison.verdict in self.verdicts)
            and any_of(self.behaviours, comparison.question.id)
            and (not self.endpoints or any_of(self.endpoints, str(comparison.question.endpoint or "")))
            and (not self.paths or any(any_of(self.paths, each.path) for each in comparison.differences))
            and _shows(self.old, comparison.old)
            and _shows(self.new, comparison.new)
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """One known change between the releases in `from_` and those in `to`, which shows in any one of `when`.

    `root` is the headline for all that the change explains, where it explains findings of several behaviours. The other
    fields are those of `Advice`.
    """

    id: Filled
    cause: Filled
    remedy: Filled
    source: Filled
    when: tuple[When, ...]
    from_: ReleaseRange = EVERY
    to: ReleaseRange = EVERY
    root: str = ""
    action: Action = Action.LOOK
    title: str = ""
    paste: str = ""

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):
            raise ValueError("an id is made of lower-case words with hyphens")
        if not (self.from_.text or self.to.text):
            raise ValueError("`from` or `to` is missing")
        if not self.when:
            raise ValueError("[[advice.when]] is missing")

    @classmethod
    def parse(cls, table: Mapping[str, Any], where: str) -> Entry:
        """An entry from its TOML table, which stands in the file `where`.

        Raises UsageError, naming file, entry and everything that is wrong with it.
        """
        try:
            return _CONVERTER.structure(table, cls)
        except cattrs.BaseValidationError as error:
            entry = f"{where}, advice {table.get('id', '?')!r}"
            first, *rest = [
                f"{entry}: {f'`{key}` ' if key else ''}{problem}" for key, problem in problems(error, _KEYS)
            ]
            raise UsageError(first, REMEDY, tuple(rest)) from None

    @property
    def advice(self) -> Advice:
        """What the entry advises."""
        return Advice(self.id, self.cause, self.remedy, self.source, self.action, self.title, self.paste)

    @property
    def known_cause(self) -> Cause | None:
        """The root cause of what the entry explains; None where the entry has no `root`."""
        return Cause(CauseKind.KNOWN, advice=self.id, words=self.root) if self.root else None

    def fits(self, comparison: Comparison, old_release: str, new_release: str) -> bool:
        """Whether this explains a comparison. An uncertain one is never explained."""
        return self.is_about(old_release, new_release) and self.shows_in(comparison)

    def shows_in(self, comparison: Comparison) -> bool:
        """Whether the change shows in a comparison of two releases that it is about."""
        return comparison.verdict not in UNCERTAIN and any(when.fits(comparison) for when in self.when)

    def is_about(self, old_release: str, new_release: str) -> bool:
        """Whether the change lies between two releases."""
        return _holds(self.from_, old_release) and _holds(self.to, new_release)


_KEYS = ("id", "cause", "remedy", "source", "when", "from", "to", "root", "action", "title", "paste")
_CONVERTER = converter()
_CONVERTER.register_structure_hook(
    Entry,
    make_dict_structure_fn(Entry, _CONVERTER, _cattrs_forbid_extra_keys=True, from_=override(rename="from")),
)


@lru_cache(maxsize=4096)
def _holds(range_: ReleaseRange, release: str) -> bool:
    try:
        return not range_.text or release in range_
    except UsageError:
        # A live server has no release that a range could hold.
        return False


def _shows(wanted: Mapping[str, str], attempts: tuple[Observation, ...]) -> bool:
    if not wanted:
        return True
    if not attempts:
        return False
    seen = view(attempts[-1])
    return all(path in seen and matches(glob, str(seen[path])) for path, glob in wanted.items())
