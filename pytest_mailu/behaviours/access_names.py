"""Logins under other names than the user's address."""

from __future__ import annotations

from pytest_mailu.behaviours.better import FUNCTION
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.helpers import log_in
from pytest_mailu.behaviours.needs import to_log_in
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
    "access/{endpoint}/name-upper-case",
    needs=to_log_in,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    each={"endpoint": ASKED},
)
async def upper_case(probe: Probe, endpoint: Endpoint) -> Observation:
    """Login on {endpoint.words} with the address in upper case

    Devices that write addresses with capital letters cannot log in.

    RFC 5321 section 2.4: mailbox names are best treated without regard to case
    """
    reply = await log_in(probe, endpoint, USER.address.upper(), USER.password)
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH, reply)


@behaviour(
    "access/{endpoint}/name-alternative-domain",
    needs=to_log_in,
    better=FUNCTION,
    severity=Severity.MINOR,
    each={"endpoint": ASKED},
)
async def alternative_domain(probe: Probe, endpoint: Endpoint) -> Observation:
    """Login on {endpoint.words} with the address at an alternative domain

    Users who log in with their address at the alternative domain can, or cannot, log in any more.

    Mailu docs, "Web administration" (alternative domains); core/admin/mailu/internal/nginx.py
    """
    reply = await log_in(probe, endpoint, f"{USER.name}@{ALTERNATIVE}", USER.password)
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH, reply)


@behaviour(
    "access/{endpoint}/name-{kind}",
    needs=to_log_in,
    wanted=Outcome.AUTH_FAILED,
    affected="Users who log in under such a name are refused.",
    severity=Severity.MAJOR,
    each={"endpoint": ASKED, "kind": WRONG},
)
async def wrong_name(probe: Probe, endpoint: Endpoint, kind: str) -> Observation:
    """Login on {endpoint.words} under a name that is no account ({kind}) is refused

    Mailboxes can be opened under names that are no accounts.

    core/admin/mailu/internal/nginx.py, 1.9 to master: the user is looked up by the whole address
    """
    password = ALICE.password if kind == "alias" else USER.password
    reply = await log_in(probe, endpoint, WRONG[kind], password)
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH, reply)


@behaviour(
    "access/{endpoint}/password-empty",
    needs=to_log_in,
    wanted=Outcome.AUTH_FAILED,
    severity=Severity.CRITICAL,
    each={"endpoint": ASKED},
)
async def empty_password(probe: Probe, endpoint: Endpoint) -> Observation:
    """Login on {endpoint.words} with an empty password is refused

    Anyone can open every mailbox.

    RFC 4513 section 5.1.2 tells how such logins come about
    """
    reply = await log_in(probe, endpoint, USER.address, "")
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH, reply)


@behaviour(
    "access/{endpoint}/{kind}-off-still-sends",
    needs=to_log_in,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    each={"endpoint": (SUBMISSIONS_465,), "kind": ("imap", "pop3")},
)
async def still_sends(probe: Probe, endpoint: Endpoint, kind: str) -> Observation:
    """Login to send on {endpoint.words} of a user without {kind} access

    Devices with an account for sending only cannot send.

    core/admin/mailu/internal/nginx.py, 1.9 to master: each switch is about its own protocol
    """
    user: User = NO_IMAP if kind == "imap" else NO_POP3
    reply = await log_in(probe, endpoint, user.address, user.password)
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH, reply)
