"""What `-m "mailu(severity='critical')"` names: pytest takes a value that there is not for one that nobody has."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from pytest_mailu.behaviours import Behaviour
from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.model import Severity
from pytest_mailu.judging.entries import meant

_CALL = re.compile(r"\bmailu\(([^)]*)\)")
_PAIR = re.compile(r"""(\w+)\s*=\s*(["'])(.*?)\2""")


def known_values(behaviours: Collection[Behaviour]) -> dict[str, frozenset[str]]:
    """The values that each name in the brackets of `mailu(…)` may have."""
    return {
        "family": frozenset(each.question.family for each in behaviours),
        "severity": frozenset(map(str, Severity)),
        "variant": frozenset(each.variant for each in behaviours),
    }


def check_expression(expression: str, known: Mapping[str, Collection[str]]) -> None:
    """Raise UsageError where an expression of `-m` names what there is not: it would deselect everything in silence."""
    for name, value in _pairs(expression):
        if name not in known:
            raise UsageError(f"-m: mailu() has no {name}{meant(name, known)}", f"It has {', '.join(known)}.")
        if value not in known[name]:
            raise UsageError(
                f"-m: there is no {name} {value!r}{meant(value, known[name])}",
                f"Choose one of {', '.join(sorted(known[name]))}.",
            )


def _pairs(expression: str) -> Iterator[tuple[str, str]]:
    for call in _CALL.finditer(expression):
        for pair in _PAIR.finditer(call[1]):
            yield pair[1], pair[3]
