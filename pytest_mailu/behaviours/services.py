"""Services start and keep running."""

from __future__ import annotations

from dataclasses import replace

from pytest_mailu.behaviours.declaration import ANY_VARIANT, behaviour
from pytest_mailu.behaviours.needs import itself
from pytest_mailu.core.model import Observation, Outcome, Reply, Severity, Stage
from pytest_mailu.core.optional_services import STARTED
from pytest_mailu.core.releases import CORE_SERVICES
from pytest_mailu.core.setups import Feature
from pytest_mailu.core.transcript import log_events
from pytest_mailu.probe.probe import Probe


@behaviour(
    "services/{service}/stays-up",
    wanted=Outcome.ACCEPTED,
    severity=Severity.CRITICAL,
    each={"service": CORE_SERVICES},
    variant=ANY_VARIANT,
    alone=True,
    last=True,
)
async def stays_up(probe: Probe, service: str) -> Observation:
    """Service {service} starts and keeps running

    Without {service} the mail server does not work.

    Mailu's setup/flavors/compose/docker-compose.yml: every service is `restart: always`, so one that ends comes up
    again and again
    """
    ended = await probe.stack.exit_of(service)
    if ended is None:
        return probe.seen(Outcome.ACCEPTED, Stage.SETTINGS)
    seen = probe.seen(Outcome.UNANSWERED, Stage.SETTINGS, Reply(text=ended.cause))
    return replace(seen, transcript=log_events(ended.details))


@behaviour(
    "services/{service}/stays-up",
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    each={"service": sorted(STARTED)},
    needs=itself,
    variant=ANY_VARIANT,
    alone=True,
    last=True,
)
async def optional_stays_up(probe: Probe, service: str) -> Observation:
    """Optional service {service} starts and keeps running

    What people do with {service} does not work.

    Mailu's setup/flavors/compose/docker-compose.yml: every service is `restart: always`, so one that ends comes up
    again and again
    """
    return await stays_up(probe, service)


@behaviour(
    "services/database/stays-up",
    wanted=Outcome.ACCEPTED,
    severity=Severity.CRITICAL,
    variant=ANY_VARIANT,
    alone=True,
    last=True,
    of_setup=(Feature.DATABASE,),
)
async def database_stays_up(probe: Probe) -> Observation:
    """The database server starts on its data and keeps running

    Without its database the mail server does not work.

    Mailu docs, "Changing the database back-end"
    """
    for service in probe.stack.databases:
        if (ended := await probe.stack.exit_of(service)) is not None:
            seen = probe.seen(Outcome.UNANSWERED, Stage.SETTINGS, Reply(text=ended.cause))
            return replace(seen, transcript=log_events(ended.details))
    return probe.seen(Outcome.ACCEPTED, Stage.SETTINGS)
