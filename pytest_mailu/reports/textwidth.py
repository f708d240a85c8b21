"""Text laid out in terminal columns: wide characters count two, no line gets wider than asked."""

from __future__ import annotations

import unicodedata


def cells(text: str) -> int:
    """How many columns a terminal needs for printable text (Unicode Standard Annex #11)."""
    return len(text) if text.isascii() else sum(_cells(char) for char in text)


def _cells(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def wrap(text: str, width: int) -> list[str]:
    """Words in lines of at most `width` columns; a word that is longer is cut where it has to be."""
    lines: list[str] = []
    current = ""
    for word in text.split():
        joined = f"{current} {word}" if current else word
        if cells(joined) <= width:
            current = joined
            continue
        if current:
            lines.append(current)
        *whole, current = _pieces(word, width)
        lines.extend(whole)
    return [*lines, current] if current or not lines else lines


_SEAMS = frozenset(",;/&:")
"""Where a long word (an address, a list) may be cut so that it still reads well."""


def _pieces(word: str, width: int) -> list[str]:
    pieces: list[str] = []
    current = ""
    for char in word:
        if current and cells(current) + _cells(char) > width:
            seam = max(current.rfind(mark) for mark in _SEAMS) + 1
            cut = seam if seam > len(current) // 2 else len(current)
            pieces.append(current[:cut])
            current = current[cut:]
        current += char
    return [*pieces, current]


def clip(text: str, width: int) -> str:
    """The text on one line, with `…` in the place of what does not fit."""
    if cells(text) <= width:
        return text
    used = 0
    for index, char in enumerate(text):
        used += _cells(char)
        if used > width - 1:
            return f"{text[:index].rstrip()}…"
    return text


def pad(text: str, width: int) -> str:
    """The text with spaces behind it up to `width` columns."""
    return text + " " * (width - cells(text))
