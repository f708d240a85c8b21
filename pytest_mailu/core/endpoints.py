"""The ways into a mail server: a port, and how the connection comes by TLS."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_mailu.core.model import Tls


@dataclass(frozen=True, slots=True)
class Way:
    """As a string it is the part of an id: `587-starttls`. `words` is for people."""

    port: int
    tls: Tls

    def __str__(self) -> str:
        return f"{self.port}-{self.tls}"

    @property
    def words(self) -> str:
        """For people."""
        manner = {
            Tls.NONE: "without TLS",
            Tls.STARTTLS: "with STARTTLS",
            Tls.IMPLICIT: "with TLS from the start",
            Tls.OPPORTUNISTIC: "with STARTTLS where it is offered",
        }
        return f"port {self.port} {manner[self.tls]}"


SMTP_25_PLAIN = Way(25, Tls.NONE)
SMTP_25 = Way(25, Tls.STARTTLS)
SMTP_25_OPPORTUNISTIC = Way(25, Tls.OPPORTUNISTIC)
"""As mail servers come: for whatever is not about TLS."""
SUBMISSION_587 = Way(587, Tls.STARTTLS)
SUBMISSIONS_465 = Way(465, Tls.IMPLICIT)
IMAP_143 = Way(143, Tls.STARTTLS)
IMAPS_993 = Way(993, Tls.IMPLICIT)
POP3_110 = Way(110, Tls.STARTTLS)
POP3S_995 = Way(995, Tls.IMPLICIT)
SIEVE_4190 = Way(4190, Tls.STARTTLS)

SUBMISSION = (SUBMISSION_587, SUBMISSIONS_465)
"""RFC 6409, and RFC 8314 section 3.3 for 465."""
IMAP = (IMAP_143, IMAPS_993)
POP3 = (POP3_110, POP3S_995)
PORTS = (25, 80, 110, 143, 443, 465, 587, 993, 995, 4190)
"""Everything that Mailu's `front` has ever served to the outside (its EXPOSE line, 1.9 to master)."""
