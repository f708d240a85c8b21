"""Finds the log lines that belong to one observation."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from pytest_mailu.core.endpoints import Protocol, ports_of
from pytest_mailu.core.model import Observation, Outcome
from pytest_mailu.core.transcript import Event, Queued, Submission, connections
from pytest_mailu.stack.evidence.log_line import LogLine
from pytest_mailu.stack.evidence.tracebacks import tracebacks

SLACK = 1.0
"""Seconds before and after an observation in which its lines may be logged: clocks are not exact."""
MOST = 40
"""How many lines of one observation are shown at most."""

_PORT = re.compile(r"\b0\.0\.0\.0:(\d{1,5})\b|/(?:smtp|submission|imap|pop3|sieve)/(\d{1,5})\b")
"""The port that a client came to: nginx's words, and admin's (Mailu core/admin/mailu/internal/nginx.py, from 2.0)."""
_LOGIN = re.compile(r"\b(imap|pop3|submission|managesieve)-login\b")
"""Dovecot's processes, which do not tell of ports."""
_MAIL, _BOXES = (
    ports_of(*(protocol for protocol in Protocol if protocol.service == name)) for name in ("smtp", "imap")
)
_BEHIND = {"smtp": _MAIL, "antispam": _MAIL, "imap": _BOXES}
"""Services to which a client is only passed on, and the ports that it came to then."""
_QUEUE_ID = re.compile(r"postfix/\w+(?:/\w+)?\[\d+\]: ([0-9A-F]{6,}|[0-9A-Za-z]{10,}): ")


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


def lines_of(observation: Observation, logs: Sequence[LogLine], names: Mapping[str, str]) -> tuple[str, ...]:
    """The log lines of the moment that speak of the observation's messages; where there are none, of its client.

    Messages are followed by Message-ID and then by queue id, since only one line of Postfix's names both. `names` maps
    addresses to the names of vantages. Where the web site or the API answered with an error of its own (500 and above),
    its traceback stands last: it names neither message nor client.
    """
    begin, end = observation.begun - SLACK, observation.started + observation.seconds + SLACK
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
        opened = connections(observation.transcript)
        vantages, ports = {connection.vantage for connection in opened}, {connection.port for connection in opened}
        clients = {address for address, name in names.items() if name in vantages}
        chosen = [line for line in window if any(client in line.text for client in clients) and _of_ports(line, ports)]
        # Several clients stand at one address; a refusal is logged in the words it was given in.
        said = observation.reply.text if observation.reply is not None else ""
        chosen = [line for line in chosen if said and said in line.text] or chosen
    errors = tracebacks(observation.transcript, window)
    chosen = sorted((line for line in chosen if line not in errors), key=lambda line: line.when)
    room = MOST - len(errors)
    shown = [str(line) for line in chosen[:room]]
    if len(chosen) > room:
        shown.append(f"… and {len(chosen) - room} more lines")
    return (*shown, *map(str, errors))


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
