"""Where a behaviour is asked, as its id tells.

`submission/587-starttls/external` is asked on port 587 with STARTTLS, and the operation is `external`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pytest_mailu.core.model import Tls

_WAY = re.compile(r"(?P<port>[1-9]\d{1,4})(?:-(?P<tls>plain|starttls|tls))?(?![\w.])")

IMPLICIT = frozenset({443, 465, 993, 995})
"""Ports that start with TLS (RFC 8314 section 7.3, RFC 9110 section 4.2.2)."""

SERVICES = {
    25: "SMTP",
    80: "HTTP",
    110: "POP3",
    143: "IMAP",
    443: "HTTPS",
    465: "submissions",
    587: "submission",
    993: "IMAPS",
    995: "POP3S",
    4190: "ManageSieve",
}
"""Names people know the ports by (IANA's service names, capitalised as usual)."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A port, how TLS comes about there, and the operation; port 0 and "" where an id names none."""

    port: int = 0
    tls: str = ""
    operation: str = ""


def place(behaviour: str) -> Place:
    """The place a behaviour id names. The family and the port are no part of the operation."""
    _, _, rest = behaviour.partition("/")
    parts = rest.split("/")
    for index, part in enumerate(parts):
        if found := _WAY.match(part):
            port = int(found["port"])
            tls = found["tls"] or (Tls.IMPLICIT if port in IMPLICIT else "")
            tail = part[found.end() :].lstrip("-")
            operation = "/".join(word for word in (*parts[:index], tail, *parts[index + 1 :]) if word)
            return Place(port, str(tls), operation)
    return Place(operation=rest)


def ports(behaviours: Iterable[str]) -> tuple[int, ...]:
    """All ports that some ids name, in order."""
    return tuple(sorted({place(behaviour).port for behaviour in behaviours} - {0}))
