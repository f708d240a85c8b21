"""Services that end and are started again: after an orderly stop, and after a loss of power."""

from __future__ import annotations

from dataclasses import replace

from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.core.model import Observation, Outcome, Reply, Severity, Stage
from pytest_mailu.core.releases import CORE_SERVICES
from pytest_mailu.core.transcript import log_events
from pytest_mailu.probe.probe import Probe

SECONDS = 60.0
"""How long a service may take to come back."""


@behaviour(
    "services/{service}/comes-back-after-{end}",
    wanted=Outcome.ACCEPTED,
    severity=Severity.CRITICAL,
    each={"service": CORE_SERVICES, "end": ("stop", "kill")},
    alone=True,
    deep=True,
    timeout=300.0,
)
async def comes_back(probe: Probe, service: str, end: str) -> Observation:
    """Service {service} comes back after a {end}, in the same container

    After a reboot or a loss of power, mail is down until somebody removes containers or stale files by hand.

    docker-compose.yml, `restart: always`; Mailu #1483, #2917 (stale PID files), #3271
    """
    failure = await probe.services.start_again(service, kill=end == "kill", seconds=SECONDS)
    if failure is None:
        return probe.seen(Outcome.ACCEPTED, Stage.COMMAND)
    seen = probe.seen(Outcome.UNANSWERED, Stage.COMMAND, Reply(text=failure.cause))
    return replace(seen, transcript=log_events(failure.details))
