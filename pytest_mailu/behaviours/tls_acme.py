"""Certificates that certbot gets from a certificate authority while `front` runs: the first ones, renewed ones, none.

`front` is started over each time: certbot looks at its certificates a few seconds after that, and then once a day.
"""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from typing import Any

from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.helpers import tls_handshake
from pytest_mailu.behaviours.tls import MAIN, kinds_served
from pytest_mailu.behaviours.tls_certificates import how_ended, is_served
from pytest_mailu.core.endpoints import HTTP_80, SMTP_25_PLAIN, Endpoint
from pytest_mailu.core.errors import StackError
from pytest_mailu.core.model import Direction, Observation, Outcome, Reply, Severity, Stage
from pytest_mailu.core.population import HOSTNAME, SECOND_HOSTNAME
from pytest_mailu.core.setups import Feature
from pytest_mailu.probe import certificate_files
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.running_stack import FRONT
from pytest_mailu.probe.waiting import eventually
from pytest_mailu.stack.settings.variants import ACME
from pytest_mailu.stack.world import acme, certbot
from pytest_mailu.stack.world.certificates import KeyKind
from pytest_mailu.wire.tls.handshake import Certificate, read_certificate
from pytest_mailu.wire.transport.errors import CannotAsk

HOSTS = (HOSTNAME, SECOND_HOSTNAME)
"""What `HOSTNAMES` has in the variant."""
ISSUE_SECONDS = 150.0
"""How long two certificates may take: certbot is run for one after the other. On a busy machine a run takes 30 s."""
SERVE_SECONDS = 20.0
"""How long `front` may then take until it serves them: certbot has it read them at once."""
SHARED_SECONDS = 240.0
REASON = re.compile(r"forbidden by policy|rejectedIdentifier")
"""What the authority says (RFC 8555 section 6.7; wfe/wfe.go of Pebble)."""
FAILURE = re.compile(rf"unexpected error occurred|challenges have failed|{REASON.pattern}", re.IGNORECASE)
"""How certbot tells that it has got nothing. Why, it says there as well, or in a file of its own alone."""
_TROUBLE = re.compile(r"error|detail:|can't reach|failed|forbidden", re.IGNORECASE)
_LINE = 200
"""Characters of a log line that are shown."""
LEAD = 'mkdir -p "$1" && printf %s "$2" > "$1/cli.ini" && printf %s "$3" > "$1/authority.pem"'
"""Leads certbot to an authority: its folder, its configuration, the authority's certificate."""


class Start(StrEnum):
    """What `front` has of certificates when it starts."""

    FIRST = "first"
    RENEWAL = "renewal"

    @property
    def words(self) -> str:
        """For people."""
        return "the first certificate" if self is Start.FIRST else "the renewal of an expired one"


@dataclass(frozen=True, slots=True)
class Issue:
    """What came of one start. `certificates` are the new ones, by certbot's name; `served` says where all of them are.

    `trouble` is how `front` ended, or what its log says last of a failure.
    """

    certificates: Mapping[str, Certificate] = field(default_factory=dict)
    served: Mapping[Endpoint, bool] = field(default_factory=dict)
    trouble: str = ""

    @property
    def lacking(self) -> list[str]:
        """Host names for which one of certbot's certificates is missing."""
        found = [self.certificates.get(name) for name in certbot.LINEAGES]
        return [host for host in HOSTS if any(one is None or host not in one.names for one in found)]


acme_behaviour = partial(
    behaviour, wanted=Outcome.ACCEPTED, variant=ACME.name, of_setup=(Feature.ACME,), alone=True, timeout=400.0
)


@acme_behaviour("tls/acme/issued", severity=Severity.CRITICAL, better={"keys.*": Direction.TRUE})
async def issued(probe: Probe) -> Observation:
    """Certbot gets the first certificates, for every host name

    A new server, or one whose host names have changed, gets no certificate, and old programs none with an RSA key.

    core/nginx/letsencrypt.py (HOSTNAMES, --key-type), 1.9 to master; RFC 8555 sections 7.4 and 8.3
    """
    issue = await _issue(probe, Start.FIRST)
    kinds = {_kind(one) for one in issue.certificates.values()}
    facts: dict[str, Any] = {"keys": {str(kind): kind in kinds for kind in KeyKind}, "lacking": issue.lacking}
    if issue.lacking:
        return probe.seen(Outcome.REFUSED, Stage.COMMAND, _reply(issue.trouble or "no certificate"), **facts)
    return probe.seen(Outcome.ACCEPTED, Stage.COMMAND, **facts)


@acme_behaviour("tls/acme/served/{endpoint}", severity=Severity.MAJOR, each={"endpoint": MAIN})
async def served(probe: Probe, endpoint: Endpoint) -> Observation:
    """First certificates that certbot gets are served on {endpoint.words} at once

    Nobody can connect to {endpoint.words} until somebody restarts front.

    core/nginx/letsencrypt.py (--post-hook), config.py and start.py, 1.9 to master
    """
    await tls_handshake(probe, endpoint)
    issue = await _issue(probe, Start.FIRST)
    if issue.served.get(endpoint):
        return probe.seen(Outcome.ACCEPTED, Stage.TLS)
    why = issue.trouble or "no certificate" if issue.lacking else "not served until front is restarted"
    return probe.seen(Outcome.UNREACHABLE, Stage.TLS, _reply(why))


@acme_behaviour("tls/acme/renewed", severity=Severity.CRITICAL, better={"served.*": Direction.TRUE}, deep=True)
async def renewed(probe: Probe) -> Observation:
    """Certbot renews expired certificates, and every port serves the new ones

    Programs refuse to connect, or warn, and go on so until somebody looks.

    core/nginx/letsencrypt.py (--keep-until-expiring, --post-hook), 1.9 to master
    """
    usual = await _now_served(probe, MAIN)
    issue = await _issue(probe, Start.RENEWAL)
    facts: dict[str, Any] = {"served": {str(endpoint): issue.served.get(endpoint, False) for endpoint in usual}}
    if issue.lacking:
        return probe.seen(Outcome.REFUSED, Stage.COMMAND, _reply(issue.trouble or "not renewed"), **facts)
    late = [endpoint for endpoint in usual if not issue.served.get(endpoint)]
    if late:
        return probe.seen(Outcome.UNREACHABLE, Stage.TLS, _reply(f"{late[0]} serves the old one"), **facts)
    return probe.seen(Outcome.ACCEPTED, Stage.TLS, **facts)


@acme_behaviour(
    "tls/acme/refused/{start}",
    severity=Severity.MAJOR,
    better={"told": Direction.TRUE, "served.*": Direction.TRUE},
    each={"start": Start},
    deep={"start": (Start.RENEWAL,)},
)
async def refused(probe: Probe, start: Start) -> Observation:
    """Certificate authority refuses {start.words}: front serves mail as before, and its log tells of it

    Mail does not come in while there is no new certificate, or nobody finds out why there is none.

    core/nginx/letsencrypt.py, config.py (TLS_ERROR) and conf/nginx.conf ("SMTP is always enabled"), 1.9 to master
    """
    needed = (SMTP_25_PLAIN, HTTP_80) if start is Start.FIRST else (*MAIN, SMTP_25_PLAIN)
    usual = await _now_served(probe, needed)
    seen = dict.fromkeys(usual, False)
    lines: list[str] = []

    async def over() -> bool:
        lines[:] = await probe.services.log_since(FRONT, began)
        return any(map(FAILURE.search, lines)) or bool(await how_ended(probe))

    async def all_served() -> bool:
        seen.update(await _look(probe, usual))
        return all(seen.values()) or bool(await how_ended(probe))

    async with _started(probe, start, acme.REFUSING) as began:
        await eventually(over, ISSUE_SECONDS)
        await eventually(all_served, SERVE_SECONDS)
        await over()  # the reason comes in a line after the failure
        ended = await how_ended(probe)
    facts: dict[str, Any] = {
        "told": any(map(FAILURE.search, lines)),
        "reason": any(map(REASON.search, lines)),
        "served": {str(endpoint): there for endpoint, there in seen.items()},
    }
    closed = [endpoint for endpoint, there in seen.items() if not there]
    if closed or ended:
        return probe.seen(Outcome.UNREACHABLE, Stage.TLS, _reply(ended or f"{closed[0]} is not served"), **facts)
    return probe.seen(Outcome.ACCEPTED, Stage.TLS, **facts)


async def _issue(probe: Probe, start: Start) -> Issue:
    """What an authority that issues certificates brings about; `front` is started over once for all who ask."""
    return await probe.shared(("tls/acme", start), lambda own: _issued(own, start), seconds=SHARED_SECONDS)


async def _issued(probe: Probe, start: Start) -> Issue:
    usual = await _now_served(probe, MAIN)
    async with _started(probe, start, acme.ISSUING) as began:
        certificates = await _obtained(probe)
        there = await _with_them(probe, usual, certificates.values()) if certificates else {}
        trouble = await how_ended(probe) or _last_trouble(await probe.services.log_since(FRONT, began))
    return Issue(certificates, there, trouble)


@asynccontextmanager
async def _started(probe: Probe, start: Start, service: str) -> AsyncIterator[float]:
    """Starts `front` over with certbot led to an authority; gives that moment. Afterwards all is as it was."""
    setup = probe.stack.setup
    await certificate_files.remove(probe, certbot.FOLDER)
    if start is Start.RENEWAL:
        expired = certificate_files.issued(setup, *HOSTS, expired=True)
        await certificate_files.put(probe, expired, 1)
        await certificate_files.register(probe, expired)
    async with _found_in_dns(probe):
        told = (acme.CERTBOT_FOLDER, acme.settings_of_certbot(service), acme.trusted())
        ran = await probe.services.exec(FRONT, "sh", "-c", LEAD, "sh", *told)
        if ran.code:
            raise CannotAsk(f"certbot cannot be led to the authority: {ran.errors}")
        async with probe.services.started_over(FRONT):
            # What another certbot said in the container before is not its log.
            yield time.time()


@asynccontextmanager
async def _found_in_dns(probe: Probe) -> AsyncIterator[None]:
    """The second host name is where the first one is, while the block runs."""
    first = [record for record in await probe.world.records() if record.name == HOSTNAME]
    second = [replace(record, name=SECOND_HOSTNAME) for record in first if record.type in ("A", "AAAA")]
    await probe.world.records(replace=second)
    try:
        yield
    finally:
        await probe.world.records(remove=[(record.name, record.type) for record in second])


async def _obtained(probe: Probe) -> dict[str, Certificate]:
    """The certificates of the authority that certbot has, once it has all, or `front` has ended, or time is up."""
    found: dict[str, Certificate] = {}

    async def all_there() -> bool:
        for name in certbot.LINEAGES.keys() - found.keys():
            if (one := await _certificate(probe, name)) is not None:
                found[name] = one
        return len(found) == len(certbot.LINEAGES) or bool(await how_ended(probe))

    await eventually(all_there, ISSUE_SECONDS)
    return {name: found[name] for name in certbot.LINEAGES if name in found}


async def _certificate(probe: Probe, name: str) -> Certificate | None:
    """A certificate that certbot has got, by its name; None for one that is ours, and where there is none."""
    try:
        ran = await probe.services.exec(FRONT, "cat", f"{certbot.FOLDER}/live/{name}/cert.pem")
        one = read_certificate(ran.output)
    except (StackError, ValueError):
        return None
    ours = certificate_files.originals(probe.stack.setup)[name]
    return None if one.issuer == read_certificate(ours.certificate).issuer else one


async def _with_them(
    probe: Probe, endpoints: Iterable[Endpoint], certificates: Collection[Certificate]
) -> dict[Endpoint, bool]:
    """Where `front` serves a certificate of each kind that there is, and no other one of that kind."""
    seen = dict.fromkeys(endpoints, False)
    kinds = {_kind(one) for one in certificates}

    async def everywhere() -> bool:
        for endpoint in seen:
            shown = await kinds_served(probe, endpoint)
            seen[endpoint] = all(shown[kind] in certificates for kind in kinds)
        return all(seen.values()) or bool(await how_ended(probe))

    await eventually(everywhere, SERVE_SECONDS)
    return seen


async def _now_served(probe: Probe, endpoints: Iterable[Endpoint]) -> list[Endpoint]:
    """Those that are served before anything is done: a port that a release never serves says nothing here."""
    return [endpoint for endpoint, there in (await _look(probe, endpoints)).items() if there]


async def _look(probe: Probe, endpoints: Iterable[Endpoint]) -> dict[Endpoint, bool]:
    return {endpoint: await is_served(probe, endpoint) for endpoint in endpoints}


def _kind(certificate: Certificate) -> KeyKind:
    return KeyKind.RSA if certificate.key == "RSA" else KeyKind.ECDSA


def _last_trouble(lines: Iterable[str]) -> str:
    """The last line of a log that tells of a failure."""
    found = [line.strip() for line in lines if _TROUBLE.search(line)]
    return found[-1][:_LINE] if found else ""


def _reply(text: str) -> Reply:
    return Reply(text=text)
