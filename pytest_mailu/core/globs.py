"""Globs over ids and paths: `*` is any text, `?` any character, and everything else stands for itself."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache


@lru_cache(maxsize=1024)
def _compiled(glob: str) -> re.Pattern[str]:
    parts = {"*": ".*", "?": "."}
    return re.compile("".join(parts.get(char) or re.escape(char) for char in glob), re.DOTALL)


def matches(glob: str, text: str) -> bool:
    """Whether the whole text matches. Unlike fnmatch's, brackets are no classes: paths (`ehlo[DSN]`) have them."""
    return _compiled(glob).fullmatch(text) is not None


def any_of(globs: Iterable[str], text: str) -> bool:
    """Whether one of them matches."""
    return any(matches(glob, text) for glob in globs)
