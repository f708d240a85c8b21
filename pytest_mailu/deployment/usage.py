"""Who is hit, counted: logins, users, addresses and relaying hosts in the log lines of the server in use today.

Only numbers leave this module, unless names are asked for. The patterns of the lines are the catalogue's.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from pytest_mailu.core.releases import Release
from pytest_mailu.deployment.catalogue import Catalogue, LogFormat
from pytest_mailu.deployment.note import Note

LINE_LIMIT = 2_000
"""Characters of a line that are looked at."""
NAMES_LIMIT = 100_000
"""Distinct users, or addresses, that are told apart; further ones are not counted."""
_HINTS = ("login", "Login", "logged in", "client=", "rate-limited", "Relay access denied")
"""Words of which each line that matters has one: most lines need no pattern."""

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(slots=True)
class _Tally:
    times: int = 0
    users: set[str] = field(default_factory=set)
    addresses: set[str] = field(default_factory=set)

    def add(self, user: str, address: str) -> None:
        self.times += 1
        for names, name in ((self.users, user), (self.addresses, address)):
            if name and (len(names) < NAMES_LIMIT or name in names):
                names.add(name)


@dataclass(frozen=True, slots=True)
class Use:
    """How often something was used, by how many users and from how many addresses; `names` are the users."""

    times: int = 0
    users: int = 0
    addresses: int = 0
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Usage:
    """What log lines say. `logins` is by port; `limited` are clients and accounts that a login limit met."""

    lines: int = 0
    logins: Mapping[int, Use] = field(default_factory=dict)
    failures: Use = Use()
    relayed: Use = Use()
    limited: Use = Use()

    def words(self, port: int) -> str:
        """Who uses a port, such as `587: 214 logins of 38 users from 41 addresses`."""
        use = self.logins.get(port, Use())
        if not use.times:
            return f"{port}: no login in {_many(self.lines, 'log line')}"
        return (
            f"{port}: {_many(use.times, 'login')} of {_many(use.users, 'user')} from {_many(use.addresses, 'address')}"
        )


def _many(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}{'es' if word.endswith('s') else 's'}"


def count(
    lines: Iterable[str], release: Release, catalogue: Catalogue, relaynets: str = "", *, names: bool = False
) -> Usage:
    """What the lines of a release's logs say: of any service, in any order, with whatever stands before the message.

    `relaynets` is the setting RELAYNETS; with `names` the users of each port are kept by name.
    """
    formats = [(entry, re.compile(entry.pattern)) for entry in catalogue.log_formats if release in entry]
    networks = tuple(_networks(relaynets))
    read = 0
    logins: dict[int, _Tally] = {}
    failures, relayed, limited = _Tally(), _Tally(), _Tally()
    for line in lines:
        read += 1
        text = line[:LINE_LIMIT].rstrip()
        if not any(hint in text for hint in _HINTS):
            continue
        for entry, match in _found(text, formats):
            user, address = match.get("user") or "", match.get("address") or ""
            match entry.event:
                case "login" if (port := match.get("port") or "").isdecimal():
                    logins.setdefault(int(port[:5]), _Tally()).add(user, address)
                case "failed login" | "failed web login":
                    failures.add(user, address)
                case "rate-limited address" | "rate-limited user":
                    limited.add(user, address)
                case "received connection" if _inside(address, networks):
                    relayed.add(user, address)
    return Usage(
        lines=read,
        logins={port: _use(tally, names=names) for port, tally in sorted(logins.items())},
        failures=_use(failures, names=names),
        relayed=_use(relayed, names=names),
        limited=_use(limited, names=names),
    )


def _found(
    text: str, formats: Sequence[tuple[LogFormat, re.Pattern[str]]]
) -> Iterator[tuple[LogFormat, dict[str, str]]]:
    for entry, pattern in formats:
        if match := pattern.search(text):
            yield entry, {name: value for name, value in match.groupdict().items() if value}


def _use(tally: _Tally, *, names: bool) -> Use:
    return Use(tally.times, len(tally.users), len(tally.addresses), tuple(sorted(tally.users)) if names else ())


def _networks(text: str) -> Iterator[Network]:
    for part in text.split(","):
        try:
            yield ipaddress.ip_network(part.strip(), strict=False)
        except ValueError:
            continue


def _inside(text: str, networks: Sequence[Network]) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return any(address in network for network in networks)


_PORT = re.compile(r"settings/ports/(?P<port>\d{1,5})")


def hit(note: Note, usage: Usage) -> str:
    """Who a note is about, in words; "" where log lines cannot tell."""
    if port := _PORT.fullmatch(note.id):
        return usage.words(int(port["port"]))
    if "RELAYNETS" in note.id or "relaynets" in note.id:
        relayed = usage.relayed
        return f"{_many(relayed.addresses, 'host')} sent {_many(relayed.times, 'message')} by way of RELAYNETS"
    if "AUTH_RATELIMIT" in note.id:
        limited = usage.limited
        return f"{_many(limited.times, 'login')} from {_many(limited.addresses, 'address')} met a limit"
    return ""


def with_usage(notes: Iterable[Note], usage: Usage) -> tuple[Note, ...]:
    """The notes with who is hit beside their cause. A note that hits nobody says so, and stays what it is."""
    return tuple(_with_words(note, hit(note, usage)) for note in notes)


def _with_words(note: Note, words: str) -> Note:
    return replace(note, cause=f"{note.cause or note.question.breaks} In your logs: {words}.") if words else note
