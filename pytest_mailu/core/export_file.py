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
_NAME = re.compile(r"[\w.-]{1,255}")
_ADDRESS = re.compile(r"[^\s<>@,\"\\\x00-\x1f\x7f]{1,64}@[\w.-]{1,255}")
_ASCII = re.compile(r"[\x21-\x7e]+")
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


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
        found = [_entry(kind, each) for each in given]
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


def _entry(kind: str, given: Any) -> dict[str, Any] | None:
    """What is taken of an entry; None where it has no name that could be one."""
    if not isinstance(given, Mapping):
        return None
    kept = {name: value for name in _KEPT[kind] if (value := _value(given.get(name))) is not None}
    name = str(kept.get("name" if "name" in _KEPT[kind] else "email", ""))
    pattern = _NAME if "name" in _KEPT[kind] else _ADDRESS
    return kept if pattern.fullmatch(name) else None


def _value(value: Any) -> Any:
    """A plain value, or a list of texts; None for anything else."""
    if isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return value[:_LONGEST]
    if isinstance(value, list):
        return [each[:_LONGEST] for each in value[:ENTRIES] if isinstance(each, str)]
    return None


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
