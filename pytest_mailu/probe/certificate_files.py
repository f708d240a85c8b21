"""The certificates of `front`: replaced while it runs, as an administrator or certbot does that.

Sources: core/nginx/config.py, core/nginx/certwatcher.py and core/nginx/letsencrypt.py, 1.9 to master.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_mailu.core.commands import CommandResult
from pytest_mailu.core.population import HOSTNAME
from pytest_mailu.core.setups import Feature, SetUp
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.running_stack import FRONT
from pytest_mailu.stack.world import certbot
from pytest_mailu.stack.world.certificates import Certificate, KeyKind, authority, certificate
from pytest_mailu.wire.transport.errors import CannotAsk

OWN = ""
"""The name of the one certificate that an administrator puts into /certs."""
WRITE_OWN = 'printf %s "$1" > /certs/key.pem && printf %s "$2" > /certs/cert.pem'
WRITE_LINEAGE = f"""\
set -e
mkdir -p {certbot.FOLDER}
cd {certbot.FOLDER}
name=$1 number=$2
shift 2
mkdir -p "archive/$name" "live/$name"
for part in {" ".join(certbot.PARTS)}
do
  printf %s "$1" > "archive/$name/$part$number.pem"
  ln -sf "../../archive/$name/$part$number.pem" "live/$name/$part.pem"
  shift
done
"""
WRITE_RENEWAL = f"""\
set -e
mkdir -p {certbot.FOLDER}/renewal
cd {certbot.FOLDER}/renewal
printf %s "$2" > "$1.conf"
"""
REMOVE = 'rm -rf "$@"'

Certificates = Mapping[str, Certificate]
"""certbot's name of each certificate, or `OWN` → what it is."""


def by_certbot(setup: SetUp) -> bool:
    """Whether certbot gets the certificates of a set-up."""
    return Feature.CERTBOT in setup.features


def kinds(setup: SetUp) -> Mapping[str, KeyKind]:
    """The certificates of a set-up, and the kind of key of each."""
    return certbot.LINEAGES if by_certbot(setup) else {OWN: KeyKind.RSA}


def originals(setup: SetUp) -> Certificates:
    """Those that `front` starts with."""
    if by_certbot(setup):
        return {name: certbot.own(name, HOSTNAME) for name in certbot.LINEAGES}
    return {OWN: certificate(HOSTNAME)}


def issued(setup: SetUp, *hosts: str, **how: Any) -> Certificates:
    """New ones for these hosts; `how` is as for `Authority.issue`."""
    chained = by_certbot(setup)
    return {name: authority().issue(*hosts, kind=kind, chained=chained, **how) for name, kind in kinds(setup).items()}


async def put(probe: Probe, certificates: Certificates, number: int = 2) -> None:
    """Puts certificates where `front` looks for them; certbot's as the issue of this `number`.

    Raises CannotAsk where that fails.
    """
    for name, one in certificates.items():
        if name == OWN:
            await _run(probe, WRITE_OWN, one.key, one.certificate)
        else:
            contents = certbot.contents(one)
            await _run(probe, WRITE_LINEAGE, name, str(number), *(contents[part] for part in certbot.PARTS))


async def register(probe: Probe, certificates: Certificates) -> None:
    """Has certbot know certificates that were put there after its own were removed. Raises CannotAsk on failure."""
    for name in certificates:
        await _run(probe, WRITE_RENEWAL, name, certbot.renewal(name))


async def remove(probe: Probe, *paths: str) -> None:
    """Removes folders and files of `front`. Raises CannotAsk where that fails."""
    await _run(probe, REMOVE, *paths)


async def take_away(probe: Probe, *names: str) -> None:
    """Removes certificates. Raises CannotAsk where that fails."""
    for name in names:
        paths = (
            ("/certs/key.pem", "/certs/cert.pem")
            if name == OWN
            else tuple(f"{certbot.FOLDER}/{folder}/{name}" for folder in ("live", "archive"))
        )
        await remove(probe, *paths)


async def announce(probe: Probe) -> str:
    """Does what certbot does once it has certificates; in other set-ups `front` notices by itself.

    Empty, or how Mailu's hook fails.
    """
    if not by_certbot(probe.stack.setup):
        return ""
    ran = await probe.services.exec(FRONT, certbot.HOOK)
    return _last_line(ran) if ran.code else ""


async def put_back(probe: Probe) -> str:
    """Puts back those that `front` started with, and tells it. Raises CannotAsk where that fails."""
    await put(probe, originals(probe.stack.setup), 1)
    return await announce(probe)


async def _run(probe: Probe, script: str, *arguments: str) -> None:
    ran = await probe.services.exec(FRONT, "sh", "-c", script, "sh", *arguments)
    if ran.code:
        raise CannotAsk(f"the certificate cannot be replaced: {ran.errors}")


def _last_line(ran: CommandResult) -> str:
    lines = (ran.errors or ran.output).strip().splitlines()
    return lines[-1] if lines else f"{certbot.HOOK} ends with status {ran.code}"
