"""JSON that somebody else wrote: read within limits, so that what comes after can walk over it and write it again."""

from __future__ import annotations

import json
import math
from typing import Any

DEEPEST = 50
"""Objects and lists within each other."""
_DIGITS = 40
"""Of a whole number: those of 64 bits have 20, and Python refuses to write one of 4,300."""


def read_json(text: str | bytes, deepest: int = DEEPEST) -> Any:
    """What a JSON text stands for. Raises ValueError for what is no JSON, and beyond the limits."""
    try:
        return _not_too_deep(
            json.loads(text, parse_constant=_no_number, parse_int=_whole, parse_float=_finite), deepest
        )
    except RecursionError:
        raise ValueError(f"nested more than {deepest} deep") from None


def _no_number(word: str) -> float:
    """Raise ValueError for NaN and Infinity, which Python reads and JSON does not have (RFC 8259 section 6)."""
    raise ValueError(f"{word} is no JSON")


def _whole(word: str) -> int:
    if len(word) > _DIGITS:
        raise ValueError(f"a number of more than {_DIGITS} digits")
    return int(word)


def _finite(word: str) -> float:
    """A number with a fraction or an exponent; Python takes one that is too large for infinity."""
    if not math.isfinite(number := float(word)):
        raise ValueError(f"the number {word[:20]} is too large")
    return number


def _not_too_deep(document: Any, deepest: int) -> Any:
    level, depth = [document], 0
    while level:
        depth += 1
        if depth > deepest:
            raise ValueError(f"nested more than {deepest} deep")
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return document
