"""Logins on every port, with every mechanism, with good and bad credentials."""

from __future__ import annotations

from pytest_mailu.behaviours.common import logged_in
from pytest_mailu.behaviours.declaration import behaviour, tls_there
from pytest_mailu.behaviours.helpers import MECHANISMS, SPECIAL_PASSWORDS, log_in
from pytest_mailu.behaviours.needs import to_log_in
from pytest_mailu.core.endpoints import (
    IMAP,
    IMAPS_993,
    POP3,
    POP3S_995,
    SIEVE_4190,
    SMTP_25,
    SUBMISSION,
    SUBMISSIONS_465,
    Endpoint,
    Protocol,
    Tls,
)
from pytest_mailu.core.model import Observation, Outcome, Severity, Stage
from pytest_mailu.core.population import (
    ALICE,
    DISABLED,
    DOMAIN,
    NO_IMAP,
    NO_POP3,
    User,
)
from pytest_mailu.probe.probe import Probe

READING = (*IMAP, *POP3)
EVERYWHERE = (*SUBMISSION, *IMAP, *POP3, SIEVE_4190)


async def _logged_in(probe: Probe, endpoint: Endpoint, user: User) -> Observation:
    reply = await log_in(probe, endpoint, user.address, user.password)
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH, reply)


@behaviour(
    "access/{endpoint}/login",
    needs=to_log_in,
    wanted=Outcome.ACCEPTED,
    severity=Severity.CRITICAL,
    each={"endpoint": EVERYWHERE},
)
async def login(probe: Probe, endpoint: Endpoint) -> Observation:
    """Login with the right password on {endpoint.words}

    Mail programs set to {endpoint.words} cannot log in.

    RFC 4954; RFC 9051 section 6.2.3; RFC 1939 section 7; RFC 5804 section 2.1
    """
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH, await logged_in(probe, endpoint, ALICE))


@behaviour(
    "access/{endpoint}/auth-{mechanism}",
    needs=to_log_in,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    each={"endpoint": SUBMISSION, "mechanism": MECHANISMS},
)
async def mechanism(probe: Probe, endpoint: Endpoint, mechanism: str) -> Observation:
    """SMTP AUTH {mechanism} on {endpoint.words}

    Programs and devices that support only {mechanism} cannot send.

    RFC 4954 section 4; RFC 4616 for PLAIN
    """
    async with probe.smtp(endpoint) as smtp:
        reply = await smtp.login(ALICE.address, ALICE.password, mechanism)  # type: ignore[arg-type]
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH, reply)


@behaviour(
    "access/{endpoint}/wrong-password",
    needs=to_log_in,
    wanted=Outcome.AUTH_FAILED,
    severity=Severity.CRITICAL,
    each={"endpoint": EVERYWHERE},
)
async def wrong_password(probe: Probe, endpoint: Endpoint) -> Observation:
    """Login with a wrong password on {endpoint.words} is refused permanently

    Anyone can open every mailbox. If the reply is a temporary one, programs try again for ever and do not ask for the
    password.

    RFC 4954 section 6: 535 5.7.8; RFC 5530: AUTHENTICATIONFAILED
    """
    reply = await log_in(probe, endpoint, ALICE.address, "wrong-password")
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH, reply)


@behaviour(
    "access/{endpoint}/unknown-user",
    needs=to_log_in,
    wanted=Outcome.AUTH_FAILED,
    severity=Severity.MAJOR,
    each={"endpoint": EVERYWHERE},
)
async def unknown_user(probe: Probe, endpoint: Endpoint) -> Observation:
    """Login as a user who does not exist on {endpoint.words} is refused

    Strangers can log in, or find out which addresses exist.

    RFC 4954 section 6
    """
    reply = await log_in(probe, endpoint, f"nobody@{DOMAIN}", "wrong-password")
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH, reply)


@behaviour(
    "access/{endpoint}/disabled-user",
    needs=to_log_in,
    wanted=Outcome.AUTH_FAILED,
    severity=Severity.CRITICAL,
    each={"endpoint": EVERYWHERE},
)
async def disabled_user(probe: Probe, endpoint: Endpoint) -> Observation:
    """Login of a disabled user on {endpoint.words} is refused

    Users whose account is disabled can still log in.

    Mailu docs, "Web administration" (enabled); core/admin/mailu/internal/nginx.py
    """
    return await _logged_in(probe, endpoint, DISABLED)


@behaviour(
    "access/{endpoint}/imap-switched-off",
    needs=to_log_in,
    wanted=Outcome.AUTH_FAILED,
    severity=Severity.MAJOR,
    each={"endpoint": IMAP},
)
async def imap_switched_off(probe: Probe, endpoint: Endpoint) -> Observation:
    """Login on {endpoint.words} of a user without IMAP access is refused

    The IMAP switch in the administration has no effect.

    Mailu docs, "Web administration" (enable IMAP); core/admin/mailu/internal/nginx.py
    """
    return await _logged_in(probe, endpoint, NO_IMAP)


@behaviour(
    "access/{endpoint}/pop3-switched-off",
    needs=to_log_in,
    wanted=Outcome.AUTH_FAILED,
    severity=Severity.MAJOR,
    each={"endpoint": POP3},
)
async def pop3_switched_off(probe: Probe, endpoint: Endpoint) -> Observation:
    """Login on {endpoint.words} of a user without POP3 access is refused

    The POP3 switch in the administration has no effect.

    Mailu docs, "Web administration" (enable POP3); core/admin/mailu/internal/nginx.py
    """
    return await _logged_in(probe, endpoint, NO_POP3)


@behaviour(
    "access/{endpoint}/password-{kind}",
    needs=to_log_in,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    each={"endpoint": (SUBMISSIONS_465, IMAPS_993, POP3S_995), "kind": SPECIAL_PASSWORDS},
)
async def special_password(probe: Probe, endpoint: Endpoint, kind: str) -> Observation:
    """Login on {endpoint.words} with a special password: {kind}

    Users with such a password cannot log in.

    RFC 4616 section 2 (UTF-8 in PLAIN); RFC 9051 section 4.3 (quoted strings and literals)
    """
    return await _logged_in(probe, endpoint, SPECIAL_PASSWORDS[kind])


@behaviour(
    "access/{endpoint}/before-tls",
    needs=to_log_in,
    of_setup=tls_there,
    wanted=Outcome.REFUSED,
    affected="Programs and devices that log in without TLS are refused.",
    severity=Severity.CRITICAL,
    each={"endpoint": tuple(endpoint for endpoint in EVERYWHERE if endpoint.tls is Tls.STARTTLS)},
)
async def before_tls(probe: Probe, endpoint: Endpoint) -> Observation:
    """Login before STARTTLS on {endpoint.words} is refused

    Passwords cross the network in plain text.

    RFC 8314 section 4.1; RFC 9051 section 6.2.3 (LOGINDISABLED)
    """
    plain = endpoint.in_plain_text
    match endpoint.protocol:
        case Protocol.SUBMISSION:
            async with probe.smtp(plain) as smtp:
                reply = await smtp.login(ALICE.address, ALICE.password, force=True)
        case Protocol.IMAP:
            async with probe.imap(plain) as imap:
                reply = (await imap.login(ALICE.address, ALICE.password, force=True)).reply
        case Protocol.POP3:
            async with probe.pop3(plain) as pop3:
                reply = await pop3.login(ALICE.address, ALICE.password, force=True)
        case _:
            async with probe.sieve(plain) as sieve:
                reply = await sieve.authenticate(ALICE.address, ALICE.password, force=True)
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH, reply)


@behaviour(
    "access/25-starttls/login",
    needs=to_log_in,
    endpoint=SMTP_25,
    wanted=Outcome.NOT_OFFERED,
    affected="Devices that log in on port 25 are refused.",
    severity=Severity.MAJOR,
)
async def login_on_25(probe: Probe) -> Observation:
    """Login on port 25 is not offered

    Bots can try passwords on port 25.

    RFC 6409 section 3.1; core/nginx/conf/nginx.conf (smtp_auth none on 25), 1.9 to master
    """
    async with probe.smtp(SMTP_25) as smtp:
        reply = await smtp.login(ALICE.address, ALICE.password, force=True)
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH, reply)
