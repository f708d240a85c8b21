"""Certificates for one run: an authority that nobody else trusts, and what it issues (RFC 5280), by trustme.

RSA with 2048 bits, as most certificates of mail servers are; it suits every cipher list of Mailu from 1.9 on. trustme
issues whatever behaviours need so far (other names, a renewed certificate); its dates are far apart, since clocks of
engines and hosts differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from trustme import CA, KeyType

_ORGANIZATION = "pytest-mailu"


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate and its private key, both PEM: Mailu's /certs/cert.pem and /certs/key.pem."""

    certificate: str
    key: str
    names: tuple[str, ...]


class Authority:
    """Issues certificates; `pem` is its own, for clients that check the chain."""

    def __init__(self) -> None:
        self._ca = CA(organization_name=_ORGANIZATION, organization_unit_name="authority", key_type=KeyType.RSA)
        self.pem = self._ca.cert_pem.bytes().decode()

    def issue(self, *names: str) -> Certificate:
        """A new key and a certificate for these host names; the first is its common name."""
        issued = self._ca.issue_cert(
            *names,
            common_name=names[0],
            organization_name=_ORGANIZATION,
            organization_unit_name="test stack",
            key_type=KeyType.RSA,
        )
        certificate = issued.cert_chain_pems[0].bytes().decode()
        return Certificate(certificate, issued.private_key_pem.bytes().decode(), names)


@cache
def authority() -> Authority:
    """The authority of this process: both stacks of a run share it."""
    return Authority()


@cache
def certificate(*names: str) -> Certificate:
    """A certificate of this process's authority; the same one for the same names (`Authority.issue` makes new ones)."""
    return authority().issue(*names)
