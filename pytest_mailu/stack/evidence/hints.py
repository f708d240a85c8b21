"""What a service's last words usually mean, and what to do: one line for the person who reads the report."""

from __future__ import annotations

import re
from collections.abc import Iterable

_KNOWN: tuple[tuple[str, str], ...] = (
    (r"no space left on device|disk full|database or disk is full", "the disk of the engine is full: docker system df"),
    (
        r"cannot allocate memory|out of memory|MemoryError|Killed process",
        "the machine is short of memory: stop something else",
    ),
    (
        r"isn't doing DNSSEC|DNS resolver .* is not working",
        "the world's DNS does not reach this service; see the engine's version",
    ),
    (r"system is not supported", "Mailu refuses this runtime (it looks for /.dockerenv): use the Docker engine"),
    (
        r"postconf: (fatal|error)|bad (parameter|numeric|string)|fatal: .*main\.cf",
        "Postfix does not like a setting or an override",
    ),
    (r"\[emerg\]|nginx: configuration file .* test failed", "nginx does not like a setting or an override"),
    (r"Error in configuration|doveconf: Fatal", "Dovecot does not like a setting or an override"),
    (r"alembic|Can't locate revision", "the database belongs to a later release: migrations are one-way"),
    (
        r"jinja2|UndefinedError|KeyError: '[A-Z_]+'",
        "a setting that the start script needs is missing from the environment",
    ),
    (r"exec format error", "the image is for another architecture"),
)


def hint(service: str, lines: Iterable[str], *, own_doing: bool) -> str:
    """A remedy for a service that did not start or stay, from its last log lines."""
    text = "\n".join(lines)
    for pattern, words in _KNOWN:
        if re.search(pattern, text, re.IGNORECASE):
            return words
    if not own_doing:
        return "nothing of Mailu's own: start the run again; if it happens again, look at the engine's log"
    return f"read the log lines of {service} below; a setting or an override that this release does not take is likely"
