"""Logging in: on every port, with every mechanism, with good and bad credentials."""

from __future__ import annotations

from dataclasses import replace

from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.core.endpoints import (
    IMAP,
    IMAPS_993,
    POP3,
    POP3S_995,
    SIEVE_4190,
    SMTP_25,
    SUBMISSION,
    SUBMISSIONS_465,
    Way,
)
from pytest_mailu.core.model import Observation, Outcome, Reply, Severity, Stage, Tls, Vantage
from pytest_mailu.core.population import (
    ALICE,
    DISABLED,
    DOMAIN,
    LONG,
    NO_IMAP,
    NO_POP3,
    QUOTES,
    RESERVED,
    UMLAUT,
    User,
)
from pytest_mailu.probe.probe import Probe

MECHANISMS = ("PLAIN", "LOGIN")
READING = (*IMAP, *POP3)
EVERYWHERE = (*SUBMISSION, *IMAP, *POP3, SIEVE_4190)
SPECIAL = {"umlaut": UMLAUT, "reserved": RESERVED, "quotes": QUOTES, "long": LONG}


async def log_in(probe: Probe, way: Way, user: str, password: str, vantage: Vantage = Vantage.STRANGER) -> Reply:
    """Log in on any port in the way that is usual there; raises NotServed where that fails."""
    match way.port:
        case 25 | 465 | 587:
            async with probe.smtp(way, vantage) as smtp:
                return await smtp.login(user, password)
        case 143 | 993:
            async with probe.imap(way, vantage) as imap:
                return without_capabilities((await imap.login(user, password)).reply)
        case 110 | 995:
            async with probe.pop3(way, vantage) as pop3:
                return await pop3.login(user, password)
        case _:
            async with probe.sieve(way, vantage) as sieve:
                return await sieve.authenticate(user, password)


def without_capabilities(reply: Reply) -> Reply:
    """The reply without the list of capabilities that IMAP servers put into it: that is what `surface/` asks about."""
    return replace(reply, enhanced="") if reply.enhanced.startswith("CAPABILITY") else reply


async def _logged_in(probe: Probe, way: Way, user: User) -> Observation:
    reply = await log_in(probe, way, user.address, user.password)
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH, reply)


@behaviour("access/{way}/login", wanted=Outcome.ACCEPTED, severity=Severity.CRITICAL, each={"way": EVERYWHERE})
async def login(probe: Probe, way: Way) -> Observation:
    """A login with the right password on {way.words}

    Nobody whose program is set to {way.words} gets in.

    RFC 4954; RFC 9051 section 6.2.3; RFC 1939 section 7; RFC 5804 section 2.1
    """
    return await _logged_in(probe, way, ALICE)


@behaviour(
    "access/{way}/auth-{mechanism}",
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    each={"way": SUBMISSION, "mechanism": MECHANISMS},
)
async def mechanism(probe: Probe, way: Way, mechanism: str) -> Observation:
    """SMTP AUTH {mechanism} on {way.words}

    Programs and devices that know only {mechanism} cannot send.

    RFC 4954 section 4; RFC 4616 for PLAIN
    """
    async with probe.smtp(way) as smtp:
        reply = await smtp.login(ALICE.address, ALICE.password, mechanism)  # type: ignore[arg-type]
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH, reply)


@behaviour(
    "access/{way}/wrong-password",
    wanted=Outcome.AUTH_FAILED,
    severity=Severity.CRITICAL,
    each={"way": EVERYWHERE},
)
async def wrong_password(probe: Probe, way: Way) -> Observation:
    """A login with a wrong password on {way.words}, which must be refused for good

    Anybody gets into every mailbox; or, with a temporary reply, programs try again for ever instead of asking.

    RFC 4954 section 6: 535 5.7.8; RFC 5530: AUTHENTICATIONFAILED
    """
    reply = await log_in(probe, way, ALICE.address, "wrong-password")
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH, reply)


@behaviour("access/{way}/unknown-user", wanted=Outcome.AUTH_FAILED, severity=Severity.MAJOR, each={"way": EVERYWHERE})
async def unknown_user(probe: Probe, way: Way) -> Observation:
    """A login as somebody who does not exist on {way.words}, which must be refused

    Strangers get in, or can find out which addresses exist.

    RFC 4954 section 6
    """
    reply = await log_in(probe, way, f"nobody@{DOMAIN}", "wrong-password")
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH, reply)


@behaviour(
    "access/{way}/disabled-user", wanted=Outcome.AUTH_FAILED, severity=Severity.CRITICAL, each={"way": EVERYWHERE}
)
async def disabled_user(probe: Probe, way: Way) -> Observation:
    """A login of a disabled user on {way.words}, which must be refused

    People whose account was closed still get in.

    Mailu docs, "Web administration" (enabled); core/admin/mailu/internal/nginx.py
    """
    return await _logged_in(probe, way, DISABLED)


@behaviour("access/{way}/imap-switched-off", wanted=Outcome.AUTH_FAILED, severity=Severity.MAJOR, each={"way": IMAP})
async def imap_switched_off(probe: Probe, way: Way) -> Observation:
    """A login on {way.words} of a user whose IMAP is switched off, which must be refused

    The switch in the admin site has no effect.

    Mailu docs, "Web administration" (enable IMAP); core/admin/mailu/internal/nginx.py
    """
    return await _logged_in(probe, way, NO_IMAP)


@behaviour("access/{way}/pop3-switched-off", wanted=Outcome.AUTH_FAILED, severity=Severity.MAJOR, each={"way": POP3})
async def pop3_switched_off(probe: Probe, way: Way) -> Observation:
    """A login on {way.words} of a user whose POP3 is switched off, which must be refused

    The switch in the admin site has no effect.

    Mailu docs, "Web administration" (enable POP3); core/admin/mailu/internal/nginx.py
    """
    return await _logged_in(probe, way, NO_POP3)


@behaviour(
    "access/{way}/password-{kind}",
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    each={"way": (SUBMISSIONS_465, IMAPS_993, POP3S_995), "kind": SPECIAL},
)
async def special_password(probe: Probe, way: Way, kind: str) -> Observation:
    """A login on {way.words} with a password of the kind "{kind}"

    Users with such a password are locked out.

    RFC 4616 section 2 (UTF-8 in PLAIN); RFC 9051 section 4.3 (quoted strings and literals)
    """
    return await _logged_in(probe, way, SPECIAL[kind])


@behaviour(
    "access/{way}/before-tls",
    wanted=Outcome.REFUSED,
    severity=Severity.CRITICAL,
    each={"way": tuple(way for way in EVERYWHERE if way.tls is Tls.STARTTLS)},
)
async def before_tls(probe: Probe, way: Way) -> Observation:
    """A login in plain text, before STARTTLS, on {way.words}, which must be refused

    Passwords cross the network in the clear.

    RFC 8314 section 4.1; RFC 9051 section 6.2.3 (LOGINDISABLED)
    """
    plain = Way(way.port, Tls.NONE)
    match way.port:
        case 587:
            async with probe.smtp(plain) as smtp:
                reply = await smtp.login(ALICE.address, ALICE.password, force=True)
        case 143:
            async with probe.imap(plain) as imap:
                reply = (await imap.login(ALICE.address, ALICE.password, force=True)).reply
        case 110:
            async with probe.pop3(plain) as pop3:
                reply = await pop3.login(ALICE.address, ALICE.password, force=True)
        case _:
            async with probe.sieve(plain) as sieve:
                reply = await sieve.authenticate(ALICE.address, ALICE.password, force=True)
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH, reply)


@behaviour("access/25-starttls/login", wanted=Outcome.NOT_OFFERED, severity=Severity.MAJOR)
async def login_on_25(probe: Probe) -> Observation:
    """A login on port 25, which Mailu does not offer

    Bots try passwords on port 25, where nobody needs a login.

    RFC 6409 section 3.1; core/nginx/conf/nginx.conf (smtp_auth none on 25), 1.9 to master
    """
    async with probe.smtp(SMTP_25) as smtp:
        reply = await smtp.login(ALICE.address, ALICE.password, force=True)
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH, reply)
