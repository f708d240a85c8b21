"""Entries of TOML files as frozen values, by cattrs: strict types, no unknown keys, every problem with its key."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from enum import StrEnum
from typing import Any, NewType, get_args, get_origin

import cattrs
from cattrs.errors import ForbiddenExtraKeysError

from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.ranges import ReleaseRange

Filled = NewType("Filled", str)
"""A text that is not blank."""


def converter() -> cattrs.Converter:
    """A converter that takes values as TOML writes them, and nothing in the place of something else."""
    strict = cattrs.Converter(forbid_extra_keys=True)
    strict.register_structure_hook(str, text)
    strict.register_structure_hook_func(lambda kind: kind is Filled, _filled)
    strict.register_structure_hook(StrEnum, lambda value, kind: kind(text(value)))
    strict.register_structure_hook(ReleaseRange, _range)
    strict.register_structure_hook_func(
        lambda kind: _origin(kind) is tuple, lambda value, kind: _list(strict, value, kind)
    )
    strict.register_structure_hook_func(lambda kind: _origin(kind) is Mapping, _table)
    return strict


def _origin(kind: Any) -> Any:
    return get_origin(kind)


def text(value: Any, _: object = None) -> str:
    """The value, which has to be a text; raises TypeError."""
    if not isinstance(value, str):
        raise TypeError(f"has to be a text in quotes, not {value!r}")
    return value


def _filled(value: Any, _: object) -> Filled:
    if not text(value).strip():
        raise ValueError("is empty")
    return Filled(value)


def _range(value: Any, _: object) -> ReleaseRange:
    return ReleaseRange(text(value))


def _list(strict: cattrs.Converter, value: Any, kind: Any) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise TypeError(f"has to be a list, not {value!r}")
    return tuple(strict.structure(member, get_args(kind)[0]) for member in value)


def _table(value: Any, _: object) -> Mapping[str, str]:
    if not isinstance(value, dict) or not all(isinstance(member, str) for member in value.values()):
        raise TypeError("has to be a table from paths to texts (quote the paths)")
    return value


def problems(error: BaseException, known: Collection[str] = (), key: str = "") -> Iterator[tuple[str, str]]:
    """What is wrong with an entry: for each problem its key (`when.verdicts`; "" for the whole entry) and the words.

    `error` is what `structure` raised; `known` are the entry's keys, for "did you mean".
    """
    if isinstance(error, cattrs.ClassValidationError):
        noted, others = error.group_exceptions()
        for inner, note in noted:
            yield from problems(inner, (), ".".join(filter(None, (key, note.name.rstrip("_")))))
        for inner in others:
            yield from problems(inner, known, key)
    elif isinstance(error, cattrs.BaseValidationError):
        for inner in error.exceptions:
            yield from problems(inner, (), key)
    elif isinstance(error, ForbiddenExtraKeysError):
        for extra in sorted(error.extra_fields):
            yield ".".join(filter(None, (key, extra))), f"is not known{meant(extra, known)}"
    elif isinstance(error, KeyError):
        yield key, "is missing"
    else:
        yield key, error.cause if isinstance(error, UsageError) else str(error)


def meant(word: str, known: Collection[str]) -> str:
    """`, did you mean 'reason'?`, or nothing."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f", did you mean {close[0]!r}?" if close else ""
