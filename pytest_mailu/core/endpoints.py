"""The endpoints of a mail server: protocol, port, and how a connection is protected by TLS.

All that is known about ports and their protocols stands here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Protocol(StrEnum):
    """What is spoken at a port."""

    SMTP = "smtp"
    """Between mail servers (RFC 5321)."""
    SUBMISSION = "submission"
    """SMTP from a user's mail program (RFC 6409)."""
    IMAP = "imap"
    POP3 = "pop3"
    MANAGESIEVE = "managesieve"
    HTTP = "http"

    @property
    def service(self) -> str:
        """The service that `front` passes a client on to who has logged in."""
        return _SERVICES[self]


_SERVICES = {
    Protocol.SMTP: "smtp",
    Protocol.SUBMISSION: "smtp",
    Protocol.IMAP: "imap",
    Protocol.POP3: "imap",
    Protocol.MANAGESIEVE: "imap",
    Protocol.HTTP: "admin",
}


class Tls(StrEnum):
    """How a connection is protected by TLS (RFC 8314 section 3)."""

    NONE = "plain"
    STARTTLS = "starttls"
    IMPLICIT = "tls"
    OPPORTUNISTIC = "opportunistic"
    """STARTTLS where it is offered, as mail servers do among themselves (RFC 7435)."""

    @property
    def words(self) -> str:
        """For people."""
        return _TLS_WORDS[self]


_TLS_WORDS = {
    Tls.NONE: "no TLS",
    Tls.STARTTLS: "STARTTLS",
    Tls.IMPLICIT: "TLS",
    Tls.OPPORTUNISTIC: "STARTTLS if offered",
}


@dataclass(frozen=True, slots=True, order=True)
class Endpoint:
    """A protocol at a port, and how TLS begins. As a string it is the part of a behaviour's id: `587-starttls`."""

    protocol: Protocol
    port: int
    tls: Tls

    def __str__(self) -> str:
        return f"{self.port}-{self.tls}"

    @property
    def words(self) -> str:
        """For people: `port 587 (STARTTLS)`."""
        return f"port {self.port} ({self.tls.words})"

    @property
    def in_plain_text(self) -> Endpoint:
        """The same port, without TLS."""
        return Endpoint(self.protocol, self.port, Tls.NONE)

    def operation(self, id: str) -> str:
        """What a behaviour's id says beside its family and this endpoint: `external` of `submission/465-tls/external`.

        The part of the id that names the endpoint is `465-tls`, or `465` alone.
        """
        return "/".join(part for part in id.split("/")[1:] if part not in (str(self), str(self.port)))


@dataclass(frozen=True, slots=True, order=True)
class PublishedEndpoint(Endpoint):
    """An endpoint that a document or a DNS record names: programs connect to just this one, in every set-up."""


SMTP_25_PLAIN = Endpoint(Protocol.SMTP, 25, Tls.NONE)
SMTP_25 = Endpoint(Protocol.SMTP, 25, Tls.STARTTLS)
SMTP_25_OPPORTUNISTIC = Endpoint(Protocol.SMTP, 25, Tls.OPPORTUNISTIC)
"""As mail servers connect: for whatever is not about TLS."""
SUBMISSION_587 = Endpoint(Protocol.SUBMISSION, 587, Tls.STARTTLS)
SUBMISSIONS_465 = Endpoint(Protocol.SUBMISSION, 465, Tls.IMPLICIT)
IMAP_143 = Endpoint(Protocol.IMAP, 143, Tls.STARTTLS)
IMAPS_993 = Endpoint(Protocol.IMAP, 993, Tls.IMPLICIT)
POP3_110 = Endpoint(Protocol.POP3, 110, Tls.STARTTLS)
POP3S_995 = Endpoint(Protocol.POP3, 995, Tls.IMPLICIT)
SIEVE_4190 = Endpoint(Protocol.MANAGESIEVE, 4190, Tls.STARTTLS)
HTTP_80 = Endpoint(Protocol.HTTP, 80, Tls.NONE)
HTTPS_443 = Endpoint(Protocol.HTTP, 443, Tls.IMPLICIT)

SUBMISSION = (SUBMISSION_587, SUBMISSIONS_465)
"""RFC 6409, and RFC 8314 section 3.3 for 465."""
IMAP = (IMAP_143, IMAPS_993)
POP3 = (POP3_110, POP3S_995)

ENDPOINTS = (
    SMTP_25_OPPORTUNISTIC,
    HTTP_80,
    POP3_110,
    IMAP_143,
    HTTPS_443,
    SUBMISSIONS_465,
    SUBMISSION_587,
    IMAPS_993,
    POP3S_995,
    SIEVE_4190,
)
"""Everything that Mailu's `front` has ever served to the outside (its EXPOSE line, 1.9 to master), in order of port."""
PORTS = tuple(endpoint.port for endpoint in ENDPOINTS)

SERVICE_NAMES = {
    25: "SMTP",
    80: "HTTP",
    110: "POP3",
    143: "IMAP",
    443: "HTTPS",
    465: "submissions",
    587: "submission",
    993: "IMAPS",
    995: "POP3S",
    4190: "ManageSieve",
}
"""Names people know the ports by (IANA's service names, capitalised as usual)."""

_BY_PORT = {endpoint.port: endpoint for endpoint in ENDPOINTS}


def by_port(port: int) -> Endpoint:
    """The endpoint at one of `PORTS`, with the TLS that people use there; raises KeyError for another port."""
    return _BY_PORT[port]


def ports_of(*protocols: Protocol) -> frozenset[int]:
    """The ports at which Mailu serves one of these protocols."""
    return frozenset(endpoint.port for endpoint in ENDPOINTS if endpoint.protocol in protocols)
