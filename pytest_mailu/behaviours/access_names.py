"""Under which names one can log in, and with what in the place of a password."""

from __future__ import annotations

from pytest_mailu.behaviours.access import log_in
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.core.endpoints import IMAPS_993, POP3S_995, SUBMISSIONS_465, Endpoint
from pytest_mailu.core.model import Observation, Outcome, Severity, Stage
from pytest_mailu.core.population import (
    ALICE,
    ALTERNATIVE,
    DOMAIN,
    ELSEWHERE,
    NO_IMAP,
    NO_POP3,
    SALES,
    User,
    own_mailbox,
)
from pytest_mailu.probe.probe import Probe

USER = own_mailbox("names-user")
ASKED = (SUBMISSIONS_465, IMAPS_993, POP3S_995)
WRONG = {
    "without-domain": USER.name,
    "alias": SALES.address,
    "foreign-domain": f"{USER.name}@{ELSEWHERE}",
    "detail": f"{USER.name}+detail@{DOMAIN}",
}


@behaviour(
    "access/{endpoint}/name-upper-case", wanted=Outcome.ACCEPTED, severity=Severity.MAJOR, each={"endpoint": ASKED}
)
async def upper_case(probe: Probe, endpoint: Endpoint) -> Observation:
    """A login on {endpoint.words} with the address in upper case

    Phones that write addresses with a capital letter cannot log in.

    RFC 5321 section 2.4: mailbox names are best treated without regard to case
    """
    reply = await log_in(probe, endpoint, USER.address.upper(), USER.password)
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH, reply)


@behaviour("access/{endpoint}/name-alternative-domain", severity=Severity.MINOR, each={"endpoint": ASKED})
async def alternative_domain(probe: Probe, endpoint: Endpoint) -> Observation:
    """A login on {endpoint.words} with the address under an alternative domain

    People who know their address under the alternative domain only get in, or do not.

    Mailu docs, "Web administration" (alternative domains); core/admin/mailu/internal/nginx.py
    """
    reply = await log_in(probe, endpoint, f"{USER.name}@{ALTERNATIVE}", USER.password)
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH, reply)


@behaviour(
    "access/{endpoint}/name-{kind}",
    wanted=Outcome.AUTH_FAILED,
    severity=Severity.MAJOR,
    each={"endpoint": ASKED, "kind": WRONG},
)
async def wrong_name(probe: Probe, endpoint: Endpoint, kind: str) -> Observation:
    """A login on {endpoint.words} under a name that is no account of its own ({kind}), which must be refused

    Somebody gets into a mailbox under a name that nobody was given.

    core/admin/mailu/internal/nginx.py, 1.9 to master: the user is looked up by the whole address
    """
    password = ALICE.password if kind == "alias" else USER.password
    reply = await log_in(probe, endpoint, WRONG[kind], password)
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH, reply)


@behaviour(
    "access/{endpoint}/password-empty", wanted=Outcome.AUTH_FAILED, severity=Severity.CRITICAL, each={"endpoint": ASKED}
)
async def empty_password(probe: Probe, endpoint: Endpoint) -> Observation:
    """A login on {endpoint.words} with an empty password, which must be refused

    Anybody gets into every mailbox.

    RFC 4513 section 5.1.2 tells how such logins come about
    """
    reply = await log_in(probe, endpoint, USER.address, "")
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH, reply)


@behaviour(
    "access/{endpoint}/{kind}-off-still-sends",
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    each={"endpoint": (SUBMISSIONS_465,), "kind": ("imap", "pop3")},
)
async def still_sends(probe: Probe, endpoint: Endpoint, kind: str) -> Observation:
    """A user whose {kind} is switched off can still log in to send, on {endpoint.words}

    Devices with an account that is for sending only are locked out.

    core/admin/mailu/internal/nginx.py, 1.9 to master: each switch is about its own protocol
    """
    user: User = NO_IMAP if kind == "imap" else NO_POP3
    reply = await log_in(probe, endpoint, user.address, user.password)
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH, reply)
