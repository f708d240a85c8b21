"""Certificates that are not in order when `front` starts: expired, broken, not there yet.

With `restart: always`, as in Mailu's compose file, a `front` that ends starts again and again, and nobody gets mail.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any

from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.helpers import tls_handshake
from pytest_mailu.behaviours.tls import ENCRYPTED, kinds_served
from pytest_mailu.core.endpoints import HTTP_80, SMTP_25_PLAIN, Endpoint, Protocol, Tls
from pytest_mailu.core.model import Direction, Observation, Outcome, Reply, Severity, Stage
from pytest_mailu.core.population import HOSTNAME
from pytest_mailu.core.setups import Feature
from pytest_mailu.probe import certificate_files
from pytest_mailu.probe.admin_site import browser
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.running_stack import FRONT
from pytest_mailu.probe.waiting import eventually
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed

START_SECONDS = 30.0
"""How long `front` may take until it serves something, or ends."""
QUIET_SECONDS = 4.0
"""How long the ports have to stay as they are: Dovecot comes a moment after nginx."""
REPAIR_SECONDS = 25.0
LOOK_SECONDS = 8.0
"""How long one look at one port may take; a port that takes connections and says nothing is not served."""


class State(StrEnum):
    """What is wrong with the certificates."""

    EXPIRED = "expired"
    NO_COMMON_NAME = "no-common-name"
    EMPTY = "empty"
    OTHER_KEY = "other-key"
    MISSING = "missing"
    ONE_MISSING = "one-missing"

    @property
    def words(self) -> str:
        """For people."""
        return _WORDS[self]


_WORDS = {
    State.EXPIRED: "an expired certificate",
    State.NO_COMMON_NAME: "a certificate whose names stand in its extension alone",
    State.EMPTY: "an empty certificate file",
    State.OTHER_KEY: "a certificate for another key",
    State.MISSING: "no certificate yet",
    State.ONE_MISSING: "an RSA certificate only, none with an ECDSA key",
}
USABLE = (State.EXPIRED, State.NO_COMMON_NAME)
"""With these, everything can be served."""
BROKEN = (State.EMPTY, State.OTHER_KEY, State.MISSING)


def _of_setup(state: State, **_: Any) -> Collection[Feature]:
    return (Feature.MAIL_TLS, Feature.CERTBOT) if state is State.ONE_MISSING else (Feature.MAIL_TLS,)


@behaviour(
    "tls/certificate/{state}",
    wanted=Outcome.ACCEPTED,
    better={"stays_up": Direction.TRUE},
    severity=Severity.CRITICAL,
    each={"state": USABLE},
    of_setup=_of_setup,
    alone=True,
    deep=True,
    timeout=200.0,
)
async def usable(probe: Probe, state: State) -> Observation:
    """Front that starts with {state.words} serves every port

    Nobody gets mail, not even those whose programs accept the certificate.

    core/nginx/config.py, 1.9 to master; Let's Encrypt's profiles `tlsserver` and `shortlived` leave the common name out
    """
    endpoints = await _served_now(probe)
    await _prepare(probe, state)
    async with probe.services.started_over(FRONT):
        served = await _settled(probe, endpoints)
        ended = await how_ended(probe)
    missing = [endpoint for endpoint in endpoints if not served[endpoint]]
    reply = Reply(text=ended or f"{missing[0]} is not served") if missing else None
    outcome = Outcome.UNREACHABLE if missing else Outcome.ACCEPTED
    return probe.seen(outcome, Stage.TLS, reply, closed=_lacking(served), stays_up=not ended)


@behaviour(
    "tls/certificate/{state}",
    wanted=Outcome.ACCEPTED,
    better={"stays_up": Direction.TRUE},
    severity=Severity.MAJOR,
    each={"state": (*BROKEN, State.ONE_MISSING)},
    of_setup=_of_setup,
    alone=True,
    deep=True,
    timeout=200.0,
)
async def broken(probe: Probe, state: State) -> Observation:
    """Front that starts with {state.words} takes mail on port 25, and serves every port once it is in order

    Mail from other servers does not come in, or some ports stay closed until somebody restarts front.

    core/nginx/config.py (TLS_ERROR), start.py, certwatcher.py and letsencrypt.py, 1.9 to master
    """
    endpoints = await _served_now(probe)
    await _prepare(probe, state)
    repaired = dict.fromkeys(endpoints, False)
    async with probe.services.started_over(FRONT):
        served = await _settled(probe, endpoints)
        ended = await how_ended(probe)
        failure = ""
        if not ended:
            failure = await certificate_files.put_back(probe)
            repaired = await _repaired(probe, endpoints)
    facts: dict[str, Any] = {"closed": _lacking(served), "late": _lacking(repaired), "stays_up": not ended}
    if ended or not served[SMTP_25_PLAIN]:
        why = ended or "port 25 is not served"
        return probe.seen(Outcome.UNREACHABLE, Stage.CONNECT, Reply(text=why), **facts)
    if late := [endpoint for endpoint, there in repaired.items() if not there]:
        why = failure or f"{late[0]} stays closed until front is restarted"
        return probe.seen(Outcome.REFUSED, Stage.TLS, Reply(text=why), **facts)
    return probe.seen(Outcome.ACCEPTED, Stage.TLS, **facts)


async def _prepare(probe: Probe, state: State) -> None:
    """Puts the certificates into a state, or takes them away."""
    setup = probe.stack.setup
    names = tuple(certificate_files.kinds(setup))
    match state:
        case State.EXPIRED | State.NO_COMMON_NAME:
            how = {"expired": True} if state is State.EXPIRED else {"with_common_name": False}
            await certificate_files.put(probe, certificate_files.issued(setup, HOSTNAME, **how))
        case State.EMPTY:
            found = certificate_files.originals(setup)
            await certificate_files.put(
                probe, {name: replace(one, certificate="", chain="") for name, one in found.items()}
            )
        case State.OTHER_KEY:
            found, others = certificate_files.originals(setup), certificate_files.issued(setup, HOSTNAME)
            await certificate_files.put(
                probe, {name: replace(one, key=others[name].key) for name, one in found.items()}
            )
        case State.MISSING:
            await certificate_files.take_away(probe, *names)
        case State.ONE_MISSING:
            await certificate_files.take_away(probe, names[-1])


async def _served_now(probe: Probe) -> list[Endpoint]:
    """What is served with certificates in order: with TLS, and without it port 25 and the web site."""
    there = [probe.stack.setup.endpoint(endpoint) for endpoint in ENCRYPTED]
    candidates = dict.fromkeys(
        (*(endpoint for endpoint in there if endpoint.tls is not Tls.NONE), SMTP_25_PLAIN, HTTP_80)
    )
    return [endpoint for endpoint in candidates if await is_served(probe, endpoint)]


async def _look(probe: Probe, endpoints: Iterable[Endpoint]) -> dict[Endpoint, bool]:
    return {endpoint: await is_served(probe, endpoint) for endpoint in endpoints}


async def _settled(probe: Probe, endpoints: Iterable[Endpoint]) -> dict[Endpoint, bool]:
    """What is served once nothing changes any more."""
    known = list(endpoints)
    seen: list[dict[Endpoint, bool]] = []
    clock = asyncio.get_running_loop().time
    since = clock()

    async def quiet() -> bool:
        nonlocal since
        now = await _look(probe, known)
        if not seen or now != seen[-1]:
            since = clock()
        seen.append(now)
        if await how_ended(probe):
            return True
        return all(now.values()) or (any(now.values()) and clock() - since >= QUIET_SECONDS)

    await eventually(quiet, START_SECONDS)
    return seen[-1]


async def _repaired(probe: Probe, endpoints: Iterable[Endpoint]) -> dict[Endpoint, bool]:
    """What is served in the end with all certificates, once they are in order again."""
    seen: dict[Endpoint, bool] = {}

    async def all_there() -> bool:
        seen.update({endpoint: await _is_complete(probe, endpoint) for endpoint in endpoints})
        return all(seen.values())

    await eventually(all_there, REPAIR_SECONDS)
    return seen


async def is_served(probe: Probe, endpoint: Endpoint) -> bool:
    """Whether `front` serves an endpoint at this moment."""
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            if endpoint == HTTP_80:
                async with browser(probe, endpoint) as http:
                    await http.get("/", follow=False)
            elif endpoint.tls is Tls.NONE:
                async with probe.smtp(endpoint):
                    pass
            else:
                await tls_handshake(probe, endpoint)
    except (NotServed, CannotAsk, TimeoutError):
        return False
    return True


async def _is_complete(probe: Probe, endpoint: Endpoint) -> bool:
    """Whether an endpoint is served, with every certificate of the set-up where it has TLS."""
    if endpoint.tls is Tls.NONE or endpoint.protocol is Protocol.HTTP:
        return await is_served(probe, endpoint)
    return None not in (await kinds_served(probe, endpoint)).values()


async def how_ended(probe: Probe) -> str:
    """How `front` has ended, or empty."""
    ended = await probe.stack.exit_of(FRONT)
    return ended.cause if ended is not None else ""


def _lacking(seen: Mapping[Endpoint, bool]) -> list[str]:
    """What is not served of all that was: a port that a release never serves says nothing here."""
    return [str(endpoint) for endpoint, there in seen.items() if not there]
