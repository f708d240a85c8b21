"""Ports that the administration tells people to use are tried: those of its page, and those in DNS records."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_mailu.behaviours.admin_pages import ports_in, read_page, recommended, setup_tables
from pytest_mailu.behaviours.common import logged_in
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.core.endpoints import Endpoint, Protocol, PublishedEndpoint, Tls
from pytest_mailu.core.model import Observation, Outcome, Severity, Stage
from pytest_mailu.core.population import ALICE
from pytest_mailu.core.text import whole_number
from pytest_mailu.probe.admin_site import SECONDS
from pytest_mailu.probe.probe import Probe
from pytest_mailu.wire.transport.errors import NotServed

SERVICES = {
    "_imap": (Protocol.IMAP, Tls.STARTTLS),
    "_imaps": (Protocol.IMAP, Tls.IMPLICIT),
    "_pop3": (Protocol.POP3, Tls.STARTTLS),
    "_pop3s": (Protocol.POP3, Tls.IMPLICIT),
    "_submission": (Protocol.SUBMISSION, Tls.STARTTLS),
    "_submissions": (Protocol.SUBMISSION, Tls.IMPLICIT),
}
"""RFC 6186 section 3 and RFC 8314 section 5.1."""


@behaviour("surface/client-setup/srv-records", wanted=Outcome.ACCEPTED, severity=Severity.MAJOR, timeout=SECONDS)
async def srv_records(probe: Probe) -> Observation:
    """Ports in the SRV records that the administration recommends accept a login

    Programs that find the server by DNS get ports that nobody serves.

    RFC 6186; core/admin/mailu/models.py (Domain.dns_autoconfig), 1.9 to master
    """
    tried: dict[str, str] = {}
    for name, values in (await recommended(probe)).items():
        service = name.partition(".")[0]
        port = whole_number((values[0].split() + [""] * 3)[2]) if name.endswith(" SRV") else None
        if service in SERVICES and port:
            protocol, tls = SERVICES[service]
            tried[service] = await _tried(probe, PublishedEndpoint(protocol, port, tls))
    return _works(probe, tried)


@behaviour("surface/client-setup/page", wanted=Outcome.ACCEPTED, severity=Severity.CRITICAL, timeout=SECONDS)
async def page_works(probe: Probe) -> Observation:
    """Ports on the page for setting up a mail program accept a login

    Users set up their programs by the page, and the programs do not connect.

    core/admin/mailu/ui/templates/client.html, 1.9 to master
    """
    tried: dict[str, str] = {}
    for each in setup_tables(await read_page(probe, "client-setup")):
        text = " ".join(each.values())
        protocol = Protocol.IMAP if "IMAP" in text else Protocol.POP3 if "POP" in text else Protocol.SUBMISSION
        for port, tls in ports_in(text):
            tried[f"{protocol} {port}"] = await _tried(probe, PublishedEndpoint(protocol, port, tls))
    return _works(probe, tried)


async def _tried(probe: Probe, endpoint: Endpoint) -> str:
    try:
        await logged_in(probe, endpoint, ALICE)
    except NotServed as end:
        return f"{end.outcome} at {end.stage}"
    return str(Outcome.ACCEPTED)


def _works(probe: Probe, tried: Mapping[str, str]) -> Observation:
    good = bool(tried) and set(tried.values()) == {str(Outcome.ACCEPTED)}
    return probe.seen(Outcome.ACCEPTED if good else Outcome.REFUSED, Stage.AUTH, tried=dict(tried))
