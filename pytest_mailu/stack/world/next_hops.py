"""The next hops that say how they want to be met: by DNS (DANE, RFC 7672) or by a web page (MTA-STS, RFC 8461).

All of them are the world's one mail exchanger under other names. Its DNS is a validating resolver's: the flag AD stands
for a signed zone, so nothing has to be signed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pytest_mailu.core.population import ELSEWHERE, IMPOSTOR_HOST, MX_HOST
from pytest_mailu.stack.world.zones import DnsRecord

_ANOTHER = hashlib.sha256(b"a key that the server does not have").hexdigest()


@dataclass(frozen=True, slots=True)
class DaneHost:
    """A mail exchanger with TLSA records for port 25, each named by usage, selector and matching type (RFC 6698).

    `right` says which of them match. Where it is not `signed`, nothing about it comes with AD.
    """

    label: str
    usages: tuple[str, ...] = ("3 1 1",)
    right: tuple[bool, ...] = (True,)
    signed: bool = True

    @property
    def name(self) -> str:
        """Its host name."""
        return f"dane-{self.label}.{ELSEWHERE}"


DANE_HOSTS: Mapping[str, DaneHost] = {
    host.label: host
    for host in (
        DaneHost("key"),
        DaneHost("issuer", ("2 1 1",)),
        DaneHost("two-keys", ("3 1 1", "3 1 1"), (False, True)),
        DaneHost("another-key", ("3 1 1",), (False,)),
        DaneHost("another-issuer", ("2 1 1",), (False,)),
        DaneHost("unsigned", ("3 1 1",), (False,), signed=False),
    )
}


@dataclass(frozen=True, slots=True)
class PolicyDomain:
    """A domain with an MTA-STS policy for `allowed`, in a `mode`, whose mail exchanger is `exchanger`.

    Without a mode there is only the record that says so, and no page.
    """

    label: str
    mode: str = "enforce"
    allowed: str = MX_HOST
    exchanger: str = MX_HOST

    @property
    def name(self) -> str:
        """The domain."""
        return f"sts-{self.label}.{ELSEWHERE}"

    @property
    def policy_host(self) -> str:
        """Where its policy is (RFC 8461 section 3.3)."""
        return f"mta-sts.{self.name}"

    @property
    def text(self) -> str:
        """The policy."""
        lines = ("version: STSv1", f"mode: {self.mode}", f"mx: {self.allowed}", "max_age: 86400")
        return "".join(f"{line}\r\n" for line in lines)


POLICY_DOMAINS: Mapping[str, PolicyDomain] = {
    domain.label: domain
    for domain in (
        PolicyDomain("kept"),
        PolicyDomain("wildcard", allowed=f"*.{ELSEWHERE}"),
        PolicyDomain("another-server", allowed=f"other.{ELSEWHERE}"),
        PolicyDomain("wrong-certificate", allowed=IMPOSTOR_HOST, exchanger=IMPOSTOR_HOST),
        PolicyDomain("testing", mode="testing", allowed=IMPOSTOR_HOST, exchanger=IMPOSTOR_HOST),
        PolicyDomain("no-page", mode=""),
    )
}

TLS_NAMES = (
    *(host.name for host in DANE_HOSTS.values()),
    *(domain.policy_host for domain in POLICY_DOMAINS.values()),
)
"""What the world's certificate has to name beside its other servers."""


def records(address: str, certificate: str, issuer: str) -> tuple[DnsRecord, ...]:
    """The records of all of them, for a server at `address` with this certificate and its issuer's (PEM)."""
    found = []
    for host in DANE_HOSTS.values():
        found.append(DnsRecord(host.name, "A", address))
        for usage, right in zip(host.usages, host.right, strict=True):
            digest = key_digest(certificate if usage.startswith("3") else issuer) if right else _ANOTHER
            found.append(DnsRecord(f"_25._tcp.{host.name}", "TLSA", f"{usage} {digest}"))
    for domain in POLICY_DOMAINS.values():
        found += [
            DnsRecord(domain.name, "MX", f"10 {domain.exchanger}"),
            DnsRecord(f"_mta-sts.{domain.name}", "TXT", "v=STSv1; id=1"),
            DnsRecord(domain.policy_host, "A", address),
        ]
    return tuple(found)


def dns_rules() -> list[dict[str, Any]]:
    """What the world's DNS answers otherwise: nothing about a host without DNSSEC comes with AD."""
    return [{"name": f"*{host.name}", "signed": False} for host in DANE_HOSTS.values() if not host.signed]


def policy_texts() -> dict[str, str]:
    """Host → the policy that it serves."""
    return {domain.policy_host: domain.text for domain in POLICY_DOMAINS.values() if domain.mode}


def key_digest(pem: str) -> str:
    """The SHA-256 of a certificate's public key (selector 1, matching type 1), in hexadecimal."""
    key = x509.load_pem_x509_certificate(pem.encode()).public_key()
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
