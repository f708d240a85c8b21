"""What services complain of in their logs while nobody asks them anything."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from pytest_mailu.behaviours.registry import behaviour
from pytest_mailu.model import Observation, Outcome, Severity, Stage
from pytest_mailu.probe import Probe
from pytest_mailu.releases import CORE_SERVICES

QUIET_SECONDS = 6.0
"""How long nobody asks anything: what a service tries again and again, it tries about every second."""

_COMPLAINT = re.compile(
    r"\b(warn(ing)?|err(or)?|fatal|panic|crit(ical)?|alert|emerg|traceback|deprecat\w*|obsolete\w*)\b", re.IGNORECASE
)


@behaviour("inside/{service}/complaints-at-start", severity=Severity.INFO, each={"service": CORE_SERVICES})
async def at_start(probe: Probe, service: str) -> Observation:
    """What {service} warns of while it starts

    Settings that will not be understood any longer, or something that is broken and not yet missed.

    The log of {service}, up to the moment when the whole stack was ready
    """
    lines = await probe.log_at_start(service)
    return _observed(probe, {service: lines})


@behaviour("inside/quiet", severity=Severity.MINOR, alone=True, timeout=60.0)
async def quiet(probe: Probe) -> Observation:
    """What the services complain of while nothing is asked of them

    Something fails again and again, and fills the logs.

    The logs of all services over some seconds in which nobody asks anything
    """
    begin = time.time()
    await asyncio.sleep(QUIET_SECONDS)
    found = {service: await probe.log(service, begin) for service in CORE_SERVICES}
    return _observed(probe, found)


def _observed(probe: Probe, logs: Mapping[str, Sequence[str]]) -> Observation:
    """The complaints as facts, and the lines they are made of as the transcript."""
    raw = tuple(f"{service}: {line}" for service, lines in logs.items() for line in lines if _COMPLAINT.search(line))
    facts = {service: complaints(map(str, map(probe.settle, lines))) for service, lines in logs.items()}
    told = {service: lines for service, lines in facts.items() if lines}
    return replace(probe.seen(Outcome.ACCEPTED, Stage.SETTINGS, complaints=told), transcript=raw)


def complaints(lines: Iterable[str]) -> list[str]:
    """The lines that complain, each once, without times, numbers and names of the day."""
    return sorted({words for line in lines if _COMPLAINT.search(line) and (words := bare(line))})


def bare(line: str) -> str:
    """A log line without what differs from one moment to the next."""
    return line
