"""Reads `mailu-waivers.toml`, and names the line of whatever is wrong in it."""

from __future__ import annotations

import datetime
import difflib
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.globs import matches
from pytest_mailu.core.model import Waiver
from pytest_mailu.core.ranges import ReleaseRange

TABLE = "waiver"
KEYS = ("behaviour", "reason", "from", "to", "path", "fingerprint", "expires", "by")
PREFIX = "mailu::"
"""What pytest prints before an id; pasted ids may have it."""

PLACES = ("outcome", "stage", "reply.code", "reply.enhanced", "reply.text", "seconds", "facts.")
"""Where observations can differ (`pytest_mailu.judging.compare.view`); `facts.` has names of its own below it."""

_REMEDY = (
    'Write entries as [[waiver]] with behaviour = "…" and reason = "…", and if need be from, to, path, fingerprint, '
    "expires and by."
)
_FINGERPRINT = re.compile(r"[0-9a-f]{12}")
_HEADER = re.compile(r"""\s*\[\[\s*(["']?)waiver\1\s*\]\]""")


def read(path: Path, ids: Collection[str]) -> tuple[Waiver, ...]:
    """The waivers of a file, each with its line; `ids` are all behaviours there are.

    Raises UsageError for what cannot be read, is no TOML, has unknown keys or ids, wrong types, or gives no reason; all
    of that is told at once.
    """
    try:
        text = path.read_text("utf-8-sig")
        document = tomllib.loads(text)
    except OSError as error:
        raise UsageError(f"cannot read the waivers {path}: {error.strerror}", "Name another file.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no UTF-8 text", "Save it as UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is no TOML: {error}", _REMEDY) from error
    problems: list[tuple[int, str]] = []
    waivers = []
    file = text.split("\n")
    for line, part, entry in _entries(document, file, problems):
        waiver = _Entry(entry, line, part, problems).waiver(ids)
        if waiver is not None:
            waivers.append(waiver)
    if problems:
        first, *rest = [f"{path}:{line}: {problem}" for line, problem in sorted(problems)]
        raise UsageError(first, _REMEDY, tuple(rest))
    return tuple(waivers)


def _entries(
    document: Mapping[str, Any], file: list[str], problems: list[tuple[int, str]]
) -> Iterator[tuple[int, list[str], Any]]:
    """Each entry with its line (counted from 1) and its lines of the file."""
    for key in document:
        if key != TABLE:
            line = next(_lines(file, re.compile(rf"""\s*(\[\[?\s*)?["']?{re.escape(key)}\b""")), 1)
            problems.append((line, f"there is no {key!r} here{_meant(key, [TABLE])}"))
    entries = document.get(TABLE, [])
    starts = list(_lines(file, _HEADER))
    if not isinstance(entries, list) or len(starts) != len(entries):
        line = next(_lines(file, re.compile(rf"""\s*\[?\s*["']?{TABLE}\b""")), 1)
        problems.append((line, "each waiver is a table of its own, [[waiver]]"))
        return
    stops = [start - 1 for start in starts[1:]] + [len(file)]
    for start, stop, entry in zip(starts, stops, entries, strict=False):
        yield start, file[start - 1 : stop], entry


def _lines(file: list[str], pattern: re.Pattern[str]) -> Iterator[int]:
    """The numbers of the lines that match and start something, not inside a text or list that spans lines.

    tomllib tells no lines; but what stands before the start of something is a whole document, and can be read as one.
    """
    begin = 0
    for index, line in enumerate(file):
        if pattern.match(line) and _whole("\n".join(file[begin:index])):
            begin = index
            yield index + 1


def _whole(text: str) -> bool:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


def _possible(path: str) -> bool:
    return path.startswith("facts.") or any(matches(path, place) for place in PLACES)


def _meant(word: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f", did you mean {close[0]!r}?" if close else ""


class _Entry:
    """One `[[waiver]]` and everything that is wrong with it."""

    def __init__(self, values: Mapping[str, Any], line: int, part: list[str], problems: list[tuple[int, str]]) -> None:
        self._values = values
        self._line = line
        self._part = part
        self._problems = problems
        self._wrong_keys: set[str] = set()

    def waiver(self, ids: Collection[str]) -> Waiver | None:
        """The entry as a waiver, or None where something is wrong with it."""
        for key in self._values:
            if key not in KEYS:
                self._wrong(key, f"a waiver has no {key!r}{_meant(key, KEYS)}")
        given = {key: self._text(key) for key in KEYS if key != "expires"}
        given["expires"] = self._date()
        for key in ("behaviour", "reason"):
            if not given[key].strip():
                self._wrong(key, f"a waiver needs a {key}")
        given["behaviour"] = given["behaviour"].strip().removeprefix(PREFIX)
        for key in ("from", "to"):
            self._range(key, given[key])
        if given["path"] and not _possible(given["path"]):
            self._wrong("path", f"nothing differs at {given['path']!r}{_meant(given['path'], PLACES)}")
        if given["fingerprint"] and not _FINGERPRINT.fullmatch(given["fingerprint"]):
            self._wrong("fingerprint", f"{given['fingerprint']!r} is no fingerprint: those have 12 hex digits")
        behaviour = given["behaviour"]
        if behaviour and not any(matches(behaviour, id_) for id_ in ids):
            kind = "no behaviour matches" if set(behaviour) & set("*?") else "there is no behaviour"
            self._wrong("behaviour", f"{kind} {behaviour!r}{_meant(behaviour, ids)}")
        return Waiver(from_=given.pop("from"), line=self._line, **given) if not self._wrong_keys else None

    def _wrong(self, key: str, problem: str) -> None:
        if key in self._wrong_keys:
            return
        self._wrong_keys.add(key)
        line = next(_lines(self._part, re.compile(rf"""\s*["']?{re.escape(key)}["']?\s*[=.]""")), 1)
        self._problems.append((self._line + line - 1, problem))

    def _text(self, key: str) -> str:
        value = self._values.get(key, "")
        if isinstance(value, str):
            return value
        self._wrong(key, f"{key} has to be a text in quotes, not {value!r}")
        return ""

    def _date(self) -> str:
        value = self._values.get("expires", "")
        if value == "" or type(value) is datetime.date:
            return str(value)
        try:
            return datetime.date.fromisoformat(value).isoformat()
        except (TypeError, ValueError):
            self._wrong("expires", f"expires has to be a date such as 2027-01-31, not {value!r}")
            return ""

    def _range(self, key: str, text: str) -> None:
        try:
            ReleaseRange(text)
        except UsageError as error:
            self._wrong(key, f"{key}: {error.cause}")
