"""What a check has to say about one thing in a deployment: an observation for each side, and what to write instead."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pytest_mailu.core import secrets
from pytest_mailu.core.model import Action, Advice, Observation, Outcome, Question, Severity, Stage
from pytest_mailu.deployment.model import Place, Setting

FAMILY = "settings"


@dataclass(frozen=True, slots=True)
class Edit:
    """One proposed change. `line` is 0 where the text is to be added at the end; `file` is "" for mailu.env then.

    `text` takes the place of the line, or None: the line becomes a comment.
    """

    text: str | None
    file: str = ""
    line: int = 0
    last: int = 0

    @classmethod
    def at(cls, place: Place, text: str | None) -> Edit:
        """A change of the one line of a place."""
        return cls(text, place.file, place.line, place.line)

    @classmethod
    def of(cls, setting: Setting, text: str | None) -> Edit:
        """A change of all lines of a setting, in whichever file it stands."""
        return cls(text, setting.place.file, setting.place.line, max(setting.last, setting.place.line))


@dataclass(frozen=True, slots=True)
class Note:
    """One thing of a deployment, as two releases take it. The ordinary judge makes a verdict of the observations.

    `place` is where it stands (None: nowhere yet), `write` the line to write, `cause` and `remedy` why and what to do.
    Notes with the same `root` have one cause and are told together, with cause, remedy and lines in `shared`, and under
    the title `together` where they have one.
    """

    question: Question
    old: Observation
    new: Observation
    place: Place | None = None
    cause: str = ""
    remedy: str = ""
    write: str = ""
    edits: tuple[Edit, ...] = ()
    root: str = ""
    shared: tuple[str, str, str] | None = None
    together: str = ""

    @property
    def id(self) -> str:
        """The stable name, such as `settings/env/PORTS`."""
        return self.question.id

    @property
    def slug(self) -> str:
        """The name of the advice: of the root where several notes have one, else of the note."""
        text = self.id if self.root == self.question.title else f"settings {self.root}"
        return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")

    @property
    def advice(self) -> tuple[Advice, ...]:
        """Why and what to do, with file, line and the line to write."""
        if not self.remedy:
            return ()
        action = Action.FIX_BEFORE if self.lost else Action.DO if self.write or self.broken else Action.LOOK
        if self.shared is not None:
            cause, remedy, paste = self.shared
            return (Advice(self.slug, cause, remedy, self.question.source, action, self.root, paste),)
        cause = self.cause or self.question.breaks
        remedy = self.remedy if self.place is None else f"{self.place}: {self.remedy}"
        title = self.together or self.question.title
        title = title if self.place is None else f"{self.place}: {title}"
        return (Advice(self.slug, cause, remedy, self.question.source, action, title, self.write),)

    def with_write(self, write: str) -> Note:
        """The note with another line to write, or with none."""
        line = {"write": write} if write else {}
        old, new = (
            replace(side, facts={**{name: fact for name, fact in side.facts.items() if name != "write"}, **line})
            for side in (self.old, self.new)
        )
        return replace(self, old=old, new=new, write=write)

    @property
    def lost(self) -> bool:
        """Whether something that works today will not."""
        wanted = self.question.wanted
        return wanted is not None and self.old.outcome is wanted and self.new.outcome is not wanted

    @property
    def broken(self) -> bool:
        """Whether something works on neither side."""
        wanted = self.question.wanted
        return wanted is not None and wanted not in (self.old.outcome, self.new.outcome)

    def works_today(self) -> Note:
        """The same, where the file of today does not have it."""
        return (
            self if self.question.wanted is None else replace(self, old=replace(self.old, outcome=self.question.wanted))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What the notes on one thing have in common. `facts` are seen on both sides."""

    id: str
    title: str
    breaks: str
    source: str = ""
    severity: Severity = Severity.MAJOR
    place: Place | None = None
    cause: str = ""
    remedy: str = ""
    write: str = ""
    edits: tuple[Edit, ...] = ()
    root: str = ""
    together: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    def lost(self, new: Outcome = Outcome.NOT_OFFERED) -> Note:
        """It works on old and not on new: regressed."""
        return self._note(Outcome.ACCEPTED, Outcome.ACCEPTED, new)

    def gained(self, old: Outcome = Outcome.NOT_OFFERED) -> Note:
        """New does what old does not."""
        return self._note(Outcome.ACCEPTED, old, Outcome.ACCEPTED)

    def broken(self, outcome: Outcome = Outcome.REFUSED) -> Note:
        """It works on neither side: listed, and stops nobody who lives with it today."""
        return self._note(Outcome.ACCEPTED, outcome, outcome)

    def ignored(self) -> Note:
        """Old reads it, new does not, and nobody loses anything by that: changed."""
        return self.changed({"read": True}, {"read": False})

    def changed(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> Note:
        """Both take it, with different effect: `old` and `new` say which."""
        return self._note(None, Outcome.ACCEPTED, Outcome.ACCEPTED, old, new)

    def same(self) -> Note:
        """Both take it in the same way."""
        return self._note(Outcome.ACCEPTED, Outcome.ACCEPTED, Outcome.ACCEPTED)

    def _note(
        self,
        wanted: Outcome | None,
        old: Outcome,
        new: Outcome,
        old_facts: Mapping[str, Any] | None = None,
        new_facts: Mapping[str, Any] | None = None,
    ) -> Note:
        place = {"file": self.place.file, "line": self.place.line} if self.place else {}
        write = {"write": self.write} if self.write else {}
        common = {**place, **self.facts, **write}
        question = Question(
            id=f"{FAMILY}/{self.id}",
            title=self.title,
            breaks=self.breaks,
            source=self.source,
            wanted=wanted,
            severity=self.severity,
        )
        return Note(
            question=question,
            old=Observation(old, Stage.SETTINGS, facts={**common, **(old_facts or {})}),
            new=Observation(new, Stage.SETTINGS, facts={**common, **(new_facts or {})}),
            place=self.place,
            cause=self.cause,
            remedy=self.remedy,
            write=self.write,
            edits=self.edits,
            root=self.root or self.title,
            together=self.together,
        )


def is_secret(name: str) -> bool:
    """Whether reports hide the value of a setting: of all that are not known to be harmless."""
    return not secrets.is_public(name)


def shown(name: str, value: str) -> str:
    """A value as reports show it: in one line, cut, and without secrets."""
    line = " ".join(secrets.shown(name, value).split())
    return line if len(line) <= 80 else f"{line[:80]}…"
