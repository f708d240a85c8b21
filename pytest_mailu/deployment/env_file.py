"""Reads env files as Docker Compose v2 reads them, and keeps where each setting stands.

Source: the Compose specification, "Env file"; compose-go dotenv/parser.go (v2.9) for what it leaves open:
`NAME: value`, escapes, and comments behind a value, for which a blank must stand before the `#`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pytest_mailu.core.errors import UsageError
from pytest_mailu.deployment.files import Text
from pytest_mailu.deployment.template import TemplateError, substitute

ENTRY_LIMIT = 2000
"""Settings in one file."""

_BLANK = "\t\v\f\r \x85\xa0"
"""What Compose skips beside a name; not a line feed."""
_SPACE = f"{_BLANK}\n\u1680\u2028\u2029\u202f\u205f\u3000{''.join(map(chr, range(0x2000, 0x200B)))}"
_EXPORT = re.compile(r"export[\t\n\f\r ]+")
_NAME_END = re.compile(r"[=:\n]")
_ESCAPE = re.compile(r"\\(?:[abcfnrtv$\"\\]|0[0-9]{0,3})")
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", '"': '"'}


@dataclass(frozen=True, slots=True)
class Assignment:
    """One setting as a file has it. `raw` is the text behind the `=`, `quote` the quotation mark around it or "".

    `value` is None for a bare name, whose value Compose takes from the shell. `last` is the line it ends on.
    """

    name: str
    value: str | None
    line: int
    last: int
    raw: str
    quote: str = ""


def read_assignments(source: Text, lookup: Callable[[str], str | None] = lambda _: None) -> tuple[Assignment, ...]:
    """Every setting of an env file in its order, also those that a later line overrides.

    `lookup` gives the values of variables from outside the file. Raises UsageError, with the line, for what Compose
    does not read.
    """
    return _Reader(source, lookup).read()


def values(assignments: tuple[Assignment, ...]) -> Mapping[str, str]:
    """What is in force: the last value of each name."""
    return {made.name: made.value for made in assignments if made.value is not None}


class _Reader:
    def __init__(self, source: Text, lookup: Callable[[str], str | None]) -> None:
        self._text = source.text
        self._shown = source.shown
        self._outside = lookup
        self._at = 0
        self._line = 1
        self._counted = 0
        self._known: dict[str, str] = {}

    def read(self) -> tuple[Assignment, ...]:
        made: list[Assignment] = []
        while self._start_of_statement():
            found = self._assignment()
            made.append(found)
            if found.value is not None:
                self._known[found.name] = found.value
            if len(made) > ENTRY_LIMIT:
                raise self._error(f"more than {ENTRY_LIMIT} settings", "Name the mailu.env of your deployment.")
        return tuple(made)

    def _line_at(self, at: int) -> int:
        """The line of a position; positions are asked for in rising order."""
        self._line += self._text.count("\n", self._counted, at)
        self._counted = at
        return self._line

    def _start_of_statement(self) -> bool:
        text = self._text
        while True:
            while self._at < len(text) and text[self._at] in _SPACE:
                self._at += 1
            if self._at == len(text):
                return False
            if text[self._at] != "#":
                return True
            end = text.find("\n", self._at)
            self._at = len(text) if end < 0 else end

    def _assignment(self) -> Assignment:
        text = self._text
        line = self._line_at(self._at)
        if found := _EXPORT.match(text, self._at):
            self._at += len("export")
            while self._at < len(text) and text[self._at] in _BLANK:
                self._at += 1
            line = self._line_at(found.end()) if self._at < found.end() else line
        end = _NAME_END.search(text, self._at)
        stop = end.start() if end else len(text)
        name = text[self._at : stop]
        for character in name:
            if not (character in _BLANK or character in "_.-[]" or character.isalpha() or character.isnumeric()):
                raise self._error(f"{name.strip()[:40]!r} is not NAME=value", "Fix the line, or put a # before it.")
        if end is None:
            # A bare name at the very end of a file: Compose takes it for the value of a setting without a name.
            raise self._error(f"{name.strip()[:40]!r} is not NAME=value", "Fix the line, or put a # before it.")
        bare = end[0] == "\n"
        name = name.rstrip(_SPACE)
        if not name:
            raise self._error("there is no name before the value", "Write NAME=value, or put a # before it.")
        if " " in name:
            raise self._error(f"the name {name[:40]!r} has a space in it", "Fix the line, or put a # before it.")
        self._at = end.end()
        if bare:
            while self._at < len(text) and text[self._at] in _BLANK:
                self._at += 1
            return Assignment(name, self._outside(name), line, line, "")
        while self._at < len(text) and text[self._at] in _BLANK:
            self._at += 1
        return self._valued(name, line)

    def _valued(self, name: str, line: int) -> Assignment:
        text, start = self._text, self._at
        quote = text[start : start + 1]
        if quote not in ("'", '"') or not quote:
            end = text.find("\n", start)
            end = len(text) if end < 0 else end
            raw = text[start:end]
            self._at = min(end + 1, len(text))
            value = raw.partition(" #")[0].rstrip(_SPACE)
            return Assignment(name, self._substituted(value), line, line, raw.rstrip("\r"))
        inner, stop = self._quoted(quote, start + 1)
        self._at = stop
        last = self._line_at(stop - 1)
        if quote == '"':
            inner = self._substituted(_ESCAPE.sub(_unescaped, inner))
        return Assignment(name, inner, line, last, text[start:stop], quote)

    def _quoted(self, quote: str, at: int) -> tuple[str, int]:
        """The text up to the closing quotation mark, and the position behind it."""
        text = self._text
        out: list[str] = []
        escaped = False
        for index in range(at, len(text)):
            character = text[index]
            if character == quote:
                if not escaped:
                    return "".join(out), index + 1
                escaped = False
                out.append(character)
            elif character == "\\" and not escaped:
                escaped = True
            else:
                if escaped:
                    escaped = False
                    out.append("\\")
                out.append(character)
        raise self._error("the value has no closing quotation mark", f"Close it with {quote}.")

    def _substituted(self, value: str) -> str:
        def lookup(name: str) -> str | None:
            outside = self._outside(name)
            return self._known.get(name) if outside is None else outside

        try:
            return substitute(value, lookup)
        except TemplateError as error:
            raise self._error(str(error), "Write $$ for a dollar sign that is meant.") from None

    def _error(self, what: str, remedy: str) -> UsageError:
        return UsageError(f"{self._shown}, line {self._line}: {what}", remedy)


def _unescaped(found: re.Match[str]) -> str:
    """What an escape stands for; Compose turns `\\$` into `$$`, and leaves what Go has no character for."""
    escape = found[0][1:]
    if escape == "$":
        return "$$"
    if escape.startswith("0"):
        digits = escape[1:]
        # Go knows octal escapes of exactly three digits, up to 255.
        if len(digits) == 3 and all(digit in "01234567" for digit in digits) and int(digits, 8) < 256:
            return chr(int(digits, 8))
        return found[0]
    return _ESCAPES.get(escape, found[0])
