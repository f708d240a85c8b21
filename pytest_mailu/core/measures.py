"""Measured numbers: seconds, bytes, rates. They vary, and say something only beside others of the same run.

A measure is a fact of a form of its own, so that recordings carry it. Two of them differ where one is larger by a
factor that no repetition reaches. Those of another run, thus of another machine or hour, never differ: they do not
compare.
"""

from __future__ import annotations

import secrets
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

FACTOR = 1.5
"""How many times as large a median has to be to be told of."""
APART = 1.15
"""And how many times as large the smallest of the larger side as the largest of the smaller side: outside of noise."""
FEWEST = 3
"""Values of each side without which nothing is told."""
_KEY = "measured"
_THIS_RUN = secrets.token_hex(6)
"""Both sides of a run are measured by one process; a recording that it reads was made by another."""


@dataclass(frozen=True, slots=True)
class Measure:
    """The values of one thing that was measured several times. Differences below `least` do not count."""

    values: tuple[float, ...]
    unit: str
    least: float
    run: str

    def __str__(self) -> str:
        low, middle, high = min(self.values), statistics.median(self.values), max(self.values)
        return f"{_number(middle)} {self.unit} ({_number(low)} to {_number(high)})"


def measure(values: Sequence[float], unit: str, least: float) -> dict[str, Any]:
    """A measure as a fact."""
    return {_KEY: [round(float(value), 6) for value in values], "unit": unit, "least": least, "run": _THIS_RUN}


def read_measure(fact: Mapping[str, Any]) -> Measure | None:
    """The measure that a fact is, or None for any other fact."""
    values = fact.get(_KEY)
    if not isinstance(values, list) or not values or not all(isinstance(value, int | float) for value in values):
        return None
    least = fact.get("least")
    limit = float(least) if isinstance(least, int | float) else 0.0
    return Measure(tuple(map(float, values)), str(fact.get("unit", "")), limit, str(fact.get("run", "")))


def ratio(old: Measure, new: Measure) -> float | None:
    """How many times as large `new` is, where that is outside of noise; None where nothing can be told."""
    if old.run != new.run or old.unit != new.unit or min(len(old.values), len(new.values)) < FEWEST:
        return None
    before, after = statistics.median(old.values), statistics.median(new.values)
    small, large = (old, new) if before <= after else (new, old)
    lower, upper = sorted((before, after))
    if upper - lower < old.least or upper < FACTOR * lower or min(large.values) < APART * max(small.values):
        return None
    return after / before if before else None


def _number(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"
