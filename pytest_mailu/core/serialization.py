"""Reports and recordings as JSON, and recordings back, with errors that name the place."""

from __future__ import annotations

import json
import re
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import cattrs
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.json_text import DEEPEST, read_json
from pytest_mailu.core.model import Comparison, Question, Recording, Report, SideInfo, Waiver
from pytest_mailu.core.transcript import Detail, Event, Kind, Speaker

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
SCHEMA = 2
"""The number of the format of reports and recordings. It goes up when a reader of the old format would be misled."""

LONGEST = 64 * 1024 * 1024
"""Bytes of a recording at most; those of the whole matrix have about 1.5 MB."""
_DEEPEST = DEEPEST + 10
"""Objects and lists within each other: the facts of a server's JSON are some levels inside."""
ATTEMPTS = 100
"""Observations of one behaviour at most; a run asks 60 times where an answer wavers."""

Value = TypeVar("Value")

_SPEAKERS = {str(speaker): speaker for speaker in Speaker}
_KINDS = {str(kind): kind for kind in Kind}


def _converter() -> cattrs.Converter:
    converter = cattrs.Converter()
    converter.register_structure_hook(str, _text)
    converter.register_structure_hook(float, _number)
    converter.register_structure_hook(StrEnum, lambda value, kind: kind(value))
    # cattrs takes them for text; what gets plain values must get no enumerations.
    converter.register_unstructure_hook(StrEnum, lambda value: value.value)
    # `from` is a keyword of Python, but the right name in JSON and TOML.
    rename = override(rename="from")
    converter.register_unstructure_hook(Waiver, make_dict_unstructure_fn(Waiver, converter, from_=rename))
    converter.register_structure_hook(Waiver, make_dict_structure_fn(Waiver, converter, from_=rename))
    converter.register_unstructure_hook(Event, lambda event: _event_plain(event, converter))
    converter.register_structure_hook(Event, lambda value, _: _event(value, converter))
    one_by_one = converter.get_structure_hook(tuple[Event, ...])

    def events(value: Any, kind: type[tuple[Event, ...]]) -> tuple[Event, ...]:
        try:
            return tuple([_event(each, converter) for each in value])
        except Exception:
            # Again, and slower: this names the place.
            return one_by_one(value, kind)  # type: ignore[no-any-return]

    converter.register_structure_hook_func(lambda kind: kind == tuple[Event, ...], events)
    return converter


def _text(value: Any, _: type[str]) -> str:
    """Only text is text. By default cattrs converts everything to text, and `null` becomes "None"."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    return value


def _number(value: Any, _: type[float]) -> float:
    """Only a number is a number. By default cattrs reads the text "nan" as one."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(f"{value!r} is not a number")
    return float(value)


def _event_plain(event: Event, converter: cattrs.Converter) -> list[Any]:
    """An event as a short list: speaker, kind, text, then seconds and detail where there are any."""
    values = [event.speaker.value, event.kind.value, event.text, event.seconds]
    if event.detail is not None:
        return [*values, converter.unstructure(event.detail)]
    return values if event.seconds is not None else values[:3]


def _event(value: Any, converter: cattrs.Converter) -> Event:
    if not isinstance(value, list) or not 3 <= len(value) <= 5:
        raise TypeError("an event is a list of speaker, kind, text, seconds and detail")
    speaker, kind, text, seconds, detail = (*value, None, None)[:5]
    return Event(
        # Recordings have tens of thousands of events: a dictionary is ten times as fast as the enumeration.
        _SPEAKERS.get(speaker) or Speaker(speaker),
        _KINDS.get(kind) or Kind(kind),
        _text(text, str),
        None if seconds is None else _number(seconds, float),
        None if detail is None else converter.structure(detail, Detail),  # type: ignore[arg-type]
    )


_CONVERTER = _converter()


def plain(value: Comparison | Report | Recording | SideInfo | Question) -> dict[str, Any]:
    """A frozen value as lists, dictionaries and scalars, as JSON has them."""
    result: dict[str, Any] = _CONVERTER.unstructure(value)
    return result


def structured(data: Any, kind: type[Value]) -> Value:
    """The reverse of `plain`; raises `cattrs.BaseValidationError` where the data does not fit."""
    return _CONVERTER.structure(data, kind)


def dumps(value: Report | Recording) -> str:
    """A report or recording as the text of its file: keys in order of declaration, one value a line."""
    return _written(plain(value)) + "\n"


def _written(value: Any, margin: str = "\n") -> str:
    """JSON with one member a line; the events of a transcript take one line each."""
    if not value or not isinstance(value, dict | list | tuple):
        return _on_one_line(value)
    inner = margin + " "
    if isinstance(value, dict):
        members = [f"{_on_one_line(str(key))}: {_member(key, member, inner)}" for key, member in value.items()]
        return "{" + inner + f",{inner}".join(members) + margin + "}"
    return "[" + inner + f",{inner}".join(_written(member, inner) for member in value) + margin + "]"


def _member(key: Any, value: Any, margin: str) -> str:
    if key == "transcript" and value and isinstance(value, list | tuple):
        events = f",{margin} ".join(map(_on_one_line, value))
        return f"[{margin} {events}{margin}]"
    return _written(value, margin)


def _on_one_line(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except ValueError:  # infinity, and what is not a number
        return json.dumps(str(value), ensure_ascii=False)


def read_recording(path: Path) -> Recording:
    """A recording from its file; raises UsageError where the file is missing or is not a whole recording."""
    remedy = "Make a new one with --mailu-report, or name another file."
    recording = _read(path, Recording, "recording", remedy)
    if unnamed := sorted(recording.observations.keys() - set(recording.behaviours)):
        raise UsageError(
            f"{path} is a broken recording",
            remedy,
            (f"observations of {unnamed[0]}, which `behaviours` does not name",),
        )
    if many := next((id_ for id_, seen in recording.observations.items() if len(seen) > ATTEMPTS), None):
        raise UsageError(f"{path} is not a recording: it has more than {ATTEMPTS} attempts of {many}", remedy)
    return recording


def _read(path: Path, kind: type[Value], word: str, remedy: str) -> Value:
    try:
        if path.exists() and not path.is_file():
            raise UsageError(f"cannot read the {word} {path}: it is not a regular file", remedy)
        if path.stat().st_size > LONGEST:
            raise UsageError(f"{path} is not a {word}: it has more than {LONGEST >> 20} MB", remedy)
        text = path.read_text("utf-8")
        data = read_json(text, _DEEPEST)
        if _SURROGATE.search(text):
            # JSON can write half a surrogate pair, which no text may hold (Unicode Standard section 3.9, D92).
            json.dumps(data, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = error.object[error.start]
        raise UsageError(f"{path} is not a {word}: it holds half a surrogate pair ({half!a})", remedy) from None
    except OSError as error:
        raise UsageError(f"cannot read the {word} {path}: {error.strerror}", remedy) from error
    except ValueError as error:
        raise UsageError(f"{path} is not a {word}: {error}", remedy) from error
    found = data.get("schema") if isinstance(data, dict) else None
    if found != SCHEMA:
        raise UsageError(f"{path} is not a {word} of schema {SCHEMA} (found: {found})", remedy)
    try:
        return structured(data, kind)
    except cattrs.BaseValidationError as error:
        places = tuple(cattrs.transform_error(error)[:5])
        raise UsageError(f"{path} is a broken {word}", remedy, places) from error
