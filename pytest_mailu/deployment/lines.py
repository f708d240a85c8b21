"""One line of an env file or a compose file in a new form: indentation, comment and line end stay."""

from __future__ import annotations

import json
import re

_KEY = re.compile(r"\s*(?:- )?(?P<key>[A-Za-z_]+):\s")
_ITEM = re.compile(r"\s*- ")
_ASSIGNED = re.compile(r"(?P<name>[A-Z][A-Z0-9_]*)=(?P<value>.*)")
_IN_LIST = re.compile(r"(?P<start>\s*)- (?P<quote>[\"']?)[A-Z][A-Z0-9_]*=(?P<rest>.*)")
_IN_MAPPING = re.compile(r"(?P<start>\s*)[A-Z][A-Z0-9_]*:\s+(?P<rest>[^{\[&*|>].*)")


def env_line(old: str, text: str | None) -> str:
    """The line of an env file in its new form; with None it becomes a comment."""
    end = "\r" if old.endswith("\r") else ""
    return f"# {old}" if text is None else f"{text}{end}"


def compose_line(old: str, text: str | None) -> str | None:
    """The line of a compose file in its new form, indented as before; with None it becomes a comment.

    None where it is no line of its own: such a change is left to a person.
    """
    indent = old[: len(old) - len(old.lstrip())]
    if text is None:
        alone = (_KEY.match(f"{old} ") and "{" not in old) or _IN_LIST.fullmatch(old.rstrip("\r"))
        return f"{indent}# {old.lstrip()}" if alone else None
    if assigned := _ASSIGNED.fullmatch(text):
        return environment_line(old, assigned["name"], assigned["value"])
    new_key, old_key = _KEY.match(text), _KEY.match(old)
    same_key = new_key and old_key and new_key["key"] == old_key["key"]
    same_item = _ITEM.match(text) and _ITEM.match(old)
    if "{" in old.replace("${", "") or not (same_key or same_item):
        return None
    return f"{indent}{text.lstrip()}{_comment(old)}"


def environment_line(old: str, name: str, value: str) -> str | None:
    """A line of `environment:` that sets a name to a value, in the form of the old one; None where it has another form.

    The forms are `NAME: value` and `- NAME=value`.
    """
    line = old.rstrip("\r")
    quoted = value.replace("$", "$$")
    if found := _IN_LIST.fullmatch(line):
        text = f"{name}={quoted}"
        return f"{found['start']}- {_text(text) if found['quote'] else text}{_comment(line)}"
    if found := _IN_MAPPING.fullmatch(line):
        return f"{found['start']}{name}: {_text(quoted)}{_comment(line)}"
    return None


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _comment(line: str) -> str:
    return f"  #{line.rstrip(chr(13)).partition(' #')[2]}" if " #" in line else ""
