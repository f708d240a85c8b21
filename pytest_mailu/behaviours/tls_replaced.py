"""A certificate that is renewed while the services run."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.needs import CONNECTION
from pytest_mailu.behaviours.tls import ENCRYPTED, kinds_served
from pytest_mailu.core.endpoints import Endpoint, Tls
from pytest_mailu.core.model import Observation, Outcome, Reply, Severity, Stage
from pytest_mailu.core.population import HOSTNAME
from pytest_mailu.core.setups import Feature
from pytest_mailu.probe import certificate_files
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.waiting import until
from pytest_mailu.wire.transport.errors import CannotAsk

RENEWED = "renewed.post.example"
"""A name that only the second certificate has."""
SECONDS = 25.0
"""Mailu's watcher looks once a second (core/nginx/certwatcher.py); nginx and Dovecot then need time to reload."""


@behaviour(
    "tls/certificate/renewed-while-running",
    wanted=Outcome.ACCEPTED,
    deep=True,
    of_setup=(Feature.MAIL_TLS,),
    severity=Severity.CRITICAL,
    needs=CONNECTION,
    disturbs=CONNECTION,
    timeout=100.0,
)
async def renewed(probe: Probe) -> Observation:
    """Renewed certificate is served on every port without a restart

    When the old certificate expires, programs refuse to connect to the ports that still serve it.

    core/nginx/certwatcher.py, 1.9 to master (TLS_FLAVOR=cert); since 2024.06 it has Dovecot reload as well;
    core/nginx/letsencrypt.py and config.py (TLS_FLAVOR=letsencrypt), where both kinds of keys have to be the new ones
    """
    setup = probe.stack.setup
    there = [endpoint for endpoint in map(setup.endpoint, ENCRYPTED) if endpoint.tls is not Tls.NONE]
    endpoints = [endpoint for endpoint in there if await _names(probe, endpoint) is not None]
    try:
        await certificate_files.put(probe, certificate_files.issued(setup, HOSTNAME, RENEWED))
        failure = await certificate_files.announce(probe)
        late = await _waited(probe, endpoints, present=True)
    finally:
        await certificate_files.put_back(probe)
        left = await _waited(probe, endpoints, present=False)
    if left:
        raise CannotAsk(f"the old certificate did not come back on {', '.join(map(str, left))}")
    served = {str(endpoint): endpoint not in late for endpoint in endpoints}
    outcome = Outcome.REFUSED if late else Outcome.ACCEPTED
    return probe.seen(outcome, Stage.TLS, Reply(text=failure) if failure else None, served=served)


async def _waited(probe: Probe, endpoints: Iterable[Endpoint], *, present: bool) -> list[Endpoint]:
    """Wait until every endpoint serves the new certificates (or none does); gives those that do not."""
    left = list(endpoints)

    async def settled() -> bool | None:
        seen = {endpoint: await _names(probe, endpoint) for endpoint in left}
        left[:] = [
            endpoint
            for endpoint, served in seen.items()
            if served is None or any((RENEWED in names) != present for names in served)
        ]
        return True if not left else None

    try:
        await until(settled, SECONDS, "the certificate was not taken up")
    except CannotAsk:
        return left
    return []


async def _names(probe: Probe, endpoint: Endpoint) -> list[tuple[str, ...]] | None:
    """The names in each certificate that is served; None where one is not, which happens during a reload."""
    served = await kinds_served(probe, endpoint)
    return None if None in served.values() else [one.names for one in served.values() if one is not None]
