"""Warnings and errors that services log while nothing is asked."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.core.model import Observation, Outcome, Severity, Stage
from pytest_mailu.core.releases import CORE_SERVICES
from pytest_mailu.core.transcript import log_events
from pytest_mailu.probe.probe import Probe

QUIET_SECONDS = 6.0
"""How long nothing is asked. A service that retries does so about every second."""

_COMPLAINT = re.compile(
    r"\b(warn(ing)?|err(or)?|fatal|panic|crit(ical)?|alert|emerg|traceback|deprecat\w*|obsolete\w*)\b", re.IGNORECASE
)

_PASSING = re.compile(
    # Services wait for each other in another order at each start, and so do first messages.
    r"retrying|not up just yet|connection refused|no route to host|timed? ?out|resolv|not found in upstream|lookup"
    r"|rspamd_(proxy|task)|re_cache|lmtp\(|127\.0\.0\.11"
    # These concern the machine, or the test certificate.
    r"|overcommit|ulimit|huge pages|ssl_stapling",
    re.IGNORECASE,
)
_STAMP = re.compile(
    r"(\d{4}[-/]\d\d[-/]\d\d[ T])?\b\d\d:\d\d:\d\d([.,]\d+)?( ?[+-]\d{4})?"
    r"|\b[A-Z][a-z]{2} +\d{1,2} (?=\d\d:)|\b\d{1,2} [A-Z][a-z]{2} \d{4}"
)
_NUMBER = re.compile(r"(?<![\w.])#?\d[\d#]*(?![\w.])|\b[0-9a-f]{8,}\b|<[0-9a-z]{6}>")
LONGEST = 200


@behaviour("inside/{service}/complaints-at-start", severity=Severity.INFO, each={"service": CORE_SERVICES})
async def at_start(probe: Probe, service: str) -> Observation:
    """Warnings that {service} logs while it starts

    Settings will stop working, or something is broken that was not noticed yet.

    The log of {service}, up to the moment when the whole stack was ready
    """
    # All services share one path, so that a line that several of them log has one cause.
    seen = _observed(probe, {service: await probe.services.startup_log(service)})
    return replace(seen, facts={"complaints": seen.facts["complaints"].get(service, [])})


@behaviour("inside/quiet", deep=True, severity=Severity.MINOR, alone=True, timeout=60.0)
async def quiet(probe: Probe) -> Observation:
    """Warnings that services log while nothing is asked

    Something fails repeatedly and fills the logs.

    The logs of all services over some seconds in which nobody asks anything
    """
    begin = time.time()
    await asyncio.sleep(QUIET_SECONDS)
    found = {service: await probe.services.log_since(service, begin) for service in CORE_SERVICES}
    return _observed(probe, found)


def _observed(probe: Probe, logs: Mapping[str, Sequence[str]]) -> Observation:
    """The warnings as facts, and the raw lines as the transcript."""
    raw = tuple(f"{service}: {line}" for service, lines in logs.items() for line in lines if _COMPLAINT.search(line))
    facts = {service: complaints(map(str, map(probe.with_common_names, lines))) for service, lines in logs.items()}
    logged = {service: lines for service, lines in facts.items() if lines}
    return replace(probe.seen(Outcome.ACCEPTED, Stage.SETTINGS, complaints=logged), transcript=log_events(raw))


def complaints(lines: Iterable[str]) -> list[str]:
    """Lines with warnings or errors, each once, without times and numbers."""
    return sorted({words for line in lines if _COMPLAINT.search(line) and (words := bare(line))})


def bare(line: str) -> str:
    """A log line without what differs from start to start; empty for one that says nothing about the release."""
    if _PASSING.search(line):
        return ""
    words = _NUMBER.sub("N", _STAMP.sub("", line)).strip()
    return words if len(words) <= LONGEST else words[:LONGEST] + "…"
