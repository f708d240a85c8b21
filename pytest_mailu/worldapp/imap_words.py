"""The words of IMAP commands (RFC 3501 section 9): strings, sets of messages, and the parts that FETCH asks for."""

from __future__ import annotations

import re
from typing import Dict, List, Optional, Tuple

from .mailboxes import Message

FLAGS = ("\\Answered", "\\Deleted", "\\Draft", "\\Flagged", "\\Seen")
_KNOWN = {flag.upper(): flag for flag in FLAGS}
_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|([^\s"()]+)|"')
_ITEM = re.compile(r"BODY(?:\.PEEK)?\[[^\]\[]*\]|[A-Z0-9.]+")
_FIELDS = re.compile(r"HEADER\.FIELDS \(([^()]+)\)")
_RANGE = re.compile(r"(\d{1,10}|\*)(?::(\d{1,10}|\*))?")
_MOST_RANGES = 100
_MOST_ITEMS = 50
_OLD_NAMES: Dict[str, str] = {"RFC822": "", "RFC822.HEADER": "HEADER", "RFC822.TEXT": "TEXT"}


class Bad(Exception):
    """The command is not known, or not now: it is answered with BAD."""


def words(arguments: str) -> List[str]:
    """The strings of a command, without their quotes; what is in brackets counts as well. Raises Bad."""
    found: List[str] = []
    for match in _WORD.finditer(arguments):
        quoted, plain = match.groups()
        if quoted is None and plain is None:  # a quote that nothing closes
            raise Bad
        found.append(plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted))
    return found


def flag_named(name: str) -> Optional[str]:
    """The flag of this name in its usual spelling, or None for an unknown one."""
    return _KNOWN.get(name.upper())


def bounds(wanted: str, last: int) -> List[Tuple[int, int]]:
    """The ranges of a set such as `1:3,5,7:*`; `last` is what `*` stands for. Raises Bad."""
    ranges = wanted.split(",")
    if len(ranges) > _MOST_RANGES:
        raise Bad
    found: List[Tuple[int, int]] = []
    for one in ranges:
        match = _RANGE.fullmatch(one)
        if match is None:
            raise Bad
        ends = [last if end == "*" else int(end) for end in (match.group(1), match.group(2) or match.group(1))]
        found.append((min(ends), max(ends)))
    return found


def items(wanted: str) -> List[str]:
    """What FETCH asks for, in capitals. Raises Bad for what this server does not have."""
    found: List[str] = []
    for item in _ITEM.findall(wanted):
        if item in ("FAST", "ALL"):
            found += ["FLAGS", "INTERNALDATE", "RFC822.SIZE"]
            continue
        if item not in ("UID", "FLAGS", "RFC822.SIZE", "INTERNALDATE"):
            section(item)
        found.append(item)
    if not 0 < len(found) <= _MOST_ITEMS:
        raise Bad
    return found


def section(item: str) -> Tuple[str, str]:
    """The name of a part in the answer, and which part that is: "", `TEXT`, `HEADER` or fields of it. Raises Bad."""
    if item in _OLD_NAMES:
        return item, _OLD_NAMES[item]
    kind, bracket, rest = item.partition("[")
    part = rest.rstrip("]")
    if not bracket or kind not in ("BODY", "BODY.PEEK"):
        raise Bad
    if part not in ("", "HEADER", "TEXT") and not _FIELDS.fullmatch(part):
        raise Bad
    return f"BODY[{part}]", part


def content(message: Message, part: str) -> bytes:
    """A part of a message, as `section` names it."""
    fields = _FIELDS.fullmatch(part)
    if fields is None:
        return {"": message.content, "TEXT": message.text}.get(part, message.head)
    wanted = {name.lower().encode() for name in fields.group(1).split()}
    lines = re.split(rb"(?<=\r\n)(?![ \t])", message.head)
    return b"".join(line for line in lines if line.partition(b":")[0].strip().lower() in wanted) + b"\r\n"
