"""`--mailu-logs`: how many people each finding hits, counted from the old server's own log lines.

Only numbers leave this module: no address, no line of the log, and users only where their names are asked for.
"""

from __future__ import annotations

import datetime
import ipaddress
import json
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.releases import Release
from pytest_mailu.deployment.catalogue import Catalogue, LogFormat
from pytest_mailu.deployment.note import FAMILY, Note

SIZE_LIMIT = 512 * 1024 * 1024
"""Bytes that are read of all files together; what comes after them is not counted."""
FILE_LIMIT = 50
LINE_LIMIT = 8 * 1024
"""Bytes of one line. Longer lines are cut."""
MEMBER_LIMIT = 200_000
"""Different users or addresses that are told apart."""
_TLS = re.compile(
    rb"TLS connection established from [^\s\[]{0,260}\[(?P<address>[^\[\]]{1,45})\]: (?P<tls>TLSv[0-9.]{1,9})"
)
"""postfix/smtpd with smtpd_tls_loglevel = 1 (https://www.postfix.org/TLS_README.html)."""
_OLD_TLS = frozenset((b"TLSv1", b"TLSv1.1"))


@dataclass(slots=True)
class Tally:
    """How often something happened, and by how many users and from how many addresses."""

    times: int = 0
    users: set[bytes] = field(default_factory=set)
    addresses: set[bytes] = field(default_factory=set)

    def add(self, user: bytes | None, address: bytes | None) -> None:
        """Count one line."""
        self.times += 1
        for member, known in ((user, self.users), (address, self.addresses)):
            if member and len(known) < MEMBER_LIMIT:
                known.add(member)

    def __str__(self) -> str:
        by = [_number(len(known), word) for known, word in ((self.users, "user"), (self.addresses, "address")) if known]
        return " ".join(filter(None, (_number(self.times, "login"), f"of {' from '.join(by)}" if by else "")))


_DATE = re.compile(rb"(?P<year>20\d\d)[-/](?P<month>\d\d)[-/](?P<day>\d\d)[T ]")
NAMES_SHOWN = 20
"""Users that a finding names; the rest is counted."""


@dataclass(slots=True)
class LogCounts:
    """What the logs tell. `cut` says that there was more than `SIZE_LIMIT`."""

    lines: int = 0
    cut: bool = False
    logins: dict[int, Tally] = field(default_factory=dict)
    failed: Tally = field(default_factory=Tally)
    received: set[bytes] = field(default_factory=set)
    old_tls: set[bytes] = field(default_factory=set)
    known: int = 0
    """Lines that were understood."""
    first: datetime.date | None = None
    last: datetime.date | None = None
    """Days of the first and the last line that was understood and has a date with a year."""

    @property
    def span(self) -> str:
        """Over how many days the lines were written: ` in 7 days`; "" where they do not say."""
        if self.first is None or self.last is None:
            return ""
        return f" in {_number((self.last - self.first).days + 1, 'day')}"

    def saw(self, line: bytes) -> None:
        """Count a line that was understood, and its day."""
        self.known += 1
        if found := _DATE.search(line, 0, 200):
            try:
                day = datetime.date(int(found["year"]), int(found["month"]), int(found["day"]))
            except ValueError:
                return
            self.first = min(day, self.first or day)
            self.last = max(day, self.last or day)

    def relaying(self, networks: str) -> int:
        """How many hosts in the networks of RELAYNETS sent mail without a login."""
        own = list(_networks(networks))
        found = 0
        for address in self.received:
            try:
                where = ipaddress.ip_address(address.decode("ascii", "replace"))
            except ValueError:
                continue
            found += any(where in network for network in own)
        return found


def count(paths: Sequence[Path], catalogue: Catalogue, old: Release, lines: Iterable[bytes] = ()) -> LogCounts:
    """The counts of log files, of the files of folders, and of lines from elsewhere.

    Raises UsageError where they cannot be read.
    """
    formats = [entry for entry in catalogue.log_formats if old in entry]
    return count_lines(chain(_lines(paths), _limited(lines)), formats)


def count_lines(lines: Iterable[bytes], formats: Iterable[LogFormat]) -> LogCounts:
    """The counts of lines, by the formats of a release."""
    patterns = [
        (entry.event, _literal(entry.pattern), re.compile(entry.pattern.encode()))
        for entry in formats
        if entry.event in ("login", "failed login", "failed web login", "received connection")
    ]
    counts = LogCounts()
    for line in lines:
        if line is _CUT:
            counts.cut = True
            break
        counts.lines += 1
        text = _unwrapped(line)
        if b"TLS connection established from" in text and (seen := _TLS.search(text)):
            counts.saw(text)
            if seen["tls"] in _OLD_TLS and len(counts.old_tls) < MEMBER_LIMIT:
                counts.old_tls.add(seen["address"])
            continue
        for event, literal, pattern in patterns:
            if literal in text and (found := pattern.search(text)):
                counts.saw(text)
                _enter(counts, event, found.groupdict())
                break
    return counts


def _enter(counts: LogCounts, event: str, groups: Mapping[str, bytes | None]) -> None:
    match event:
        case "login":
            port = int(groups.get("port") or b"0")
            counts.logins.setdefault(port, Tally()).add(groups.get("user"), groups.get("address"))
        case "received connection":
            if len(counts.received) < MEMBER_LIMIT and (address := groups.get("address")):
                counts.received.add(address)
        case _:
            counts.failed.add(groups.get("user"), groups.get("address"))


def _literal(pattern: str) -> bytes:
    """A text that every line of a format has: it is looked for first, since that is fast."""
    plain = re.split(r"\(\?P<[^>]*>|[\\\[\](){}|?*+^$.]+[a-zA-Z]?", pattern)
    return max(plain, key=len).encode()


def _unwrapped(line: bytes) -> bytes:
    """The line itself, also where Docker's json-file driver wrapped it."""
    if not line.startswith(b'{"log":'):
        return line
    try:
        wrapped = json.loads(line)
    except (ValueError, RecursionError):
        return line
    text = wrapped.get("log") if isinstance(wrapped, dict) else None
    # JSON can write half a surrogate pair, which UTF-8 has no bytes for.
    return text.rstrip("\n").encode("utf-8", "replace") if isinstance(text, str) else line


_CUT = b"\0cut\0"


def _limited(lines: Iterable[bytes]) -> Iterator[bytes]:
    left = SIZE_LIMIT
    for line in lines:
        left -= len(line) + 1
        if left < 0:
            yield _CUT
            return
        yield line[:LINE_LIMIT].rstrip(b"\r")


def _lines(paths: Sequence[Path]) -> Iterator[bytes]:
    """The lines of all files, each cut at its limit; `_CUT` where the limit of all ends the reading."""
    left = SIZE_LIMIT
    for file in (file for path in paths for file in _files(path)):
        try:
            descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as stream:
                if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                    raise UsageError(
                        f"--mailu-logs: {file} is not a regular file", "Name a log file, or a folder of them."
                    )
                while data := stream.readline(LINE_LIMIT):
                    left -= len(data)
                    if left < 0:
                        yield _CUT
                        return
                    yield data.rstrip(b"\r\n")
                    while data and not data.endswith(b"\n"):  # the rest of a line that is too long
                        data = stream.readline(LINE_LIMIT)
                        left -= len(data)
        except OSError as error:
            raise UsageError(
                f"--mailu-logs: {file} cannot be read: {error.strerror}",
                "Save the logs first: docker compose logs --no-color > mailu.log",
            ) from None


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(entry for entry in path.iterdir() if entry.is_file())
    if not found or len(found) > FILE_LIMIT:
        raise UsageError(
            f"--mailu-logs: {path} has {len(found)} files",
            f"Name a log file, or a folder with 1 to {FILE_LIMIT} of them.",
        )
    return found


def _networks(text: str) -> Iterator[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    for word in text.replace(",", " ").split():
        try:
            yield ipaddress.ip_network(word, strict=False)
        except ValueError:
            continue


def with_counts(note: Note, counts: LogCounts, relaynets: str, *, names: bool = False) -> Note:
    """The note with whom it hits, where the logs can tell; a finding that hits nobody says so.

    With `names`, it names the users.
    """
    hit = _hit(note, counts, relaynets)
    if not hit:
        return note
    if names:
        hit += _names(note, counts)
    breaks = f"{note.question.breaks} In the logs: {hit}."
    return replace(note, question=replace(note.question, breaks=breaks))


def _hit(note: Note, counts: LogCounts, relaynets: str) -> str:
    theme = note.id.removeprefix(f"{FAMILY}/")
    if theme.startswith("ports/"):
        port = int(theme.rpartition("/")[2])
        if port in (25, 80, 443):
            return ""
        return f"{counts.logins[port]}{counts.span}" if port in counts.logins else "no login on this port"
    if "relaynets" in theme.lower():
        number = counts.relaying(relaynets)
        return f"{_number(number, 'host')} of RELAYNETS sent mail" if number else "no host of RELAYNETS sent mail"
    if theme.startswith(("env/AUTH_RATELIMIT_IP", "env/AUTH_RATELIMIT_USER")):
        return f"failed: {counts.failed}{counts.span}" if counts.failed.times else "no failed login"
    if theme == "known/clients/dhe" and counts.old_tls:
        return f"{_number(len(counts.old_tls), 'host')} with TLS 1.0 or 1.1 on port 25"
    return ""


def _names(note: Note, counts: LogCounts) -> str:
    """The users that a finding on a port hits, in brackets."""
    theme, _, port = note.id.removeprefix(f"{FAMILY}/").partition("/")
    tally = counts.logins.get(int(port)) if theme == "ports" else None
    if tally is None or not tally.users:
        return ""
    users = sorted(" ".join(user.decode("utf-8", "replace").split())[:80] for user in tally.users)
    more = f" and {len(users) - NAMES_SHOWN} more" if len(users) > NAMES_SHOWN else ""
    return f" ({', '.join(users[:NAMES_SHOWN])}{more})"


def summary(counts: LogCounts, relaynets: str) -> tuple[str, ...]:
    """What the logs tell, in lines for the report."""
    told = [
        f"Logs: {counts.lines} lines read, {counts.known} understood{', the rest was too much' if counts.cut else ''}."
    ]
    told += [f"Logs: port {port}: {tally}{counts.span}." for port, tally in sorted(counts.logins.items())]
    if relaynets:
        told.append(f"Logs: {_number(counts.relaying(relaynets), 'host')} of RELAYNETS sent mail without a login.")
    if counts.old_tls:
        told.append(f"Logs: {_number(len(counts.old_tls), 'host')} with TLS 1.0 or 1.1 on port 25.")
    return tuple(told)


def _number(number: int, word: str) -> str:
    plural = f"{word}es" if word.endswith("s") else f"{word}s"
    return f"{number} {word if number == 1 else plural}"
