"""Globs over ids and paths: `*` is any text, `?` any character, and everything else stands for itself."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class _Glob:
    """The texts between the stars, each as a pattern of fixed length.

    Each one is looked for once, from where the last one ended: a text of `n` characters takes time with `n`, however
    many stars there are. One regular expression for all of them would try every combination.
    """

    first: re.Pattern[str]
    between: tuple[re.Pattern[str], ...]
    last: re.Pattern[str] | None
    last_length: int

    def matches(self, text: str) -> bool:
        if self.last is None:
            return self.first.fullmatch(text) is not None
        begin = self.first.match(text)
        if begin is None:
            return False
        at, end = begin.end(), len(text) - self.last_length
        for part in self.between:
            found = part.search(text, at)
            if found is None:
                return False
            at = found.end()
        return at <= end and self.last.match(text, end) is not None


@lru_cache(maxsize=1024)
def _compiled(glob: str) -> _Glob:
    first, *rest = re.split(r"\*+", glob)
    *between, last = rest or [""]
    return _Glob(_part(first), tuple(_part(part) for part in between), _part(last) if rest else None, len(last))


def _part(text: str) -> re.Pattern[str]:
    return re.compile("".join("." if char == "?" else re.escape(char) for char in text), re.DOTALL)


def matches(glob: str, text: str) -> bool:
    """Whether the whole text matches. Unlike fnmatch's, brackets are no classes: paths (`ehlo[DSN]`) have them."""
    return _compiled(glob).matches(text)


def any_of(globs: Iterable[str], text: str) -> bool:
    """Whether one of them matches."""
    return any(matches(glob, text) for glob in globs)
