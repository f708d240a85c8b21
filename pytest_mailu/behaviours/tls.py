"""TLS: versions, ciphers, certificates, session resumption, and commands injected before it."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Collection, Mapping
from typing import Any

from pytest_mailu.behaviours.declaration import behaviour, tls_there
from pytest_mailu.behaviours.helpers import tls_handshake
from pytest_mailu.behaviours.needs import CONNECTION
from pytest_mailu.core.endpoints import (
    HTTPS_443,
    IMAP_143,
    IMAPS_993,
    POP3_110,
    POP3S_995,
    SIEVE_4190,
    SMTP_25,
    SUBMISSION_587,
    SUBMISSIONS_465,
    Endpoint,
    Protocol,
    Tls,
)
from pytest_mailu.core.model import Direction, Facts, Observation, Outcome, Reply, Severity, Stage
from pytest_mailu.core.population import HOSTNAME
from pytest_mailu.core.setups import Feature
from pytest_mailu.probe import certificate_files
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.running_stack import FRONT
from pytest_mailu.probe.sessions import REPLY_SECONDS
from pytest_mailu.probe.shared import shared
from pytest_mailu.stack.world.certificates import KeyKind
from pytest_mailu.wire.tls.handshake import Certificate, TlsFacts
from pytest_mailu.wire.tls.injection import answers_injected
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed

ENCRYPTED = (
    SMTP_25,
    SUBMISSION_587,
    SUBMISSIONS_465,
    IMAP_143,
    IMAPS_993,
    POP3_110,
    POP3S_995,
    SIEVE_4190,
    HTTPS_443,
)
"""Every endpoint with TLS."""
UPGRADED = tuple(endpoint for endpoint in ENCRYPTED if endpoint.tls is Tls.STARTTLS)
MAIN = (SMTP_25, SUBMISSIONS_465, IMAPS_993, HTTPS_443)
"""One endpoint of each kind: together they use every TLS library and configuration of `front`."""
PEOPLE = (SUBMISSIONS_465, IMAPS_993, HTTPS_443)

VERSIONS = {
    "1.0": ssl.TLSVersion.TLSv1,
    "1.1": ssl.TLSVersion.TLSv1_1,
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}
FAMILIES = {
    "ECDHE-AESGCM": "ECDHE+AESGCM",
    "ECDHE-CHACHA20": "ECDHE+CHACHA20",
    "ECDHE-CBC": "ECDHE+AES:!AESGCM:!AESCCM",
    "DHE-AESGCM": "DHE+AESGCM",
    "DHE-CBC": "DHE+AES:!AESGCM:!AESCCM",
    "RSA-AESGCM": "kRSA+AESGCM",
    "RSA-CBC": "kRSA+AES:!AESGCM:!AESCCM",
}
"""Cipher families of TLS 1.2 as OpenSSL cipher lists (openssl-ciphers(1))."""

RESUMPTIONS = 8
"""How many handshakes in a row have to resume a session."""


async def takes(probe: Probe, endpoint: Endpoint, **how: Any) -> bool:
    """Whether a handshake with these limits succeeds; raises NotServed for a closed port."""
    return await _taken(tls_handshake(probe, endpoint, **how))


@shared
async def _of_version(probe: Probe, endpoint: Endpoint, version: str) -> TlsFacts:
    """A handshake of one version of TLS alone."""
    return await tls_handshake(probe, endpoint, minimum=VERSIONS[version], maximum=VERSIONS[version])


async def _taken(handshake: Awaitable[TlsFacts]) -> bool:
    """Whether a handshake succeeds; raises NotServed for a closed port."""
    try:
        await handshake
    except NotServed as end:
        if end.outcome is not Outcome.TLS_FAILED:
            raise
        return False
    return True


def certificate_facts(certificate: Certificate) -> Facts:
    """What of a certificate is compared; its dates are those of the run."""
    return {
        "subject": certificate.subject,
        "names": list(certificate.names),
        "issuer": certificate.issuer,
        "key": f"{certificate.key} {certificate.key_bits}",
    }


def is_for(host: str, certificate: Certificate) -> bool:
    """Whether programs accept a certificate for this host (RFC 9525 section 6.3: a wildcard is one whole label)."""
    return not {host, f"*.{host.partition('.')[2]}"}.isdisjoint(certificate.names)


def two_keys_there(endpoint: Endpoint, **more: Any) -> Collection[Feature]:
    """What a behaviour needs of a set-up that is about certificates with several kinds of keys at its endpoint."""
    return {*tls_there(endpoint, **more), Feature.CERTBOT}


OF_KIND = {KeyKind.RSA: "ECDHE+aRSA", KeyKind.ECDSA: "ECDHE+aECDSA"}
"""Ciphers of TLS 1.2 with which a server has to show a certificate of this kind (openssl-ciphers(1))."""


async def _of_kind(probe: Probe, endpoint: Endpoint, kind: KeyKind) -> Certificate:
    """The certificate that a client gets which takes one kind of key alone."""
    seen = await tls_handshake(probe, endpoint, maximum=ssl.TLSVersion.TLSv1_2, ciphers=OF_KIND[kind])
    return seen.certificate


async def kinds_served(probe: Probe, endpoint: Endpoint) -> Mapping[KeyKind, Certificate | None]:
    """The certificate of each kind of key that the set-up has; None for one that is not served at this moment."""
    found: dict[KeyKind, Certificate | None] = {}
    for kind in certificate_files.kinds(probe.stack.setup).values():
        try:
            found[kind] = await _of_kind(probe, endpoint, kind)
        except (NotServed, CannotAsk):
            found[kind] = None
    return found


@behaviour(
    "tls/{endpoint}/certificate-{kind}",
    needs=CONNECTION,
    of_setup=two_keys_there,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    each={"endpoint": ENCRYPTED, "kind": tuple(KeyKind)},
)
async def kind_of_key(probe: Probe, endpoint: Endpoint, kind: KeyKind) -> Observation:
    """Client on {endpoint.words} that supports certificates with {kind} keys only

    Old programs, which know RSA alone, or small devices, which know ECDSA alone, cannot connect.

    core/nginx/conf/tls.conf, and core/nginx/dovecot/proxy.conf (ssl_alt_cert) since 2024.06; RFC 8422
    """
    return probe.seen(Outcome.ACCEPTED, Stage.TLS, certificate=certificate_facts(await _of_kind(probe, endpoint, kind)))


@behaviour(
    "tls/{endpoint}/handshake",
    needs=CONNECTION,
    of_setup=tls_there,
    wanted=Outcome.ACCEPTED,
    severity=Severity.CRITICAL,
    each={"endpoint": ENCRYPTED},
)
async def handshake(probe: Probe, endpoint: Endpoint) -> Observation:
    """TLS handshake of a modern client on {endpoint.words}

    Clients cannot connect to {endpoint.words}, or get a certificate warning.

    RFC 8446; RFC 8314 section 3; core/nginx/conf/tls.conf, and core/nginx/dovecot/proxy.conf since 2024.06
    """
    seen = await tls_handshake(probe, endpoint, alpn=("h2", "http/1.1") if endpoint.protocol is Protocol.HTTP else ())
    fits = is_for(HOSTNAME, seen.certificate)
    return probe.seen(
        Outcome.ACCEPTED if fits else Outcome.TLS_FAILED,
        Stage.TLS,
        None if fits else Reply(text=f"the certificate is not for {HOSTNAME}"),
        version=seen.version,
        cipher=seen.cipher,
        certificate=certificate_facts(seen.certificate),
        chain=list(seen.chain),
        alpn=seen.alpn,
    )


@behaviour(
    "tls/{endpoint}/versions",
    needs=CONNECTION,
    of_setup=tls_there,
    better={"versions.TLS 1.2": Direction.TRUE, "versions.TLS 1.3": Direction.TRUE},
    severity=Severity.MINOR,
    each={"endpoint": ENCRYPTED},
)
async def versions(probe: Probe, endpoint: Endpoint) -> Observation:
    """TLS versions accepted on {endpoint.words}

    Old devices cannot connect, or weak connections are possible.

    RFC 8996 (1.0 and 1.1 are deprecated); core/nginx/conf/nginx.conf (TLS_PERMISSIVE on 25, since 2.0)
    """
    taken = {f"TLS {name}": await _taken(_of_version(probe, endpoint, name)) for name in VERSIONS}
    return probe.seen(Outcome.ACCEPTED, Stage.TLS, versions=taken)


@behaviour(
    "tls/{endpoint}/ciphers",
    needs=CONNECTION,
    of_setup=tls_there,
    better={
        "families.ECDHE-AESGCM": Direction.TRUE,
        "families.ECDHE-CHACHA20": Direction.TRUE,
        "families.DHE-AESGCM": Direction.TRUE,
    },
    severity=Severity.MINOR,
    each={"endpoint": ENCRYPTED},
)
async def ciphers(probe: Probe, endpoint: Endpoint) -> Observation:
    """TLS 1.2 cipher families accepted on {endpoint.words}

    Old devices and old mail servers cannot connect, or weak connections are possible.

    RFC 9325 section 4.2; core/nginx/conf/tls.conf (ssl_ciphers), core/nginx/dovecot/proxy.conf since 2024.06
    """
    taken = {
        family: await takes(probe, endpoint, maximum=ssl.TLSVersion.TLSv1_2, ciphers=names)
        for family, names in FAMILIES.items()
    }
    return probe.seen(Outcome.ACCEPTED, Stage.TLS, families=taken)


@behaviour(
    "tls/{endpoint}/tls-{version}",
    needs=CONNECTION,
    of_setup=tls_there,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    each={"endpoint": MAIN, "version": ("1.2", "1.3")},
)
async def current_version(probe: Probe, endpoint: Endpoint, version: str) -> Observation:
    """TLS {version} on {endpoint.words}

    Clients and servers that support no other version cannot connect.

    RFC 9325 section 3.1.1
    """
    seen = await _of_version(probe, endpoint, version)
    return probe.seen(Outcome.ACCEPTED, Stage.TLS, cipher=seen.cipher)


@behaviour(
    "tls/{endpoint}/tls-{version}",
    needs=CONNECTION,
    of_setup=tls_there,
    wanted=Outcome.TLS_FAILED,
    affected="Devices that support only such old TLS versions cannot connect.",
    severity=Severity.MAJOR,
    each={"endpoint": PEOPLE, "version": ("1.0", "1.1")},
)
async def old_version(probe: Probe, endpoint: Endpoint, version: str) -> Observation:
    """TLS {version} on {endpoint.words} is refused

    Passwords cross connections that can be broken.

    RFC 8996; core/nginx/conf/tls.conf (ssl_protocols), core/nginx/dovecot/proxy.conf (ssl_min_protocol)
    """
    seen = await _of_version(probe, endpoint, version)
    return probe.seen(Outcome.ACCEPTED, Stage.TLS, cipher=seen.cipher)


@behaviour(
    "tls/{endpoint}/sni-{kind}",
    needs=CONNECTION,
    of_setup=tls_there,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    each={"endpoint": MAIN, "kind": ("none", "unknown")},
)
async def server_name(probe: Probe, endpoint: Endpoint, kind: str) -> Observation:
    """Client on {endpoint.words} that asks for an unknown server name, or none ({kind})

    Old programs, and those that use another name or an address, cannot connect.

    RFC 6066 section 3
    """
    seen = await tls_handshake(probe, endpoint, sni=None if kind == "none" else "unknown.example")
    return probe.seen(Outcome.ACCEPTED, Stage.TLS, certificate=certificate_facts(seen.certificate))


@behaviour(
    "tls/{endpoint}/resumption",
    needs=CONNECTION,
    of_setup=tls_there,
    better={"resumed": Direction.TRUE},
    severity=Severity.INFO,
    each={"endpoint": MAIN},
)
async def resumption(probe: Probe, endpoint: Endpoint) -> Observation:
    """TLS session resumption on {endpoint.words}

    Each connection needs a full handshake, which costs phones time.

    RFC 8446 section 2.2; core/nginx/conf/nginx.conf (ssl_session_cache), core/nginx/dovecot/proxy.conf (no_ticket)
    """
    # Where each process of a server has sessions of its own, one try depends on the process that answers.
    for _ in range(RESUMPTIONS):
        if not (await tls_handshake(probe, endpoint, resume=True)).resumed:
            return probe.seen(Outcome.ACCEPTED, Stage.TLS, resumed=False)
    return probe.seen(Outcome.ACCEPTED, Stage.TLS, resumed=True)


@behaviour(
    "tls/{endpoint}/injection",
    needs=CONNECTION,
    of_setup=tls_there,
    wanted=Outcome.REFUSED,
    severity=Severity.CRITICAL,
    each={"endpoint": UPGRADED},
)
async def injection(probe: Probe, endpoint: Endpoint) -> Observation:
    """Command sent in plain text behind STARTTLS on {endpoint.words} is not executed

    Attackers in the network can insert commands into encrypted sessions.

    RFC 3207 section 6; CVE-2011-0411, CVE-2021-33515
    """
    answered = await answers_injected(
        probe.connector, FRONT, endpoint.port, endpoint.protocol, transcript=probe.transcript, timeout=REPLY_SECONDS
    )
    return probe.seen(Outcome.ACCEPTED if answered else Outcome.REFUSED, Stage.TLS)
