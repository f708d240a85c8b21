"""Limits for bad logins: when they start, what the server answers, and who else is locked out.

All logins here come from `other-stranger`, the only vantage that the login limiter does not exempt. The limiter is
reset first, so that earlier logins do not count.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable, Sequence
from contextlib import asynccontextmanager

from pytest_mailu.behaviours.declaration import LIMITER, behaviour
from pytest_mailu.behaviours.helpers import as_fact, create_token, log_in, login_session
from pytest_mailu.behaviours.needs import MAILBOX
from pytest_mailu.core.endpoints import HTTPS_443, IMAPS_993, POP3S_995, SIEVE_4190, SMTP_25, SUBMISSIONS_465, Endpoint
from pytest_mailu.core.model import Observation, Outcome, Reply, Severity, Stage, Vantage
from pytest_mailu.core.population import DOMAIN, own_mailbox
from pytest_mailu.probe.admin_site import Site
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.running_stack import FRONT
from pytest_mailu.wire.transport.errors import HUNG_UP, CannotAsk, NotServed

HERE = Vantage.OTHER_STRANGER
NEEDED = (*MAILBOX, "smtp", LIMITER)
VICTIM = own_mailbox("limits-victim")
NEIGHBOUR = own_mailbox("limits-neighbour")
TRIES = 6
"""More than the five an hour that an address may fail since 2.0 (AUTH_RATELIMIT_IP); 1.9 allows 60."""
SECONDS = 150.0
FORGET = (
    "redis-cli -n 2 --scan | grep -E 'auth-ip|auth-user|dedup|exempt-' | while read -r key; "
    'do redis-cli -n 2 del "$key"; done'
)
"""Database 2 holds the limiter's counters (RATELIMIT_STORAGE_URL, core/admin/mailu/configuration.py, 1.9 to master)."""
STRANGERS = [(f"nobody-{n}@{DOMAIN}", "wrong-password") for n in range(TRIES)]
"""Logins that all count: since 2.0 the same name, and the same wrong password, count once."""
CLOSED = f"{Outcome.UNANSWERED}: {as_fact(HUNG_UP)}"
"""What `attempt` tells of a server that closes the connection."""
OTHER = {IMAPS_993: SUBMISSIONS_465, SUBMISSIONS_465: IMAPS_993}


@asynccontextmanager
async def forgotten(probe: Probe) -> AsyncIterator[None]:
    """Reset the login limiter before and after the block."""
    await _forget(probe)
    try:
        yield
    finally:
        await _forget(probe)


async def _forget(probe: Probe) -> None:
    ran = await probe.services.exec("redis", "sh", "-c", FORGET)
    if ran.errors.strip():
        raise CannotAsk(f"the login limiter cannot be reset: {ran.errors.strip()}")


async def attempt(probe: Probe, endpoint: Endpoint, user: str, password: str, vantage: Vantage = HERE) -> str:
    """One login as a fact: the outcome and the reply."""
    return await _told(log_in(probe, endpoint, user, password, vantage))


async def _told(login: Awaitable[Reply]) -> str:
    try:
        reply = await login
    except NotServed as end:
        return f"{end.outcome}: {as_fact(end.reply)}" if end.reply else str(end.outcome)
    return f"{Outcome.ACCEPTED}: {as_fact(reply)}"


def outcome(fact: str) -> Outcome:
    """The outcome that a fact of `attempt` begins with."""
    return Outcome(fact.partition(":")[0])


def changes(answers: Sequence[str]) -> dict[str, str]:
    """The answers that differ from the one before, by number of the attempt: `{"1": …, "6": …}`."""
    return {
        str(number): answer
        for number, (before, answer) in enumerate(zip(["", *answers], answers, strict=False), start=1)
        if answer != before
    }


async def _tries(probe: Probe, endpoint: Endpoint, logins: Iterable[tuple[str, str]]) -> dict[str, str]:
    await _served(probe, endpoint)
    return changes([await attempt(probe, endpoint, *login) for login in logins])


async def _within_one(probe: Probe, endpoint: Endpoint, logins: Iterable[tuple[str, str]]) -> list[str]:
    """The logins within one connection, as facts. Where the server closes it, the last fact says so."""
    answers: list[str] = []
    async with login_session(probe, endpoint, HERE) as login:
        for user, password in logins:
            answers.append(await _told(login(user, password)))
            if answers[-1] == CLOSED:
                break
    return answers


async def _served(probe: Probe, endpoint: Endpoint) -> None:
    """Raises `NotServed(UNREACHABLE, CONNECT)` for a closed port, where there is nothing to limit."""
    connection = await probe.connector.connect(FRONT, probe.at(endpoint).port, HERE)
    connection.close()


async def _at_once(probe: Probe, endpoint: Endpoint, logins: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Send all logins but the last at once, since each may take seconds. Their answers do not depend on their order."""
    await _served(probe, endpoint)
    first = await asyncio.gather(*(attempt(probe, endpoint, *login) for login in logins[:-1]))
    return changes([*sorted(first), await attempt(probe, endpoint, *logins[-1])])


@behaviour(
    "access/limits/{endpoint}/bad-logins",
    deep=True,
    severity=Severity.MAJOR,
    each={"endpoint": OTHER},
    needs=NEEDED,
    disturbs=(LIMITER,),
    timeout=SECONDS,
)
async def many_bad_logins(probe: Probe, endpoint: Endpoint) -> Observation:
    """Six logins as unknown users on {endpoint.words}: when the limit starts, and who is locked out

    Users behind the same address are locked out, or attackers are not.

    Mailu docs, "Configuration reference" (AUTH_RATELIMIT_IP, AUTH_RATELIMIT_USER); core/admin/mailu/limiter.py
    """
    token = await create_token(probe, NEIGHBOUR)
    async with forgotten(probe):
        answers = await _at_once(probe, endpoint, STRANGERS)
        # The first good login resets the limit of the address: the order matters.
        then = {
            "right_password": await attempt(probe, endpoint, VICTIM.address, VICTIM.password),
            "another_user": await attempt(probe, endpoint, NEIGHBOUR.address, NEIGHBOUR.password),
            "another_port": await attempt(probe, OTHER[endpoint], NEIGHBOUR.address, NEIGHBOUR.password),
            "token": await attempt(probe, endpoint, NEIGHBOUR.address, token),
        }
    return probe.seen(outcome(then["right_password"]), Stage.AUTH, answers=answers, then=then)


@behaviour(
    "access/limits/{endpoint}/within-one-connection",
    deep=True,
    severity=Severity.MAJOR,
    each={"endpoint": (*OTHER, POP3S_995, SIEVE_4190)},
    needs=NEEDED,
    disturbs=(LIMITER,),
    timeout=SECONDS,
)
async def within_one_connection(probe: Probe, endpoint: Endpoint) -> Observation:
    """Six logins as unknown users within one connection on {endpoint.words}, then one with the right password

    Attackers try passwords without a limit as long as they stay connected.

    core/admin/mailu/limiter.py; since 2024.06 the Dovecot of `front` asks for each login (core/nginx/dovecot/login.lua)
    and leaves the connection open, where nginx closes it after the first that fails
    """
    right = (VICTIM.address, VICTIM.password)
    async with forgotten(probe):
        answers = await _within_one(probe, endpoint, (*STRANGERS, right))
        then = await attempt(probe, endpoint, *right) if answers[-1] == CLOSED else answers[-1]
    return probe.seen(outcome(then), Stage.AUTH, answers=changes(answers), then={"right_password": then})


@behaviour(
    "access/limits/{endpoint}/one-wrong-password-again-and-again",
    wanted=Outcome.ACCEPTED,
    deep=True,
    severity=Severity.MAJOR,
    each={"endpoint": (IMAPS_993,)},
    needs=NEEDED,
    disturbs=(LIMITER,),
    timeout=SECONDS,
)
async def same_password(probe: Probe, endpoint: Endpoint) -> Observation:
    """Login with the right password on {endpoint.words} after six tries with an old password

    One device with an old password locks out its owner and everyone behind the same address.

    core/admin/mailu/limiter.py: the same wrong password counts once since 2.0; core/admin/mailu/internal/views/auth.py
    """
    async with forgotten(probe):
        answers = await _tries(probe, endpoint, [(VICTIM.address, "old-password")] * TRIES)
        try:
            reply = await log_in(probe, endpoint, VICTIM.address, VICTIM.password, HERE)
        except NotServed as end:
            return probe.seen(end.outcome, end.stage, end.reply, answers=answers)
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH, reply, answers=answers)


@behaviour(
    "access/limits/25-starttls/login-tries",
    endpoint=SMTP_25,
    deep=True,
    severity=Severity.MINOR,
    needs=NEEDED,
    disturbs=(LIMITER,),
    timeout=SECONDS,
)
async def tries_on_25(probe: Probe) -> Observation:
    """Six login attempts on port 25, then a good login on 465

    One device that tries to log in on port 25 locks out everyone behind its address.

    core/admin/mailu/internal/views/auth.py, 1.9 to master: each attempt on 25 counts
    """
    answers = []
    async with forgotten(probe):
        for number in range(TRIES):
            try:
                async with probe.smtp(SMTP_25, HERE) as smtp:
                    await smtp.login(VICTIM.address, f"wrong-{number}", force=True)
                answers.append(str(Outcome.ACCEPTED))
            except NotServed as end:
                answers.append(f"{end.outcome}: {as_fact(end.reply or Reply())}")
        then = await attempt(probe, SUBMISSIONS_465, NEIGHBOUR.address, NEIGHBOUR.password)
    return probe.seen(outcome(then), Stage.AUTH, answers=changes(answers), then={"on_465": then})


@behaviour(
    "access/limits/web/wrong-passwords",
    endpoint=HTTPS_443,
    deep=True,
    severity=Severity.MAJOR,
    needs=NEEDED,
    disturbs=(LIMITER,),
    timeout=SECONDS,
)
async def web_tries(probe: Probe) -> Observation:
    """Six wrong passwords on the web site, then the right one there and in a mail program

    Users who mistype their password are locked out of mail programs as well, or attackers are not locked out.

    core/admin/mailu/sso/views/base.py, 1.9 to master: the web site and the mail ports count together
    """
    answers = []
    async with forgotten(probe):
        async with Site.open(probe, HERE) as site:
            for number in range(TRIES):
                answers.append(await _web(site, f"wrong-password-{number}"))
            then = {"right_password": await _web(site, VICTIM.password)}
        then["another_user_imap"] = await attempt(probe, IMAPS_993, NEIGHBOUR.address, NEIGHBOUR.password)
    return probe.seen(outcome(then["right_password"]), Stage.AUTH, answers=changes(answers), then=then)


async def _web(site: Site, password: str) -> str:
    try:
        await site.login(VICTIM.address, password)
    except NotServed as end:
        return f"{end.outcome}: {as_fact(end.reply or Reply())}"
    return str(Outcome.ACCEPTED)
