"""What `flask mailu config-export` wrote on a server in use: its domains, users and aliases, without any credential.

Sources: core/admin/mailu/schemas.py and manage.py of 1.9.50 to master. Of each entry only fields on a list are taken:
no password, token, key or fetched account.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.text import DIGITS, whole_number

LARGEST = 100_000_000
"""Bytes of a file."""
ENTRIES = 100_000
"""Entries of a kind."""
_LONGEST = 4096
"""Characters of a value that is kept."""
_KEPT: Mapping[str, tuple[str, ...]] = {
    "domain": ("name", "alternatives", "max_users", "max_aliases", "max_quota_bytes"),
    "user": (
        *("email", "enabled", "enable_imap", "enable_pop", "quota_bytes", "displayed_name", "forward_enabled"),
        *("forward_destination", "forward_keep", "reply_enabled", "reply_subject", "reply_body", "spam_enabled"),
        "spam_threshold",
    ),
    "alias": ("email", "destination", "wildcard"),
    "relay": ("name", "smtp"),
}
_FLAGS = frozenset(
    (
        "enabled",
        "enable_imap",
        "enable_pop",
        "forward_enabled",
        "forward_keep",
        "reply_enabled",
        "spam_enabled",
        "wildcard",
    )
)
_NUMBERS = frozenset(("max_users", "max_aliases", "max_quota_bytes", "quota_bytes", "spam_threshold"))
_BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
"""YAML 1.1, https://yaml.org/type/bool.html."""
_NAME = re.compile(r"[\w.-]{1,255}")
_ADDRESS = re.compile(r"[^\s<>@,\"\\\x00-\x1f\x7f]{1,64}@[\w.-]{1,255}")
_ASCII = re.compile(r"[\x21-\x7e]+")
_LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
"""Leaves every scalar a text: numbers to the base of 60 take quadratic time, and a wrong date ends in a traceback."""


@dataclass(frozen=True, slots=True)
class Export:
    """`document` can be imported; `addresses` are those to ask, by their place in the file (`user 17`).

    `left_out` counts entries that are no domains, users, aliases or relays.
    """

    document: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    addresses: tuple[tuple[str, str], ...] = ()
    domains: tuple[str, ...] = ()
    left_out: int = 0


def read_export(path: Path, ours: Sequence[str] = ()) -> Export:
    """Read an export, in JSON or YAML; entries in the domains `ours` are left out.

    Raises UsageError for a file that cannot be read, is too large, or has no domain.
    """
    document = _parsed(path)
    kept: dict[str, list[Mapping[str, Any]]] = {}
    left_out = 0
    for kind in _KEPT:
        entries = document.get(kind) if isinstance(document, Mapping) else None
        given = entries if isinstance(entries, list) else []
        if len(given) > ENTRIES:
            raise UsageError(
                f"--mailu-export: {path.name} has more than {ENTRIES} entries of a kind", "Take a part of it."
            )
        found = [_checked_entry(path, kind, number, each) for number, each in enumerate(given, 1)]
        kept[kind] = [each for each in found if each is not None and not _is_ours(kind, each, ours)]
        left_out += len(found) - len(kept[kind])
    if not kept["domain"]:
        raise UsageError(
            f"--mailu-export: {path.name} has no domain of yours in it",
            "Make it with: docker compose exec admin flask mailu config-export --output-file=/data/export.yml",
        )
    names = {str(each["name"]).lower() for each in (*kept["domain"], *kept["relay"])}
    names |= {str(each).lower() for one in kept["domain"] for each in one.get("alternatives", ())}
    return Export(kept, tuple(_addresses(kept)), tuple(sorted(map(_ascii_domain, names))), left_out)


def _parsed(path: Path) -> Any:
    try:
        if path.exists() and not path.is_file():
            raise UsageError(f"--mailu-export: {path} is not a regular file", "Check the path.")
        if path.stat().st_size > LARGEST:
            raise UsageError(f"--mailu-export: {path.name} has more than {LARGEST >> 20} MB", "Take a part of it.")
        text = path.read_text("utf-8-sig")
        return json.loads(text) if text.lstrip().startswith("{") else yaml.load(text, _LOADER)  # noqa: S506 - it is safe
    except OSError as error:
        raise UsageError(f"--mailu-export: {path} cannot be read: {error.strerror}", "Check the path.") from error
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise UsageError(
            f"--mailu-export: {path.name} is neither JSON nor YAML",
            "Make it with: docker compose exec admin flask mailu config-export --output-file=/data/export.yml",
        ) from error


def _checked_entry(path: Path, kind: str, number: int, given: Any) -> dict[str, Any] | None:
    try:
        return _entry(kind, given)
    except ValueError as error:
        raise UsageError(
            f"--mailu-export: {path.name}: {error} (in {kind} {number})", "Correct it, or make a new export."
        ) from None


def _entry(kind: str, given: Any) -> dict[str, Any] | None:
    """What is taken of an entry; None where it has no name that could be one. Raises ValueError for a wrong value."""
    if not isinstance(given, Mapping):
        return None
    kept = {name: value for name in _KEPT[kind] if (value := _value(name, given.get(name))) is not None}
    name = str(kept.get("name" if "name" in _KEPT[kind] else "email", ""))
    pattern = _NAME if "name" in _KEPT[kind] else _ADDRESS
    return kept if pattern.fullmatch(name) else None


def _value(name: str, given: Any) -> Any:
    """A flag, a number, a text or a list of texts; None for nothing, and where another kind of text is given."""
    if given is None or given in ("", "~", "null"):
        return None
    if name in _FLAGS:
        return _flag(name, given)
    if name in _NUMBERS:
        return _whole(name, given)
    if isinstance(given, list):
        return [_text(each) for each in given[:ENTRIES] if isinstance(each, str)]
    return _text(given) if isinstance(given, str) else None


def _flag(name: str, given: Any) -> bool:
    if isinstance(given, bool):
        return given
    if isinstance(given, str) and given.lower() in _BOOLEANS:
        return _BOOLEANS[given.lower()]
    raise ValueError(f"{name} is neither true nor false")


def _whole(name: str, given: Any) -> int:
    """A whole number, of JSON or as text; -1 is no limit."""
    text = given if isinstance(given, str) else ""
    if isinstance(given, int) and not isinstance(given, bool) and abs(given) < 10**DIGITS:
        return given
    number = whole_number(text.removeprefix("-"))
    if number is None:
        raise ValueError(f"{name} is no whole number of at most {DIGITS} digits")
    return -number if text.startswith("-") else number


def _text(given: str) -> str:
    """JSON can write half a surrogate pair, which UTF-8 has no bytes for."""
    return given[:_LONGEST].encode("utf-8", "replace").decode()


def _is_ours(kind: str, entry: Mapping[str, Any], ours: Sequence[str]) -> bool:
    return str(entry.get("name", entry.get("email"))).lower().rpartition("@")[2] in ours


def _ascii_domain(domain: str) -> str:
    """A domain as DNS and SMTP have it (RFC 5890)."""
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError:
        return domain


def _addresses(kept: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[tuple[str, str]]:
    """Those that can be asked without an extension of SMTP, by their place in the file."""
    for place, address in _named(kept):
        local, _, domain = address.rpartition("@")
        if _ASCII.fullmatch(asked := f"{local}@{_ascii_domain(domain)}"):
            yield place, asked


def _named(kept: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[tuple[str, str]]:
    for kind in ("user", "alias"):
        for number, entry in enumerate(kept[kind], 1):
            # A wildcard takes `%` as any text.
            yield f"{kind} {number}", str(entry["email"]).replace("%", "anybody" if entry.get("wildcard") else "%")
    users = [str(entry["email"]).rpartition("@") for entry in kept["user"]]
    first = {name.lower(): local for local, _, name in reversed(users)}
    for number, domain in enumerate(kept["domain"], 1):
        local = first.get(str(domain["name"]).lower())
        for name in domain.get("alternatives", ()):
            if local is not None and _NAME.fullmatch(name):
                yield f"alternative of domain {number}", f"{local}@{name}"
