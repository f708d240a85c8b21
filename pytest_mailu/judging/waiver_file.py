"""Reads `mailu-waivers.toml`, and names the line of whatever is wrong in it."""

from __future__ import annotations

import datetime
import difflib
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NewType

import cattrs
from cattrs.gen import make_dict_structure_fn, override

from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.globs import matches
from pytest_mailu.core.model import Waiver
from pytest_mailu.core.ranges import ReleaseRange
from pytest_mailu.judging.entries import Filled, converter, meant, problems, text

TABLE = "waiver"
OPEN_ENDED = ("settings/",)
"""Families whose members depend on the user's files: a waiver may wait for one that is not there."""
KEYS = ("behaviour", "reason", "from", "to", "path", "fingerprint", "expires", "by")
PREFIX = "mailu::"
"""What pytest prints before an id; pasted ids may have it."""

PATHS = ("outcome", "stage", "reply.code", "reply.enhanced", "reply.text", "seconds", "facts.")
"""Where observations can differ (`pytest_mailu.judging.compare.view`); `facts.` has names of its own below it."""

EVERY = ReleaseRange()
_IDS = "See the ids with: pytest --mailu-from … --mailu-to … --collect-only -q"
_REMEDY = (
    'Write entries as [[waiver]] with behaviour = "…" and reason = "…", and optionally from, to, path, fingerprint, '
    "expires and by."
)
_FINGERPRINT = re.compile(r"[0-9a-f]{12}")
_TOKEN = re.compile(r""""{3}(?:\\.|[^\\])*?"{3,5}|'{3}.*?'{3,5}|"(?:\\.|[^"\\\n])*"|'[^'\n]*'|#[^\n]*""", re.DOTALL)
"""Texts and comments (TOML 1.0)."""
_HEADER = re.compile(r"""\s*\[\[\s*(["']?)waiver\1\s*\]\]""")

_LONGEST, _LONGEST_LINE = 500_000, 1_000
"""Bytes of the file, and characters of a line: a key of many parts takes tomllib time with their square."""

Glob = NewType("Glob", str)
Fingerprint = NewType("Fingerprint", str)
Day = NewType("Day", str)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A `[[waiver]]` as it is written. An empty text is as good as none but for `behaviour` and `reason`."""

    behaviour: Filled
    reason: Filled
    from_: ReleaseRange = EVERY
    to: ReleaseRange = EVERY
    path: Glob = Glob("")
    fingerprint: Fingerprint = Fingerprint("")
    expires: Day = Day("")
    by: str = ""

    def waiver(self, line: int) -> Waiver:
        """The entry, which starts at `line`, as a waiver."""
        ranges = self.from_.text, self.to.text
        return Waiver(
            _id(self.behaviour), self.reason, *ranges, self.path, self.fingerprint, self.expires, self.by, line
        )


def _id(written: str) -> str:
    return written.strip().removeprefix(PREFIX)


def _glob(value: Any, _: object) -> Glob:
    path = text(value)
    if path and not (path.startswith("facts.") or any(matches(path, prefix) for prefix in PATHS)):
        raise ValueError(f"nothing can differ at {path!r}{meant(path, PATHS)}")
    return Glob(path)


def _fingerprint(value: Any, _: object) -> Fingerprint:
    if text(value) and not _FINGERPRINT.fullmatch(value):
        raise ValueError(f"{value!r} is not a fingerprint: fingerprints have 12 hex digits")
    return Fingerprint(value)


def _day(value: Any, _: object) -> Day:
    if value == "" or type(value) is datetime.date:
        return Day(str(value))
    try:
        return Day(datetime.date.fromisoformat(value).isoformat())
    except (TypeError, ValueError):
        raise ValueError(f"has to be a date such as 2027-01-31, not {value!r}") from None


def _converter() -> cattrs.Converter:
    strict = converter()
    strict.register_structure_hook_func(lambda kind: kind is Glob, _glob)
    strict.register_structure_hook_func(lambda kind: kind is Fingerprint, _fingerprint)
    strict.register_structure_hook_func(lambda kind: kind is Day, _day)
    strict.register_structure_hook(
        _Entry, make_dict_structure_fn(_Entry, strict, _cattrs_forbid_extra_keys=True, from_=override(rename="from"))
    )
    return strict


_CONVERTER = _converter()


def read(path: Path, ids: Collection[str]) -> tuple[Waiver, ...]:
    """The waivers of a file, each with its line; `ids` are all behaviours there are.

    Raises UsageError for a file that cannot be read or is invalid TOML, for unknown keys or ids, wrong types, and a
    missing reason. It names everything that is wrong at once.
    """
    try:
        source = _source(path)
        document = tomllib.loads(source)
    except RecursionError as error:
        raise UsageError(f"{path} is nested too deep", _REMEDY) from error
    except OSError as error:
        raise UsageError(f"cannot read the waivers {path}: {error.strerror}", "Name another file.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text", "Save it as UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is invalid TOML: {error}", _REMEDY) from error
    wrong: list[tuple[int, str]] = []
    missing: list[tuple[int, str]] = []
    waivers = []
    for line, part, entry in _entries(document, _without_long_texts(source), wrong):
        if unknown := _unknown(entry.get("behaviour"), ids):
            missing.append((line + _line_of(part, "behaviour"), unknown))
        try:
            waivers.append(_CONVERTER.structure(entry, _Entry).waiver(line))
        except cattrs.BaseValidationError as error:
            wrong += [(line + _line_of(part, key), f"`{key}` {words}") for key, words in problems(error, KEYS)]
    if wrong or missing:
        first, *rest = [f"{path}:{line}: {words}" for line, words in sorted((*wrong, *missing))]
        remedies = [remedy for remedy, found in ((_REMEDY, wrong), (_IDS, missing)) if found]
        raise UsageError(first, " ".join(remedies), tuple(rest))
    return tuple(waivers)


def _source(path: Path) -> str:
    """The text of the file. Raises UsageError for one that no list of waivers is as long as: it is measured first."""
    if path.exists() and not path.is_file():
        raise UsageError(f"cannot read the waivers {path}: it is not a regular file", "Name another file.")
    if path.stat().st_size > _LONGEST:
        raise UsageError(f"{path} has more than {_LONGEST // 1000} kB", "Remove what is no waiver.")
    source = path.read_text("utf-8-sig")
    if long := next((number for number, line in enumerate(source.split("\n"), 1) if len(line) > _LONGEST_LINE), 0):
        raise UsageError(
            f"{path}:{long}: this line has more than {_LONGEST_LINE} characters", 'Break long reasons: """ … """.'
        )
    return source


def _unknown(written: Any, ids: Collection[str]) -> str:
    behaviour = _id(written) if isinstance(written, str) else ""
    if not behaviour or behaviour.startswith(OPEN_ENDED) or any(matches(behaviour, id_) for id_ in ids):
        return ""
    if set(behaviour) & set("*?"):
        return f"no behaviour matches {behaviour!r}{_glob_meant(behaviour, ids)}"
    return f"there is no behaviour {behaviour!r}{meant(behaviour, ids)}"


def _glob_meant(glob: str, ids: Collection[str]) -> str:
    """The glob with each part that no id has put right, where an id matches it then."""
    parts = {part for id_ in ids for part in id_.split("/")}
    nearest = "/".join(
        part if part in parts or set(part) & set("*?") else next(iter(difflib.get_close_matches(part, parts, 1)), part)
        for part in glob.split("/")
    )
    return f", did you mean {nearest!r}?" if any(matches(nearest, id_) for id_ in ids) else ""


def _line_of(part: list[str], key: str) -> int:
    """How many lines below its header an entry has a key; 0 where it has none."""
    return next(_lines(part, re.compile(rf"""\s*\[?\s*["']?(waiver\.)?{re.escape(key)}["']?\s*[]=.]""")), 1) - 1


def _entries(
    document: Mapping[str, Any], file: list[str], wrong: list[tuple[int, str]]
) -> Iterator[tuple[int, list[str], Any]]:
    """Each entry with its line (counted from 1) and its lines of the file."""
    for key in document:
        if key != TABLE:
            line = next(_lines(file, re.compile(rf"""\s*(\[\[?\s*)?["']?{re.escape(key)}\b""")), 1)
            wrong.append((line, f"{key!r} is not known here{meant(key, [TABLE])}"))
    entries = document.get(TABLE, [])
    starts = list(_lines(file, _HEADER))
    if not isinstance(entries, list) or len(starts) != len(entries):
        line = next(_lines(file, re.compile(rf"""\s*\[?\s*["']?{TABLE}\b""")), 1)
        wrong.append((line, "each waiver is a table of its own, [[waiver]]"))
        return
    stops = [start - 1 for start in starts[1:]] + [len(file)]
    for start, stop, entry in zip(starts, stops, entries, strict=False):
        yield start, file[start - 1 : stop], entry


def _lines(file: list[str], pattern: re.Pattern[str]) -> Iterator[int]:
    """The numbers of the lines that match."""
    return (number for number, line in enumerate(file, 1) if pattern.match(line))


def _without_long_texts(source: str) -> list[str]:
    """The lines of a valid document, without what stands in texts that span lines: it only looks like entries."""

    def blank(found: re.Match[str]) -> str:
        token = found[0]
        return "\n" * token.count("\n") if token.startswith(('"""', "'''")) else token

    return _TOKEN.sub(blank, source).split("\n")
