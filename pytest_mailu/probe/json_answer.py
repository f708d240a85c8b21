"""Objects and lists in the JSON answers of web mail, read within limits."""

from __future__ import annotations

from typing import Any

from pytest_mailu.wire.transport.errors import CannotAsk

MOST_ENTRIES = 2000
"""Entries of a list in an answer that are read."""


def object_of(found: Any) -> dict[str, Any]:
    """A JSON object. Raises CannotAsk for anything else."""
    if not isinstance(found, dict):
        raise CannotAsk("an answer of web mail that is no JSON object")
    return found


def collection_of(found: Any) -> list[dict[str, Any]]:
    """The objects in a collection: a list, or an object that has one. Nothing at all is an empty one."""
    return entries_of(found.get("@Collection") if isinstance(found, dict) else found)


def entries_of(found: Any) -> list[dict[str, Any]]:
    """The objects in a list; PHP writes a list with gaps as an object."""
    several = list(found.values()) if isinstance(found, dict) else found
    if several is None:
        return []
    if not isinstance(several, list):
        raise CannotAsk("an answer of web mail that is no list")
    return [one for one in several[:MOST_ENTRIES] if isinstance(one, dict)]


def recipients_of(found: Any) -> list[str]:
    """Suggested recipients, `name <address>`: pairs of address and name, of which the name may be missing."""
    several = found[:MOST_ENTRIES] if isinstance(found, list) else []
    pairs = [one for one in several if isinstance(one, list) and one]
    return [f"{one[1]} <{one[0]}>" if len(one) > 1 and one[1] else str(one[0]) for one in pairs]
