"""Finds the log lines that belong to one observation."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pytest_mailu.core.endpoints import Protocol, ports_of
from pytest_mailu.core.model import Observation, Outcome
from pytest_mailu.core.transcript import Event, Queued, Submission, connections

SLACK = 1.0
"""Seconds before and after an observation in which its lines may be logged: clocks are not exact."""
MOST = 40
"""How many lines of one observation are shown at most."""

_PORT = re.compile(r"\b0\.0\.0\.0:(\d+)|/(?:smtp|submission|imap|pop3|sieve)/(\d+)\b")
"""The port that a client came to: nginx's words, and admin's (Mailu core/admin/mailu/internal/nginx.py, from 2.0)."""
_LOGIN = re.compile(r"\b(imap|pop3|submission|managesieve)-login\b")
"""Dovecot's processes, which do not tell of ports."""
_MAIL = ports_of(Protocol.SMTP, Protocol.SUBMISSION)
_BOXES = ports_of(Protocol.IMAP, Protocol.POP3, Protocol.MANAGESIEVE)
_BEHIND = {"smtp": _MAIL, "antispam": _MAIL, "imap": _BOXES}
"""Services to which a client is only passed on, and the ports that it came to then."""
_QUEUE_ID = re.compile(r"postfix/\w+(?:/\w+)?\[\d+\]: ([0-9A-F]{6,}|[0-9A-Za-z]{10,}): ")


@dataclass(frozen=True, slots=True)
class LogLine:
    """`when` is seconds since the epoch, as the engine saw the line."""

    service: str
    when: float
    text: str

    def __str__(self) -> str:
        return f"{self.service} | {self.text}"


def parse(service: str, lines: Iterable[str]) -> list[LogLine]:
    """Lines with the engine's time stamps (RFC 3339, nanoseconds); a line without one is left out."""
    parsed = []
    for line in lines:
        stamp, _, text = line.partition(" ")
        try:
            # datetime knows microseconds only.
            when = datetime.fromisoformat(re.sub(r"(\.\d{6})\d*", r"\1", stamp)).timestamp()
        except ValueError:
            continue
        parsed.append(LogLine(service, when, text))
    return parsed


def lines_of(observation: Observation, logs: Sequence[LogLine], places: Mapping[str, str]) -> tuple[str, ...]:
    """The log lines of the moment that speak of the observation's messages; where there are none, of its client.

    Messages are followed by Message-ID and then by queue id, since only one line of Postfix's names both. `places` maps
    addresses to the names of vantages.
    """
    begin, end = observation.started - SLACK, observation.started + observation.seconds + SLACK
    window = [line for line in logs if begin <= line.when <= end]
    words = _ids(observation.transcript)
    chosen: list[LogLine] = []
    if words:
        words |= {
            found[1]
            for line in window
            if any(word in line.text for word in words) and (found := _QUEUE_ID.search(line.text))
        }
        chosen = [line for line in window if any(word in line.text for word in words)]
    if not chosen and observation.outcome is not Outcome.UNREACHABLE:
        made = connections(observation.transcript)
        vantages, ports = {one.vantage for one in made}, {one.port for one in made}
        clients = {address for address, name in places.items() if name in vantages}
        chosen = [line for line in window if any(client in line.text for client in clients) and _of_ports(line, ports)]
        # Several clients stand at one address; a refusal is logged in the words it was given in.
        said = observation.reply.text if observation.reply is not None else ""
        chosen = [line for line in chosen if said and said in line.text] or chosen
    chosen.sort(key=lambda line: line.when)
    shown = [str(line) for line in chosen[:MOST]]
    return (*shown, f"… and {len(chosen) - MOST} more lines") if len(chosen) > MOST else tuple(shown)


def _ids(transcript: Iterable[Event]) -> set[str]:
    """The Message-IDs of what was sent, without angle brackets, and the queue ids that the server told."""
    found = set()
    for event in transcript:
        match event.detail:
            case Submission(message_id):
                found.add(message_id.strip("<>"))
            case Queued(queue_id):
                found.add(queue_id)
    return found


def _of_ports(line: LogLine, ports: set[int]) -> bool:
    """Whether a line speaks of one of these ports, or of none but in a service that stands behind one of them."""
    named = {int(found[1] or found[2]) for found in _PORT.finditer(line.text)}
    named |= {port for found in _LOGIN.finditer(line.text) for port in ports_of(Protocol(found[1]))}
    return bool((named or _BEHIND.get(line.service, ports)) & ports)
