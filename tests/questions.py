"""Questions by their id, for tests: the endpoint is the one that a part of the id names."""

from __future__ import annotations

from pytest_mailu.core.endpoints import ENDPOINTS, HTTPS_443, Endpoint, Tls
from pytest_mailu.core.model import Outcome, Question, Severity


def endpoint_in(id: str) -> Endpoint | None:
    """The endpoint whose port, alone or with a kind of TLS (`465-tls`), is a part of the id."""
    for part in id.split("/")[1:]:
        port, _, tls = part.partition("-")
        for endpoint in ENDPOINTS:
            if port == str(endpoint.port) and tls in ("", *Tls):
                return Endpoint(endpoint.protocol, endpoint.port, Tls(tls)) if tls else endpoint
    return HTTPS_443 if id.startswith(("web/", "api/")) else None


def asked(
    id: str,
    *,
    title: str = "Title",
    breaks: str = "Breaks.",
    wanted: Outcome | None = Outcome.DELIVERED,
    severity: Severity = Severity.MAJOR,
) -> Question:
    """A question with this id."""
    endpoint = endpoint_in(id)
    operation = endpoint.operation(id) if endpoint else id.partition("/")[2]
    return Question(id, title, breaks, "RFC 6409 section 4.3", wanted, severity, endpoint, operation)
