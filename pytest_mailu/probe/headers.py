"""What servers did to the header section of a message: the fields they added, by value, and those they removed.

Filters and mail programs read these values. What differs from one message to the next (queue ids, dates, signatures,
names of containers) has a common name; a probe adds the common names of addresses and tokens.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from pytest_mailu.core.text import show_line

LONGEST = 1000
"""Characters of a value that are kept."""
MOST = 60
"""Fields that are read."""

_FIELD = re.compile(rb"(?m)^([!-9;-~]+):((?:.*)(?:\r?\n[ \t].*)*)")
_RESULTS = frozenset({"authentication-results", "arc-authentication-results"})
_SETTLED = (
    # RFC 5322 section 3.3: dates, with the comment that some programs add.
    (re.compile(r"(?:\w{3}, ?)?\d{1,2} \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}(?: \(\w+\))?"), "<date>"),
    # RFC 5321 section 4.4: `id` of Received. Dovecot's has the session id; Postfix's the name of its queue file.
    (re.compile(r"(?<=\bid )[^ ;]+(?: [A-Za-z0-9+/]{22}\b)?"), "<id>"),
    # RFC 6376 section 3.5 and RFC 8617 section 4: signature, hashes and time. Folding puts blanks into them.
    (re.compile(r"(?<=\bb=)[A-Za-z0-9+/= ]{20,}"), "<signature>"),
    (re.compile(r"(?<=\bbh=)[A-Za-z0-9+/= ]{20,}"), "<hash>"),
    (re.compile(r"(?<=\bt=)\d{9,}"), "<time>"),
    # RFC 8601 section 2.7.1, RFC 6008: the first characters of the signature.
    (re.compile(r"(?<=header\.b=)[\"A-Za-z0-9+/=]+"), "<signature>"),
    # A container is named by its id, or by the project of the run, in the engine's DNS.
    (re.compile(r"\b[0-9a-f]{12}\b"), "<container>"),
    # It is looked for from the beginning of each word only: from each hyphen on, time grows with the square of them.
    (re.compile(r"(?<![\w-])(-*+)[\w-]*?mailu-[\w-][\w.-]*\b"), r"\1<container>"),
)


def header_changes(sent: bytes, arrived: bytes) -> dict[str, Any]:
    """The fields that differ between a message as it was sent and as it arrived.

    `added` has values by the field's name in lower case. Several fields of one name are `name 1`, `name 2` … from the
    bottom, so that a further one at the top leaves the others' names as they are. `removed` are names of fields that
    were sent and are not there as they were.
    """
    before, after = Counter(fields(sent)), fields(arrived)
    added: list[tuple[str, str]] = []
    for field in after:
        if before[field]:
            before[field] -= 1
        else:
            added.append(field)
    numbers: Counter[str] = Counter()
    several = Counter(name for name, _ in added)
    values: dict[str, str] = {}
    for name, value in reversed(added):
        numbers[name] += 1
        key = f"{name} {numbers[name]}" if several[name] > 1 or name == "received" else name
        values[key] = settled(_in_order(name, value) if name in _RESULTS else value)
    return {"added": dict(sorted(values.items())), "removed": sorted(name for name, _ in before.elements())}


def fields(content: bytes) -> list[tuple[str, str]]:
    """The fields of a message's header section, unfolded: names in lower case, and values."""
    head = content.partition(b"\r\n\r\n")[0]
    found = []
    for match in _FIELD.finditer(head):
        value = re.sub(r"\s+", " ", match[2].decode("utf-8", "replace")).strip()
        found.append((match[1].decode("ascii").lower(), show_line(value, 4 * LONGEST)))
        if len(found) == MOST:
            break
    return found


def _in_order(name: str, value: str) -> str:
    """Results of authentication (RFC 8601) sorted: Rspamd writes them in the order in which its checks ended.

    Rspamd seals (ARC) while it still checks DMARC: that result is sometimes there and sometimes not.
    """
    parts = _outside_comments(value)
    first = [part for part in parts if re.fullmatch(r"i=\d+|[^=]*", part)]
    racing = "dmarc=" if name.startswith("arc-") else "\n"
    results = sorted(part for part in parts if part not in first and not part.startswith(racing))
    return "; ".join([*first, *results])


def _outside_comments(value: str) -> list[str]:
    """A value, split at the semicolons outside of comments."""
    pieces = re.split(r"(?=[()])", value)
    return "".join(
        piece if after.startswith(")") else re.sub("; ?", "\n", piece)
        for piece, after in zip(pieces, [*pieces[1:], ""], strict=True)
    ).split("\n")


def settled(value: str) -> str:
    """A value with common names for what differs from one message to the next."""
    for form, name in _SETTLED:
        value = form.sub(name, value)
    return show_line(value, LONGEST)
