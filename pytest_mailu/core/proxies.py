"""Reverse proxies in front of Mailu, as its settings describe them.

Sources: core/nginx/config.py, core/nginx/conf/nginx.conf and proxy.conf of 1.9.50, 2.0.43, 2024.06.24, 2024.06.57 and
master; core/base/libs/socrate/socrate/system.py of the last three (`clean_env`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pytest_mailu.core.endpoints import PORTS, Protocol, ports_of

_WEB = ports_of(Protocol.HTTP)
_NAMED: Mapping[str, frozenset[int]] = {
    "http": _WEB,
    "mail": frozenset(PORTS) - _WEB,
    "all-but-http": frozenset(PORTS) - {80},
    "all": frozenset(PORTS),
}
"""Words of PROXY_PROTOCOL: 2.0 knows `http`, `mail` and `all`, 2024.06 the last three, and ports by number."""

PROXY_SETTINGS = ("PROXY_PROTOCOL", "REAL_IP_HEADER", "REAL_IP_FROM")

LISTED = "X-Forwarded-For"
"""The header in which each proxy adds the address that it was connected from; others name one address."""
IN_THE_CONNECTION = "proxy_protocol"
"""A REAL_IP_HEADER that is none: nginx then takes the address from the PROXY protocol."""


@dataclass(frozen=True, slots=True)
class Proxies:
    """How reverse proxies tell Mailu who connects.

    `header` is the one in which they name browsers, empty without it; `ports` are those on which the last one sends the
    PROXY protocol before anything else; `in_a_row` is how many there are.
    """

    header: str = ""
    ports: frozenset[int] = frozenset()
    in_a_row: int = 1

    def __bool__(self) -> bool:
        return bool(self.header or self.ports)


def proxies_of(settings: Mapping[str, str], in_a_row: int = 1) -> Proxies:
    """The proxies that settings are made for. Without REAL_IP_FROM, no header is believed, so none is sent."""
    header = settings.get("REAL_IP_HEADER", "").strip() if settings.get("REAL_IP_FROM", "").strip() else ""
    named = "" if header.lower() == IN_THE_CONNECTION else header
    return Proxies(named, proxy_protocol_ports(settings.get("PROXY_PROTOCOL", "")), in_a_row)


def proxy_protocol_ports(value: str) -> frozenset[int]:
    """The ports that a value of PROXY_PROTOCOL means in any series.

    A proxy sends what it is told to, whatever a release makes of the value. Words that no series knows mean nothing.
    """
    found = frozenset[int]()
    for word in re.split(r"[,\s]+", value.lower()):
        number = int(word) if word.isdecimal() and len(word) <= 5 else 0
        found |= _NAMED.get(word, frozenset({number} & set(PORTS)))
    return found
