"""Variables in compose files and env files, as Docker Compose v2 puts their values in.

Source: the Compose specification, "Interpolation"; compose-go template/template.go (v2.9) for what it leaves open.
"""

from __future__ import annotations

import re
from collections.abc import Callable

DEPTH_LIMIT = 10
"""Defaults within defaults: `${A:-${B:-c}}`."""
LENGTH_LIMIT = 64 * 1024
"""Characters that one text may grow to."""

_VARIABLE = re.compile(
    r"\$(?:(?P<escaped>\$)|(?P<named>[A-Za-z_][A-Za-z0-9_]*)|\{(?:(?P<braced>[A-Za-z_][A-Za-z0-9_]*(?::?[-+?][^}\n]*)?\})|(?P<invalid>)))"
)
"""`braced` goes to the first brace only: what is between braces may have variables itself, see `_closing`."""
_BRACED = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?:(?P<operator>:?[-+?])(?P<word>.*))?", re.DOTALL)


class TemplateError(Exception):
    """A text with variables that cannot be resolved; the message says why."""


def substitute(text: str, lookup: Callable[[str], str | None], depth: int = 0) -> str:
    """`text` with the values of its variables; a variable that `lookup` does not know is empty.

    Raises TemplateError for what is no template, for a required variable without a value, and beyond the limits.
    """
    if depth > DEPTH_LIMIT:
        raise TemplateError(f"more than {DEPTH_LIMIT} defaults within each other")
    if "$" not in text:
        return text
    out: list[str] = []
    at = length = 0
    while found := _VARIABLE.search(text, at):
        before, end = text[at : found.start()], found.end()
        if found["escaped"]:
            value = "$"
        elif found["named"]:
            value = lookup(found["named"]) or ""
        elif found["invalid"] is not None:
            raise TemplateError(f"{_start(text[found.start() :])} is no variable")
        else:
            end = _closing(text, found.start()) + 1
            value = _braced(text[found.start() + 2 : end - 1], lookup, depth)
        at = end
        out += (before, value)
        length += len(before) + len(value)
        if length > LENGTH_LIMIT:
            raise TemplateError(f"more than {LENGTH_LIMIT} characters")
    return "".join((*out, text[at:]))


def _closing(text: str, start: int) -> int:
    """Where the brace ends that opens behind `start`."""
    level = 0
    for index in range(start, len(text)):
        if text[index] == "{":
            level += 1
        elif text[index] == "}":
            level -= 1
            if level == 0:
                return index
    raise TemplateError(f"{_start(text[start:])} has no closing brace")


def _braced(inner: str, lookup: Callable[[str], str | None], depth: int) -> str:
    found = _BRACED.fullmatch(inner)
    if found is None:
        raise TemplateError(f"{_start(f'${{{inner}}}')} is no variable")
    value = lookup(found["name"])
    operator = found["operator"] or ""
    given = bool(value) if operator.startswith(":") else value is not None
    match operator[-1:]:
        case "-" if not given:
            return substitute(found["word"], lookup, depth + 1)
        case "+" if given:
            return substitute(found["word"], lookup, depth + 1)
        case "?" if not given:
            reason = substitute(found["word"], lookup, depth + 1)
            raise TemplateError(f"the variable {found['name']} has no value{f': {_short(reason)}' if reason else ''}")
        case _:
            return value or ""


def _short(text: str) -> str:
    line = text.partition("\n")[0]
    return line if len(line) <= 60 else f"{line[:60]}…"


def _start(text: str) -> str:
    """What is not read as a variable may be a password with a dollar in it: three characters tell where it is."""
    return text if len(text) <= 3 else f"{text[:3]}…"
