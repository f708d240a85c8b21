"""Reads the data files of the catalogue: TOML tables become frozen values, errors name file, line and key."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import fields
from importlib.resources import files
from typing import Any

import cattrs
from cattrs.gen import make_dict_structure_fn

from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.releases import Release
from pytest_mailu.deployment.catalogue import schema

TABLES: Mapping[str, type[Any]] = {
    "setting": schema.Setting,
    "knowledge": schema.Knowledge,
    "legacy": schema.Legacy,
    "service": schema.Service,
    "mount": schema.Mount,
    "published_port": schema.PublishedPort,
    "listening_port": schema.ListeningPort,
    "connection": schema.Connection,
    "network": schema.Network,
    "compose_fact": schema.ComposeFact,
    "override": schema.Override,
    "program": schema.ProgramVersion,
    "directive": schema.Directive,
    "stop": schema.RequiredStop,
    "dns_record": schema.DnsRecord,
    "log_format": schema.LogFormat,
    "host": schema.HostRequirement,
    "notice": schema.Notice,
    "release_series": schema.KnownSeries,
}
"""The name of a table in the files → what each of its entries becomes."""
REMEDY = "Write the entry as docs/settings-catalogue.md says."
LONGEST_TEXT = 2000
"""Characters in one text of an entry."""

Tables = dict[str, tuple[Any, ...]]


def _release(value: Any, _: type[Release]) -> Release:
    release = Release.parse(_text(value, str))
    if release.moving and release.series != "master":
        raise ValueError(f"{value!r} is a series; a release is wanted, such as {value}.0")
    return release


def _source(value: Any, _: type[schema.Source]) -> schema.Source:
    """`core/nginx/config.py@2.0.0`; other documents are named as they are."""
    text = _text(value, str)
    if not text:
        raise ValueError("an entry without a source is of no use")
    file, at, tag = text.rpartition("@")
    if not at or not re.fullmatch(r"\d+\.\d+(\.\d+)?|master", tag):
        return schema.Source(text)
    return schema.Source(file, tag)


def _text(value: Any, _: type[str]) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    if len(value) > LONGEST_TEXT:
        raise ValueError(f"a text of {len(value)} characters; {LONGEST_TEXT} are allowed")
    return value


def _exactly(kind: type[Any]) -> Any:
    def structure(value: Any, _: Any) -> Any:
        if type(value) is not kind:
            raise TypeError(f"{value!r} is not {kind.__name__}")
        return value

    return structure


def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True)
    converter.register_structure_hook(str, _text)
    converter.register_structure_hook(bool, _exactly(bool))
    converter.register_structure_hook(int, _exactly(int))
    converter.register_structure_hook(Release, _release)
    converter.register_structure_hook(schema.Source, _source)
    for kind in (schema.Kind, schema.ChangeKind, schema.Effect):
        converter.register_structure_hook(kind, lambda value, kind: kind(value))
    # Advice stands flat in an entry: `cause`, `remedy`, `write` and `source` are keys like the others.
    for flat in (schema.SettingChange, schema.Legacy, schema.Directive, schema.HostRequirement, schema.Notice):
        converter.register_structure_hook(flat, _with_advice(converter, flat))
    return converter


def _with_advice(converter: cattrs.Converter, kind: type[Any]) -> Any:
    plain = make_dict_structure_fn(kind, converter, _cattrs_forbid_extra_keys=True)
    keys = {field.name for field in fields(schema.Advice)}

    def structure(value: Any, _: Any) -> Any:
        if not isinstance(value, dict):
            raise TypeError(f"{value!r} is not a table")
        own = {key: item for key, item in value.items() if key not in keys}
        return plain({**own, "advice": {key: item for key, item in value.items() if key in keys}}, kind)

    return structure


_CONVERTER = _converter()


def read(text: str, name: str) -> Tables:
    """The entries in the text of the file `name`, by table. Raises UsageError with file, line and key."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{name} is not TOML: {error}", REMEDY) from None
    tables: Tables = {}
    for table, entries in document.items():
        if table not in TABLES:
            raise UsageError(f"{name}, {_place(text, table)}: there is no table {table!r}", REMEDY)
        try:
            whole: Any = tuple.__class_getitem__((TABLES[table], ...))
            tables[table] = _CONVERTER.structure(entries, whole)
        except (cattrs.BaseValidationError, TypeError, ValueError) as error:
            path, problem = _problem(error)
            raise UsageError(f"{name}, {_place(text, table, *path)}: {problem}", REMEDY) from None
    return tables


def read_all() -> Tables:
    """The entries of all data files of the package, file by file in alphabetical order."""
    everything: Tables = dict.fromkeys(TABLES, ())
    for file in sorted((files(__package__) / "data").iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".toml"):
            for table, entries in read(file.read_text("utf-8"), file.name).items():
                everything[table] += entries
    return everything


def _problem(error: Exception) -> tuple[tuple[str | int, ...], str]:
    """Where in the table the first error is, and what it is."""
    if isinstance(error, cattrs.BaseValidationError):
        exceptions = error.exceptions
        step: tuple[str | int, ...] = ()
        first = exceptions[0]
        for note in getattr(first, "__notes__", ()):
            key = getattr(note, "name", getattr(note, "index", None))
            if key is not None and key != "advice":
                step = (key,)
        path, problem = _problem(first)
        return step + path, problem
    if isinstance(error, KeyError):
        return (), f"the key {error} is missing"
    if isinstance(error, cattrs.ForbiddenExtraKeysError):
        return (), f"there is no key {', '.join(sorted(error.extra_fields))}"
    if isinstance(error, UsageError):
        return (), error.cause
    return (), str(error)


def _place(text: str, *path: str | int) -> str:
    """`line 12, key since`: the line where an entry (or the key of one) stands."""
    tables = [str(step) for step in path if isinstance(step, str)]
    indexes = [step for step in path if isinstance(step, int)]
    line, header = 1, ""
    wanted = list(zip(tables, indexes, strict=False))
    counts: Counter[str] = Counter()
    depth = 0
    for number, content in enumerate(text.splitlines(), 1):
        found = re.match(r"\[\[([\w.]+)\]\]", content.strip())
        if depth < len(wanted):
            header = ".".join(name for name, _ in wanted[: depth + 1])
            if found and found[1] == header:
                if counts[header] == wanted[depth][1]:
                    line, depth = number, depth + 1
                counts[header] += 1
        elif found:
            break
        elif len(tables) > len(wanted) and re.match(rf"{re.escape(tables[-1])}\s*=", content.strip()):
            line = number
    key = f", key {tables[-1]}" if len(tables) > len(wanted) and wanted else ""
    return f"line {line}{key}"
