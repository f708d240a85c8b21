"""Certificates for one run: an authority that nobody else trusts, and what it issues (RFC 5280), by trustme.

RSA with 2048 bits, as most certificates of mail servers are; it suits every cipher list of Mailu from 1.9 on. trustme
issues whatever behaviours need so far (other names and keys, a renewed certificate, an expired one); its dates are far
apart, since clocks of engines and hosts differ.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from threading import RLock

from cryptography import x509
from trustme import CA, KeyType

_ORGANIZATION = "pytest-mailu"
_NOW = datetime.now()
_MAKING = RLock()
"""The files of both stacks are made in threads, and `functools.cache` would let each of them make its own."""


class KeyKind(StrEnum):
    """The kind of key that a certificate is for."""

    RSA = "RSA"
    ECDSA = "ECDSA"


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate and its private key, both PEM: Mailu's /certs/cert.pem and /certs/key.pem.

    `chain` are the certificates between it and the authority, PEM as well; empty where the authority issued it itself.
    """

    certificate: str
    key: str
    names: tuple[str, ...]
    chain: str = ""


class Authority:
    """Issues certificates; `pem` is its own, for clients that check the chain."""

    def __init__(self) -> None:
        self._ca = CA(organization_name=_ORGANIZATION, organization_unit_name="authority", key_type=KeyType.RSA)
        self._between = CA(
            parent_cert=self._ca,
            organization_name=_ORGANIZATION,
            organization_unit_name="intermediate",
            key_type=KeyType.RSA,
        )
        self.pem = self._ca.cert_pem.bytes().decode()

    @property
    def file_name(self) -> str:
        """The name under which OpenSSL finds the authority in a folder of trusted ones (X509_NAME_hash(3)).

        Its hash is over the names in lower case and UTF-8, without the header of their sequence.
        """
        subject = x509.load_pem_x509_certificate(self.pem.encode()).subject
        plain = x509.Name([x509.NameAttribute(part.oid, " ".join(str(part.value).lower().split())) for part in subject])
        encoded = plain.public_bytes()
        header = 2 if encoded[1] < 0x80 else 2 + (encoded[1] & 0x7F)
        digest = hashlib.sha1(encoded[header:], usedforsecurity=False).digest()
        return f"{int.from_bytes(digest[:4], 'little'):08x}.0"

    def issue(
        self,
        *names: str,
        kind: KeyKind = KeyKind.RSA,
        chained: bool = False,
        expired: bool = False,
        with_common_name: bool = True,
    ) -> Certificate:
        """A new key of a `kind`, and a certificate for these host names; the first is its common name.

        A `chained` one comes from a certificate between it and the authority, as those of public authorities do; one
        that is `expired` ended yesterday; without a common name, the names stand in its extension alone.
        """
        dates = {"not_before": _NOW - timedelta(days=91), "not_after": _NOW - timedelta(days=1)} if expired else {}
        issued = (self._between if chained else self._ca).issue_cert(
            *names,
            common_name=names[0] if with_common_name else None,
            organization_name=_ORGANIZATION,
            organization_unit_name="test stack",
            key_type=KeyType[kind.name],
            **dates,
        )
        certificate, *chain = (pem.bytes().decode() for pem in issued.cert_chain_pems)
        return Certificate(certificate, issued.private_key_pem.bytes().decode(), names, "".join(chain))


def authority() -> Authority:
    """The authority of this process: both stacks of a run share it."""
    with _MAKING:
        return _authority()


def certificate(*names: str, kind: KeyKind = KeyKind.RSA, chained: bool = False) -> Certificate:
    """A certificate of this process's authority; the same one for the same names (`Authority.issue` makes new ones)."""
    with _MAKING:
        return _certificate(*names, kind=kind, chained=chained)


@cache
def _authority() -> Authority:
    return Authority()


@cache
def _certificate(*names: str, kind: KeyKind, chained: bool) -> Certificate:
    return _authority().issue(*names, kind=kind, chained=chained)
