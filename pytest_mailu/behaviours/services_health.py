"""The images' own health checks: they pass, and leave no processes behind."""

from __future__ import annotations

import re
from collections import Counter

from pytest_mailu.behaviours.declaration import ANY_VARIANT, behaviour
from pytest_mailu.behaviours.needs import itself
from pytest_mailu.core.model import Direction, Observation, Outcome, Reply, Severity, Stage
from pytest_mailu.core.optional_services import STARTED
from pytest_mailu.core.releases import CORE_SERVICES
from pytest_mailu.core.text import show_line
from pytest_mailu.probe.probe import Probe
from pytest_mailu.wire.transport.errors import CannotAsk

RUNS = 8
"""How many times a check runs: what each run leaves is seen that many times."""
_STAT = re.compile(r"(?m)^(\d+) \((.*)\) (\S) ")


@behaviour(
    "services/{service}/healthy",
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    each={"service": sorted(STARTED)},
    needs=itself,
    variant=ANY_VARIANT,
    alone=True,
    last=True,
)
@behaviour(
    "services/{service}/healthy",
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    each={"service": CORE_SERVICES},
    variant=ANY_VARIANT,
    alone=True,
    last=True,
)
async def healthy(probe: Probe, service: str) -> Observation:
    """Health check of the image of {service} passes at the end

    The service counts as unhealthy: orchestrators restart it, and services that wait for it do not start.

    HEALTHCHECK in Mailu's Dockerfiles (core/*/Dockerfile); Docker, "HEALTHCHECK"
    """
    if service in STARTED and (ended := await probe.stack.exit_of(service)) is not None:
        return probe.seen(Outcome.UNANSWERED, Stage.COMMAND, Reply(text=ended.cause))
    ran = await probe.services.health_check(service)
    if ran is None:
        return probe.seen(Outcome.NOT_OFFERED, Stage.COMMAND)
    said = Reply(text=show_line((ran.output + ran.errors).strip()[-300:])) if ran.code else None
    return probe.seen(Outcome.REFUSED if ran.code else Outcome.ACCEPTED, Stage.COMMAND, said)


@behaviour(
    "services/{service}/health-check-leaves-nothing",
    wanted=Outcome.ACCEPTED,
    better={"left": Direction.FEWER, "zombies": Direction.FEWER},
    severity=Severity.MAJOR,
    each={"service": CORE_SERVICES},
    variant=ANY_VARIANT,
    alone=True,
    last=True,
    deep=True,
    timeout=90.0,
)
async def leaves_nothing(probe: Probe, service: str) -> Observation:
    """Health check of the image of {service} leaves no processes behind

    Processes pile up day by day, until nothing can be started any more.

    proc(5), /proc/pid/stat; Mailu #2811, #2793: checks that left zombies
    """
    before = await _processes(probe, service)
    for _ in range(RUNS):
        if await probe.services.health_check(service) is None:
            return probe.seen(Outcome.NOT_OFFERED, Stage.COMMAND)
    zombies, left = piled_up(before, await _processes(probe, service))
    outcome = Outcome.ALTERED if zombies or left else Outcome.ACCEPTED
    return probe.seen(outcome, Stage.COMMAND, zombies=zombies, left=left)


async def _processes(probe: Probe, service: str) -> str:
    ran = await probe.services.exec(service, "/bin/sh", "-c", "cat /proc/[0-9]*/stat 2>/dev/null; true")
    if not _STAT.search(ran.output):
        raise CannotAsk(f"the processes of {service} cannot be listed: {show_line(ran.errors, 200)}")
    return ran.output


def piled_up(before: str, after: str) -> tuple[list[str], list[str]]:
    """Names of zombies that are new, and of programs of which each run of the check left a process.

    Fewer are started by a service for its own work. Both are tables of /proc/*/stat.
    """
    zombies, living = zip(*map(_counted, (before, after)), strict=True)
    dead = zombies[1] - zombies[0]
    more = living[1] - living[0]
    # One or two may just be on their way out.
    return sorted(name for name, count in dead.items() if count >= RUNS - 1), sorted(
        name for name, count in more.items() if count >= RUNS - 1
    )


def _counted(table: str) -> tuple[Counter[str], Counter[str]]:
    """How many zombies and how many living processes there are of each name."""
    zombies: Counter[str] = Counter()
    living: Counter[str] = Counter()
    for _, name, state in _STAT.findall(table):
        (zombies if state == "Z" else living)[name] += 1
    return zombies, living
