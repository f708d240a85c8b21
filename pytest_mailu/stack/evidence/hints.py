"""From the last log lines of a service to what to do, in one line."""

from __future__ import annotations

import re
from collections.abc import Iterable

LINES, LINE_LIMIT = 50, 2_000
"""What is looked at: the last lines, and so many characters of each."""
_FULL = r"no space left on device|disk full|database or disk is full"
_KNOWN: tuple[tuple[str, str], ...] = (
    (_FULL, "the disk of the engine is full: see docker system df"),
    (
        r"cannot allocate memory|out of memory|MemoryError|Killed process",
        "the machine is short of memory: stop other programs",
    ),
    (
        r"isn't doing DNSSEC|DNS resolver .* is not working",
        "this service does not reach the world's DNS: check the version of the Docker engine",
    ),
    (r"system is not supported", "Mailu refuses this runtime (it looks for /.dockerenv): use the Docker engine"),
    (
        r"postconf: (fatal|error)|bad (parameter|numeric|string)|fatal: .*main\.cf",
        "Postfix rejects a setting or an override",
    ),
    (r"\[emerg\]|nginx: configuration file .* test failed", "nginx rejects a setting or an override"),
    (r"Error in configuration|doveconf: Fatal", "Dovecot rejects a setting or an override"),
    (r"alembic|Can't locate revision", "the database belongs to a later release: migrations cannot be undone"),
    (
        r"jinja2|UndefinedError|KeyError: '[A-Z_]+'",
        "a setting that the start script needs is missing from the environment",
    ),
    (r"exec format error", "the image is for another architecture"),
)


def disk_is_full(lines: Iterable[str]) -> bool:
    """Whether the last log lines say that the disk is full, which is no fault of the service."""
    return re.search(_FULL, "\n".join(line[:LINE_LIMIT] for line in list(lines)[-LINES:]), re.IGNORECASE) is not None


def hint(service: str, lines: Iterable[str], *, own_doing: bool) -> str:
    """What to do about a service that did not start or exited, from its last log lines."""
    text = "\n".join(line[:LINE_LIMIT] for line in list(lines)[-LINES:])
    for pattern, words in _KNOWN:
        if re.search(pattern, text, re.IGNORECASE):
            return words
    if not own_doing:
        return "the cause is outside Mailu: start the run again; if it happens again, look at the engine's log"
    return f"read the log lines of {service} below; probably this release rejects a setting or an override"
