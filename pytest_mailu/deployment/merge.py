"""Lays one compose tree over another by the rules of Compose: override files, `extends`, `include`.

Source: the Compose specification, "Merge"; compose-go override/merge.go and uncity.go (v2.9).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pytest_mailu.core.errors import UsageError
from pytest_mailu.deployment.yaml_tree import Items, Keys, Place, Scalar, Tree

_AS_KEYS = {
    "environment": "=",
    "labels": "=",
    "annotations": "=",
    "sysctls": "=",
    "extra_hosts": "=:",
    "depends_on": "",
    "networks": "",
}
"""Keys of a service that may be a list or a mapping, and what parts name from value in a list."""
_AS_ITEMS = frozenset(("env_file", "dns", "dns_opt", "dns_search", "tmpfs", "label_file"))
"""Keys of a service that may be one value or a list."""
_REPLACED = frozenset(("command", "entrypoint"))
"""Lists that an override replaces instead of making them longer."""


def canonical(service: Keys) -> Keys:
    """A service with lists and mappings where Compose takes either, so that two of them can be merged."""
    values = dict(service.values)
    for name, value in service.values.items():
        if name in _AS_KEYS and isinstance(value, Items):
            values[name] = _as_keys(value, _AS_KEYS[name])
        elif name in _AS_ITEMS and isinstance(value, Scalar) and not value.null:
            values[name] = Items((value,), value.place)
    return replace(service, values=values)


def _as_keys(items: Items, separators: str) -> Keys:
    values: dict[str, Tree] = {}
    places: dict[str, Place] = {}
    for item in items.items:
        if not isinstance(item, Scalar):
            raise UsageError(f"{item.place}: a text is needed here", "Write NAME=value.")
        at = min((item.text.index(mark) for mark in separators if mark in item.text), default=-1)
        name, value = (item.text, "") if at < 0 else (item.text[:at], item.text[at + 1 :])
        values[name] = Scalar(value, item.place, null=at < 0)
        places[name] = item.place
    return Keys(values, items.place, places, items.tag)


def merge(below: Tree, above: Tree, path: tuple[str, ...] = ()) -> Tree:
    """`below` with `above` laid over it. Raises UsageError where the two are of different kinds."""
    if above.tag == "!override" or (isinstance(above, Scalar) and not above.null):
        return above
    if isinstance(above, Scalar):
        return below
    name = path[-1] if path else ""
    if name in _REPLACED or path[-2:] == ("healthcheck", "test") or isinstance(below, Scalar):
        return above
    if isinstance(below, Items) and isinstance(above, Items):
        return Items((*below.items, *above.items), above.place)
    if isinstance(below, Keys) and isinstance(above, Keys):
        if name == "logging" and _text(below, "driver") and _text(above, "driver") not in ("", _text(below, "driver")):
            return above
        return _merged(below, above, path)
    raise UsageError(
        f"{above.place}: {'.'.join(path)} is a {_kind(above)} here and a {_kind(below)} in {below.place}",
        "Write both in the same form.",
    )


def _merged(below: Keys, above: Keys, path: tuple[str, ...]) -> Keys:
    values, places = dict(below.values), dict(below.places)
    for name, value in above.values.items():
        places[name] = above.place_of(name)
        if value.tag == "!reset":
            values.pop(name, None)
            places.pop(name, None)
        else:
            values[name] = merge(values[name], value, (*path, name)) if name in values else value
    return Keys(values, below.place, places)


def unique(items: Tree | None, key: Callable[[Tree], str]) -> tuple[Tree, ...]:
    """The members of a list, a later one in the place of an earlier one with the same key."""
    found: dict[str, Tree] = {}
    for item in items.items if isinstance(items, Items) else ():
        found[key(item)] = item
    return tuple(found.values())


def _text(keys: Keys, name: str) -> str:
    value = keys.get(name)
    return value.text if isinstance(value, Scalar) else ""


def _kind(tree: Tree) -> str:
    return "list" if isinstance(tree, Items) else "mapping"
