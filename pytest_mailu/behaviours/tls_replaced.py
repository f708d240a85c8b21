"""A certificate that is renewed while the services run."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.helpers import tls_handshake
from pytest_mailu.behaviours.tls import ENCRYPTED
from pytest_mailu.core.endpoints import Endpoint
from pytest_mailu.core.model import Observation, Outcome, Severity, Stage
from pytest_mailu.core.population import HOSTNAME
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.running_stack import FRONT
from pytest_mailu.probe.waiting import until
from pytest_mailu.stack.world.certificates import authority
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed

RENEWED = "renewed.post.example"
"""A name that only the second certificate has."""
FILES = ("/certs/key.pem", "/certs/cert.pem")
WRITE = 'printf %s "$1" > /certs/key.pem && printf %s "$2" > /certs/cert.pem'
SECONDS = 25.0
"""Mailu's watcher looks once a second (core/nginx/certwatcher.py); nginx and Dovecot then need time to reload."""


@behaviour(
    "tls/certificate/renewed-while-running",
    wanted=Outcome.ACCEPTED,
    deep=True,
    severity=Severity.CRITICAL,
    alone=True,
    timeout=100.0,
)
async def renewed(probe: Probe) -> Observation:
    """Renewed certificate is served on every port without a restart

    When the old certificate expires, programs refuse to connect to the ports that still serve it.

    core/nginx/certwatcher.py, 1.9 to master (TLS_FLAVOR=cert); since 2024.06 it has Dovecot reload as well
    """
    before = [await _read(probe, path) for path in FILES]
    new = authority().issue(HOSTNAME, RENEWED)
    endpoints = [endpoint for endpoint in ENCRYPTED if await _names(probe, endpoint) is not None]
    try:
        await _write(probe, new.key, new.certificate)
        late = await _waited(probe, endpoints, present=True)
    finally:
        await _write(probe, *before)
        left = await _waited(probe, endpoints, present=False)
    if left:
        raise CannotAsk(f"the old certificate did not come back on {', '.join(map(str, left))}")
    served = {str(endpoint): endpoint not in late for endpoint in endpoints}
    return probe.seen(Outcome.REFUSED if late else Outcome.ACCEPTED, Stage.TLS, served=served)


async def _waited(probe: Probe, endpoints: Iterable[Endpoint], *, present: bool) -> list[Endpoint]:
    """Wait until every endpoint serves the new certificate (or none does); gives those that do not."""
    left = list(endpoints)

    async def settled() -> bool | None:
        seen = {endpoint: await _names(probe, endpoint) for endpoint in left}
        left[:] = [endpoint for endpoint, names in seen.items() if names is None or (RENEWED in names) != present]
        return True if not left else None

    try:
        await until(settled, SECONDS, "the certificate was not taken up")
    except CannotAsk:
        return left
    return []


async def _names(probe: Probe, endpoint: Endpoint) -> tuple[str, ...] | None:
    """The names in the served certificate; None where no handshake succeeds, which happens during a reload."""
    try:
        return (await tls_handshake(probe, endpoint)).certificate.names
    except (NotServed, CannotAsk):
        return None


async def _read(probe: Probe, path: str) -> str:
    ran = await probe.services.exec(FRONT, "cat", path)
    if ran.code:
        raise CannotAsk(f"{path} cannot be read: {ran.errors}")
    return ran.output


async def _write(probe: Probe, key: str, certificate: str) -> None:
    ran = await probe.services.exec(FRONT, "sh", "-c", WRITE, "sh", key, certificate)
    if ran.code:
        raise CannotAsk(f"the certificate cannot be replaced: {ran.errors}")
