"""Authentication tokens: passwords for one program each, created on the web site."""

from __future__ import annotations

from pytest_mailu.behaviours.common import token_of
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.helpers import create_token, delete_tokens, log_in
from pytest_mailu.behaviours.needs import to_log_in
from pytest_mailu.core.endpoints import (
    HTTPS_443,
    IMAPS_993,
    POP3S_995,
    SIEVE_4190,
    SUBMISSION_587,
    SUBMISSIONS_465,
    Endpoint,
)
from pytest_mailu.core.model import Observation, Outcome, Severity, Stage, Vantage
from pytest_mailu.core.population import User, own_mailbox
from pytest_mailu.probe.admin_site import SECONDS, Site
from pytest_mailu.probe.probe import Probe

ASKED = (SUBMISSION_587, SUBMISSIONS_465, IMAPS_993, POP3S_995, SIEVE_4190)
TWO = (SUBMISSIONS_465, IMAPS_993)
FREE = own_mailbox("token-free")
BOUND = own_mailbox("token-bound")
STRANGE = own_mailbox("token-bound-elsewhere")
REQUIRED = own_mailbox("token-required")
"""The owners of tokens that are bound to no address, to the client's, to another one, and where tokens are required."""
TOKENS_REQUIRED = "tokens-required"
NOBODYS = "192.0.2.1"
"""An address that no client has (RFC 5737)."""
TOKEN_DELETION_USERS = {endpoint: own_mailbox(f"token-deleted-{endpoint.port}") for endpoint in TWO}
"""The users whose tokens are deleted, by endpoint."""


async def _token_login(probe: Probe, endpoint: Endpoint, user: User, address: str = "") -> Observation:
    reply = await log_in(probe, endpoint, user.address, await token_of(probe, user, address))
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH, reply)


@behaviour(
    "access/{endpoint}/token",
    needs=to_log_in,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    each={"endpoint": ASKED},
    timeout=SECONDS,
)
async def token(probe: Probe, endpoint: Endpoint) -> Observation:
    """Login with an authentication token on {endpoint.words}

    Programs and devices with a token of their own cannot log in.

    Mailu docs, "Web administration" (authentication tokens); core/admin/mailu/internal/nginx.py, 1.9 to master
    """
    return await _token_login(probe, endpoint, FREE)


@behaviour(
    "access/{endpoint}/token-bound-here",
    needs=to_log_in,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    each={"endpoint": TWO},
    timeout=SECONDS,
)
async def token_bound_here(probe: Probe, endpoint: Endpoint) -> Observation:
    """Login on {endpoint.words} with a token bound to the client's address

    Devices with a token bound to their address cannot log in; often Mailu sees another address.

    core/admin/mailu/internal/nginx.py, 1.9 to master; ranges of addresses since 2024.06
    """
    return await _token_login(probe, endpoint, BOUND, probe.address_of(Vantage.STRANGER))


@behaviour(
    "access/{endpoint}/token-bound-elsewhere",
    needs=to_log_in,
    wanted=Outcome.AUTH_FAILED,
    deep={"endpoint": (IMAPS_993,)},
    affected="Devices whose address changed are refused.",
    severity=Severity.CRITICAL,
    each={"endpoint": TWO},
    timeout=SECONDS,
)
async def token_bound_elsewhere(probe: Probe, endpoint: Endpoint) -> Observation:
    """Login on {endpoint.words} with a token bound to another address is refused

    A stolen token works from everywhere.

    core/admin/mailu/internal/nginx.py, 1.9 to master
    """
    return await _token_login(probe, endpoint, STRANGE, NOBODYS)


@behaviour(
    "access/{endpoint}/token-of-another",
    needs=to_log_in,
    wanted=Outcome.AUTH_FAILED,
    deep={"endpoint": (IMAPS_993,)},
    severity=Severity.CRITICAL,
    each={"endpoint": TWO},
    timeout=SECONDS,
)
async def token_of_another(probe: Probe, endpoint: Endpoint) -> Observation:
    """Login on {endpoint.words} with another user's token is refused

    Every user can open every mailbox.

    core/admin/mailu/internal/nginx.py, 1.9 to master
    """
    reply = await log_in(probe, endpoint, BOUND.address, await token_of(probe, FREE))
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH, reply)


@behaviour(
    "access/{endpoint}/token-deleted",
    needs=to_log_in,
    wanted=Outcome.AUTH_FAILED,
    deep={"endpoint": (IMAPS_993,)},
    severity=Severity.CRITICAL,
    each={"endpoint": TWO},
    timeout=SECONDS,
)
async def token_deleted(probe: Probe, endpoint: Endpoint) -> Observation:
    """Login on {endpoint.words} with a deleted token is refused

    A token that was deleted because it was stolen still works.

    core/admin/mailu/ui/views/tokens.py, 1.9 to master
    """
    user = TOKEN_DELETION_USERS[endpoint]
    deleted = await create_token(probe, user)
    await delete_tokens(probe, user)
    reply = await log_in(probe, endpoint, user.address, deleted)
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH, reply)


@behaviour("access/web/token", needs=to_log_in, endpoint=HTTPS_443, severity=Severity.MINOR, timeout=SECONDS)
async def token_in_the_web(probe: Probe) -> Observation:
    """Login to the web site with an authentication token

    A token that was made for one program opens the administration, or does not any more.

    core/admin/mailu/models.py (User.login), 1.9 to master: the web site asks for the password
    """
    async with Site.open(probe) as site:
        await site.login(FREE.address, await token_of(probe, FREE))
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH)


@behaviour(
    "access/{endpoint}/password-where-tokens-are-required",
    needs=to_log_in,
    wanted=Outcome.AUTH_FAILED,
    affected="Programs that still use the password are refused.",
    severity=Severity.MAJOR,
    each={"endpoint": TWO},
    variant=TOKENS_REQUIRED,
    deep=True,
    timeout=SECONDS,
)
async def password_refused(probe: Probe, endpoint: Endpoint) -> Observation:
    """Login on {endpoint.words} with the password is refused where AUTH_REQUIRE_TOKENS is set

    The setting has no effect: mail programs can still use the password.

    Mailu docs, "Configuration reference" (AUTH_REQUIRE_TOKENS), since 2024.06; core/admin/mailu/internal/nginx.py
    """
    reply = await log_in(probe, endpoint, REQUIRED.address, REQUIRED.password)
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH, reply)


@behaviour(
    "access/{endpoint}/token-where-tokens-are-required",
    needs=to_log_in,
    wanted=Outcome.ACCEPTED,
    severity=Severity.CRITICAL,
    each={"endpoint": TWO},
    variant=TOKENS_REQUIRED,
    deep=True,
    timeout=SECONDS,
)
async def token_where_required(probe: Probe, endpoint: Endpoint) -> Observation:
    """Login on {endpoint.words} with a token where AUTH_REQUIRE_TOKENS is set

    Mail programs cannot log in at all: neither with passwords nor with tokens.

    Mailu docs, "Configuration reference" (AUTH_REQUIRE_TOKENS), since 2024.06
    """
    return await _token_login(probe, endpoint, REQUIRED)


@behaviour(
    "access/web/password-where-tokens-are-required",
    needs=to_log_in,
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    severity=Severity.CRITICAL,
    variant=TOKENS_REQUIRED,
    deep=True,
    timeout=SECONDS,
)
async def web_where_required(probe: Probe) -> Observation:
    """Login to the web site with the password where AUTH_REQUIRE_TOKENS is set

    Users cannot create tokens.

    core/admin/mailu/internal/nginx.py, since 2024.06: the web site is left out
    """
    async with Site.open(probe) as site:
        await site.login(REQUIRED.address, REQUIRED.password)
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH)
