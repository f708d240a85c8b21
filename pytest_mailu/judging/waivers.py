"""Findings that somebody has accepted: which waiver applies, which have expired or are of no use, how to write one.

A waiver applies to a finding when all of what it says holds:

* `behaviour` is the finding's id, or a glob over ids (`*` and `?`; `*` crosses slashes). A glob never covers what was
  not recorded or could not be asked: nobody has seen what would be accepted;
* `from` and `to`, where given, hold the two releases (see `pytest_mailu.core.ranges`);
* `fingerprint`, where given, is the finding's own;
* `path`, where given, is a glob that *every* difference matches. What ends otherwise differs at `outcome`, so
  `path = "reply.text"` never lets a lost port pass. Where nothing could be compared (inconclusive, unstable) there is
  no list of differences to trust, and a waiver with a path does not apply;
* `expires`, where given, is today or later: it names the last day on which the waiver holds.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.globs import matches
from pytest_mailu.core.model import Finding, Problem, Waiver
from pytest_mailu.core.ranges import ReleaseRange
from pytest_mailu.core.releases import Release
from pytest_mailu.core.text import safe
from pytest_mailu.judging.judge import UNCERTAIN
from pytest_mailu.judging.waiver_file import read

UNSEEN = frozenset({Problem.NOT_RECORDED, Problem.NOT_ASKED})


@dataclass(frozen=True, slots=True)
class Waivers:
    """The entries of a file, in their order; of several that apply the first is taken."""

    entries: tuple[Waiver, ...] = ()
    name: str = ""
    ids: frozenset[str] = field(default=frozenset(), repr=False)

    @classmethod
    def load(cls, path: Path, ids: Iterable[str]) -> Waivers:
        """The waivers of a file; `ids` are all behaviours there are, asked or not.

        Raises UsageError, with the line of every entry that is wrong, for a file that cannot be read or understood.
        """
        known = frozenset(ids)
        return cls(read(path, known), path.name, known)

    def match(self, finding: Finding, old_release: str, new_release: str, today: datetime.date) -> Waiver | None:
        """The first waiver that applies to the finding, or None."""
        return next(
            (
                waiver
                for waiver in self.entries
                if _concerns(waiver, old_release, new_release)
                and not _expired(waiver, today)
                and _covers(waiver, finding)
            ),
            None,
        )

    def notes(
        self,
        findings: Iterable[Finding],
        asked: Iterable[str],
        today: datetime.date,
        old_release: str = "",
        new_release: str = "",
    ) -> tuple[str, ...]:
        """What to say about waivers that have expired, and about those that wait for something that is no more.

        Only waivers whose behaviours ran are named, and with the releases given only those for this upgrade: a run over
        a part of the matrix says nothing about the rest. A glob counts as unused only when all that it names ran.
        """
        used = {finding.waiver for finding in findings}
        ran = frozenset(asked)
        notes = []
        for waiver in self.entries:
            named = {id_ for id_ in self.ids | ran if matches(waiver.behaviour, id_)}
            if not (old_release == new_release == "" or _concerns(waiver, old_release, new_release)):
                continue
            where = f"{self.name}:{waiver.line}: the waiver for {waiver.behaviour}"
            if _expired(waiver, today):
                if named & ran:
                    notes.append(f"{where} expired on {waiver.expires}")
            elif waiver not in used and named <= ran:
                notes.append(f"{where} is unused: nothing it names was found")
        return tuple(notes)


def _expired(waiver: Waiver, today: datetime.date) -> bool:
    return bool(waiver.expires) and datetime.date.fromisoformat(waiver.expires) < today


def _concerns(waiver: Waiver, old_release: str, new_release: str) -> bool:
    return _holds(waiver.from_, old_release) and _holds(waiver.to, new_release)


def _holds(range_: str, release: str) -> bool:
    if range_ in ("", release):
        return True
    try:
        return release in ReleaseRange(range_)
    except UsageError:
        # A live server has no release that a range could hold.
        return False


def _covers(waiver: Waiver, finding: Finding) -> bool:
    if not matches(waiver.behaviour, finding.behaviour):
        return False
    if waiver.behaviour != finding.behaviour and finding.why is not None and finding.why.problem in UNSEEN:
        return False
    if waiver.fingerprint and waiver.fingerprint != finding.fingerprint:
        return False
    if not waiver.path:
        return True
    if finding.verdict in UNCERTAIN:
        return False
    paths = _paths(finding)
    return bool(paths) and all(matches(waiver.path, path) for path in paths)


def _paths(finding: Finding) -> set[str]:
    """Where the two sides differ; how they ended counts even where a behaviour calls it volatile."""
    paths = {difference.path for difference in finding.differences}
    if finding.old is not None and finding.new is not None:
        if finding.old.outcome is not finding.new.outcome:
            paths.add("outcome")
        if finding.old.stage is not finding.new.stage:
            paths.add("stage")
    return paths


def entry_for(finding: Finding, old_release: str = "", new_release: str = "") -> str:
    """A waiver for one finding as TOML, ready to paste.

    It holds the fingerprint, so the finding comes back when it becomes another one, and the upgrade where that is
    given: the two series, or the two releases where they are of one. The reason is empty, which is an error when it is
    read: the person who accepts the finding writes it.
    """
    from_, to = _upgrade(old_release, new_release)
    values = {
        "behaviour": finding.behaviour,
        "reason": "",
        "from": from_,
        "to": to,
        "fingerprint": finding.fingerprint,
    }
    lines = (f"{key} = {_toml(value)}" for key, value in values.items() if value or key == "reason")
    return "\n".join(("[[waiver]]", *lines)) + "\n"


def _upgrade(old_release: str, new_release: str) -> tuple[str, str]:
    try:
        old, new = Release.parse(old_release), Release.parse(new_release)
    except UsageError:
        return "", ""
    return (old.tag, new.tag) if old.series == new.series else (old.series, new.series)


def _toml(text: str) -> str:
    # TOML's basic strings take JSON's escapes, and `safe` has left nothing else to escape.
    return json.dumps(safe(text), ensure_ascii=False)
