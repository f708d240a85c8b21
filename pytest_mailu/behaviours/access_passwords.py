"""Passwords of every class, drawn from the seed of the run, by every way to log in."""

from __future__ import annotations

from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.helpers import without_capabilities
from pytest_mailu.core.drawn import PASSWORDS
from pytest_mailu.core.endpoints import HTTPS_443, IMAPS_993, POP3S_995, SIEVE_4190, SUBMISSIONS_465
from pytest_mailu.core.model import Observation, Outcome, Reply, Severity, Stage
from pytest_mailu.core.population import User, drawn_for, drawn_mailboxes
from pytest_mailu.probe.admin_site import SECONDS, Site
from pytest_mailu.probe.probe import Probe

USERS = drawn_mailboxes("password")
"""A user for each class of `drawn.PASSWORDS`."""
WAYS = {
    "smtp-PLAIN": SUBMISSIONS_465,
    "smtp-LOGIN": SUBMISSIONS_465,
    "imap-login": IMAPS_993,
    "imap-literal": IMAPS_993,
    "imap-PLAIN": IMAPS_993,
    "pop3": POP3S_995,
    "sieve": SIEVE_4190,
    "web": HTTPS_443,
}
"""Ways to log in, and where. `imap-login` sends a quoted string where the password has ASCII only."""
ALWAYS = {
    "smtp-PLAIN": ("blank-first", "blank-last", "other-scripts", "percent"),
    "imap-login": tuple(PASSWORDS),
    "pop3": ("blank-last", "latin-1"),
    "web": ("blank-first", "blank-last", "other-scripts", "quotes"),
}
"""The classes that a usual run asks by each way: all classes by one, and what broke before by the others."""


async def _log_in(probe: Probe, way: str, user: User) -> Reply | None:
    """Log in by one of `WAYS`; raises NotServed where that fails."""
    address, password = user.address, user.password
    match way:
        case "smtp-PLAIN" | "smtp-LOGIN":
            async with probe.smtp(WAYS[way]) as smtp:
                return await smtp.login(address, password, "PLAIN" if way.endswith("PLAIN") else "LOGIN")
        case "imap-login" | "imap-literal":
            async with probe.imap(WAYS[way]) as imap:
                done = await imap.login(address, password, literal=way == "imap-literal")
                # Mailu's proxy may accept a login before the mailbox's own server has: this is the latter's answer.
                await imap.noop()
                return without_capabilities(done.reply)
        case "imap-PLAIN":
            async with probe.imap(WAYS[way]) as imap:
                return without_capabilities((await imap.authenticate(address, password)).reply)
        case "pop3":
            async with probe.pop3(WAYS[way]) as pop3:
                return await pop3.login(address, password)
        case "sieve":
            async with probe.sieve(WAYS[way]) as sieve:
                return await sieve.authenticate(address, password)
        case _:
            async with Site.open(probe) as site:
                await site.login(address, password)
                return None


async def of_class(probe: Probe, kind: str, way: str) -> Observation:
    """Login with a password of the class "{kind}" ({way})

    Users with such a password cannot log in.

    RFC 8265 section 4; RFC 4616; RFC 9051 section 4.3; Mailu #2837 (not Latin-1), #3425 (blanks at the ends)
    """
    user = drawn_for(USERS[kind], probe.stack.seed)
    reply = await _log_in(probe, way, user)
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH, reply, password=user.password)


for _way, _endpoint in WAYS.items():
    behaviour(
        "access/password/{kind}/{way}",
        wanted=Outcome.ACCEPTED,
        severity=Severity.MAJOR,
        endpoint=_endpoint,
        each={"kind": PASSWORDS, "way": (_way,)},
        deep={"kind": tuple(kind for kind in PASSWORDS if kind not in ALWAYS.get(_way, ()))},
        # The one that was drawn. Another run draws another.
        volatile=("facts.password",),
        timeout=SECONDS,
    )(of_class)
