"""YAML as a tree that knows the line of every key: within limits, merge keys resolved, no value interpreted.

Source: YAML 1.2 chapters 6 to 8; for merge keys https://yaml.org/type/merge.html, which Compose follows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

from pytest_mailu.core.errors import UsageError
from pytest_mailu.deployment.files import Text

DEPTH_LIMIT = 40
"""Levels of lists and mappings within each other."""
NODE_LIMIT = 50_000
"""Values in one file, each alias counted as often as it is used."""
DOCUMENT_LIMIT = 20
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULL = frozenset(("", "~", "null", "Null", "NULL"))


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file, as messages name it: `docker-compose.yml, line 12`."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}"


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value as it is written. `null` tells an empty value from an empty text."""

    text: str
    place: Place
    null: bool = False
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    items: tuple[Tree, ...]
    place: Place
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Keys:
    """A mapping. `places` has the line of each key."""

    values: Mapping[str, Tree]
    place: Place
    places: Mapping[str, Place] = field(default_factory=dict)
    tag: str = ""

    def get(self, key: str) -> Tree | None:
        """The value of a key; None where it is not there."""
        return self.values.get(key)

    def place_of(self, key: str) -> Place:
        """The line of a key, or of the mapping where it has no such key."""
        return self.places.get(key, self.place)


Tree: TypeAlias = Scalar | Items | Keys


def read_documents(source: Text) -> list[Tree]:
    """The documents of a YAML file. Raises UsageError with the line for what is not YAML, or beyond the limits."""
    try:
        return list(_Builder(source).documents())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else 1
        problem = " ".join(str(error.problem or error.context or "not YAML").split())
        raise UsageError(
            f"{source.shown}, line {line}: not valid YAML: {problem[:120]}", "Fix the line; indent with spaces."
        ) from None
    except yaml.YAMLError as error:
        raise UsageError(
            f"{source.shown}: not valid YAML: {' '.join(str(error).split())[:120]}", "Save the file as text in UTF-8."
        ) from None


class _Builder:
    """Builds trees from the parser's events, so that limits hold before anything grows."""

    def __init__(self, source: Text) -> None:
        self._source = source
        self._events: Iterator[Any] = yaml.parse(source.text, Loader=_LOADER)
        self._anchors: dict[str, tuple[Tree, int]] = {}
        self._open: set[str] = set()
        self._nodes = 0

    def documents(self) -> Iterator[Tree]:
        number = 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                number += 1
                if number > DOCUMENT_LIMIT:
                    raise self._error(event, f"more than {DOCUMENT_LIMIT} documents", "Name the compose file.")
                self._anchors.clear()
                yield self._node(next(self._events), 0)

    def _node(self, event: Any, depth: int) -> Tree:
        if depth > DEPTH_LIMIT:
            raise self._error(event, f"more than {DEPTH_LIMIT} levels deep", "Name the compose file.")
        self._count(event, 1)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        before = self._nodes
        anchor = event.anchor
        if anchor:
            self._open.add(anchor)
        tree = self._value(event, depth)
        if anchor:
            self._open.discard(anchor)
            self._anchors[anchor] = (tree, self._nodes - before + 1)
        return tree

    def _alias(self, event: Any) -> Tree:
        if event.anchor in self._open:
            raise self._error(event, f"the anchor {event.anchor!r} contains itself", "Remove the alias.")
        if event.anchor not in self._anchors:
            raise self._error(
                event, "there is no anchor of this name", "Define it above, with &, or put the value in quotes."
            )
        tree, size = self._anchors[event.anchor]
        self._count(event, size)
        return tree

    def _value(self, event: Any, depth: int) -> Tree:
        place = self._place(event)
        tag = event.tag or ""
        if isinstance(event, yaml.ScalarEvent):
            plain = event.implicit[0] and not event.style
            return Scalar(event.value, place, plain and event.value in _NULL, tag)
        if isinstance(event, yaml.SequenceStartEvent):
            items = []
            while not isinstance(inner := next(self._events), yaml.SequenceEndEvent):
                items.append(self._node(inner, depth + 1))
            return Items(tuple(items), place, tag)
        return self._mapping(place, tag, depth)

    def _mapping(self, place: Place, tag: str, depth: int) -> Keys:
        values: dict[str, Tree] = {}
        places: dict[str, Place] = {}
        merged: list[Keys] = []
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._node(event, depth + 1)
            if not isinstance(key, Scalar):
                raise self._error(event, "a key that is a list or a mapping", "Write the key as text.")
            value = self._node(next(self._events), depth + 1)
            if key.text == "<<" and not event.style:
                merged.extend(self._merged(event, value))
                continue
            if key.text in values:
                raise self._error(
                    event,
                    f"the key {key.text!r} stands twice (before: line {places[key.text].line})",
                    "Keep one of the two.",
                )
            values[key.text] = value
            places[key.text] = key.place
        for mapping in merged:
            for name, inner in mapping.values.items():
                if name not in values:
                    values[name] = inner
                    places[name] = mapping.places[name]
                    self._count(event, 1)
        return Keys(values, place, places, tag)

    def _merged(self, event: Any, value: Tree) -> list[Keys]:
        """The mappings of a merge key; an earlier one in a list wins."""
        mappings = value.items if isinstance(value, Items) else (value,)
        found = [mapping for mapping in mappings if isinstance(mapping, Keys)]
        if len(found) < len(mappings):
            raise self._error(event, "a merge key (<<) wants a mapping", "Name the anchor of a mapping.")
        return found

    def _count(self, event: Any, number: int) -> None:
        self._nodes += number
        if self._nodes > NODE_LIMIT:
            raise self._error(event, f"more than {NODE_LIMIT} values, aliases included", "Name the compose file.")

    def _place(self, event: Any) -> Place:
        return Place(self._source.shown, event.start_mark.line + 1)

    def _error(self, event: Any, what: str, remedy: str) -> UsageError:
        return UsageError(f"{self._place(event)}: {what}", remedy)
