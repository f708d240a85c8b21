"""Many sessions at once, of one user and of many."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

from pytest_mailu.behaviours.declaration import SESSIONS, behaviour
from pytest_mailu.behaviours.helpers import as_fact
from pytest_mailu.behaviours.needs import to_log_in
from pytest_mailu.core.endpoints import IMAPS_993, SUBMISSIONS_465, Endpoint, Protocol
from pytest_mailu.core.model import Direction, Observation, Outcome, Reply, Severity, Stage
from pytest_mailu.core.population import User, own_mailbox
from pytest_mailu.probe.probe import Probe
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed

ASKED = (IMAPS_993, SUBMISSIONS_465)
ONE = own_mailbox("sessions-of-one")
MANY = tuple(own_mailbox(f"sessions-of-many-{number}") for number in range(14))
EACH = {IMAPS_993: 14, SUBMISSIONS_465: 3}
"""Sessions for each of `MANY`: below the 20 IMAP sessions of one user, and below the 50 connections that Postfix
accepts from one address (smtpd_client_connection_count_limit)."""
AT_A_TIME = 16
"""How many logins run at once. All sessions stay open until the last login is answered."""


def _needed(endpoint: Endpoint, **_: Any) -> frozenset[str]:
    return to_log_in(endpoint) | {SESSIONS}


def _crowded(endpoint: Endpoint, **_: Any) -> frozenset[str]:
    """So many sessions leave few for others, at `front` and behind it."""
    return frozenset({SESSIONS, "front", endpoint.protocol.service})


async def opened(probe: Probe, endpoint: Endpoint, users: Sequence[User], at_a_time: int = AT_A_TIME) -> list[str]:
    """Open a session for each of `users` and keep all open: an empty string for a login that succeeded, or the
    reply."""
    turns = asyncio.Semaphore(at_a_time)

    async def one(stack: AsyncExitStack, user: User) -> str:
        async with turns:
            try:
                if endpoint.protocol is Protocol.SUBMISSION:
                    smtp = await stack.enter_async_context(probe.smtp(endpoint))
                    await smtp.login(user.address, user.password)
                else:
                    imap = await stack.enter_async_context(probe.imap(endpoint))
                    await imap.login(user.address, user.password)
                    # Mailu's proxy may accept a login before the mailbox's own server has: this is the latter's answer.
                    await imap.noop()
            except NotServed as end:
                if end.outcome is Outcome.UNREACHABLE:
                    raise
                return f"{end.outcome} at {end.stage}: {as_fact(end.reply or Reply())}"
            except CannotAsk as trouble:
                return trouble.reason
            return ""

    async with AsyncExitStack() as stack:
        stacks = [AsyncExitStack() for _ in users]
        stack.push_async_callback(_closed, stacks)
        # The first session alone shows whether the port is open.
        first = await one(stacks[0], users[0])
        rest = await asyncio.gather(*(one(stack, user) for stack, user in zip(stacks[1:], users[1:], strict=True)))
    return [first, *rest]


async def _closed(stacks: Sequence[AsyncExitStack]) -> None:
    await asyncio.gather(*(stack.aclose() for stack in stacks))


def _verdict(probe: Probe, answers: Sequence[str]) -> Observation:
    refused = [answer for answer in answers if answer]
    return probe.seen(
        Outcome.REFUSED if refused else Outcome.ACCEPTED,
        Stage.AUTH,
        Reply(text=refused[0]) if refused else None,
        asked=len(answers),
        let_in=len(answers) - len(refused),
    )


@behaviour(
    "access/{endpoint}/sessions-of-one-user",
    wanted=Outcome.ACCEPTED,
    deep=True,
    severity=Severity.MAJOR,
    each={"endpoint": ASKED},
    needs=_needed,
    disturbs=(SESSIONS,),
    timeout=60.0,
)
async def one_user(probe: Probe, endpoint: Endpoint) -> Observation:
    """Twelve sessions of one user at once on {endpoint.words}

    Users with several devices get errors, since each program opens several sessions.

    core/dovecot/conf/dovecot.conf and core/nginx/dovecot/proxy.conf (mail_max_userip_connections = 20)
    """
    return _verdict(probe, await opened(probe, endpoint, [ONE] * 12))


@behaviour(
    "access/{endpoint}/sessions-too-many",
    deep=True,
    better={"let_in": Direction.MORE},
    severity=Severity.MINOR,
    each={"endpoint": ASKED},
    needs=_needed,
    disturbs=_crowded,
    timeout=90.0,
)
async def too_many(probe: Probe, endpoint: Endpoint) -> Observation:
    """Thirty sessions of one user at once on {endpoint.words}: how many are accepted

    Programs that open many sessions, and teams that share a mailbox, get errors.

    core/dovecot/conf/dovecot.conf and core/nginx/dovecot/proxy.conf (mail_max_userip_connections = 20)
    """
    # One after the other: at once, more than the limit are accepted while Dovecot still counts.
    return _verdict(probe, await opened(probe, endpoint, [ONE] * 30, at_a_time=1))


@behaviour(
    "access/{endpoint}/sessions-of-many-users",
    wanted=Outcome.ACCEPTED,
    deep=True,
    severity=Severity.CRITICAL,
    each={"endpoint": ASKED},
    needs=_needed,
    disturbs=_crowded,
    timeout=150.0,
)
async def many_users(probe: Probe, endpoint: Endpoint) -> Observation:
    """Many sessions of 14 users from one address at once on {endpoint.words}

    Users in an office cannot log in while many are at work.

    core/nginx/conf/nginx.conf (worker_connections), core/nginx/dovecot/proxy.conf (client_limit)
    """
    return _verdict(probe, await opened(probe, endpoint, [user for user in MANY for _ in range(EACH[endpoint])]))
