"""What Roundcube's pages and scripts say, read without running them.

Source: Roundcube 1.6, program/js/app.js and program/actions/.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pytest_mailu.core.text import TEXT_LIMIT, show_line
from pytest_mailu.probe.admin_site import LONGEST_PAGE

MOST_CALLS = 2000
MOST_ARGUMENTS = 20
MOST_OPTIONS = 200
"""Calls of one function, arguments of one call, and options of one selection, that are read."""
_JSON = json.JSONDecoder()


def environment(page: str) -> dict[str, Any]:
    """What a page sets for its scripts: `rcmail.set_env({…})`."""
    found: dict[str, Any] = {}
    for arguments in calls(page, "rcmail.set_env"):
        if arguments and isinstance(arguments[0], dict):
            found |= arguments[0]
    return found


def rows(answer: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The rows that an answer adds to the list of messages: UID → columns."""
    added = calls(str(answer.get("exec", "")), "this.add_message_row")
    return {str(row[0]): row[1] for row in added if len(row) > 1 and isinstance(row[1], dict)}


def shown(script: str, kind: str) -> str:
    """The texts that a script shows in a box of this kind: `error`, `confirmation` …"""
    texts = [
        str(arguments[0])
        for name in ("this.display_message", "rcmail.display_message")
        for arguments in calls(script, name)
        if arguments[1:2] == [kind]
    ]
    return show_line("; ".join(texts), TEXT_LIMIT)


def calls(script: str, name: str) -> Iterator[list[Any]]:
    """The arguments of each call of a function in a script, as far as they are JSON."""
    script, begin, place = script[:LONGEST_PAGE], f"{name}(", 0
    for _ in range(MOST_CALLS):
        if (place := script.find(begin, place)) < 0:
            return
        place += len(begin)
        arguments: list[Any] = []
        while len(arguments) < MOST_ARGUMENTS:
            try:
                value, place = _JSON.raw_decode(script, place)
            except (ValueError, RecursionError):
                break
            arguments.append(value)
            between = re.compile(r"\s*,\s*").match(script, place)
            if between is None:
                break
            place = between.end()
        yield arguments


def options(page: str, name: str) -> list[tuple[str, bool]]:
    """The values of a selection in a form, and whether each is the selected one."""
    box = re.search(rf'<select[^>]{{0,500}}\bname="{re.escape(name)}"[^>]{{0,500}}>', page[:LONGEST_PAGE])
    if box is None:
        return []
    inside = page[box.end() :].partition("</select>")[0]
    found: list[tuple[str, str]] = re.findall(r'<option[^>]{0,500}?\bvalue="([^"]{0,500})"([^>]{0,500})>', inside)
    return [(value, "selected" in more) for value, more in found[:MOST_OPTIONS]]


def first_option(page: str, name: str) -> str:
    """The value of a selection in a form that a browser sends unchanged: the one that is selected, or the first."""
    found = options(page, name)
    chosen = [value for value, selected in found if selected]
    return (chosen or [value for value, _ in found] or [""])[0]
