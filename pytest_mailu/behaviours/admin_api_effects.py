"""What the REST API changes takes effect: for logins, for mail, and on the web site."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pytest_mailu.behaviours.admin_api import API, SECONDS
from pytest_mailu.behaviours.api_resources import PASSWORD
from pytest_mailu.behaviours.api_survey import offered, read
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.helpers import log_in, rcpt_from_stranger
from pytest_mailu.core.endpoints import HTTPS_443, IMAPS_993
from pytest_mailu.core.model import Observation, Outcome, Reply, Severity, Stage
from pytest_mailu.core.population import ALICE, DOMAIN, FORGED, own_mailbox
from pytest_mailu.probe.admin_site import Api, Site, said
from pytest_mailu.probe.probe import Probe
from pytest_mailu.wire.transport.errors import NotServed

TOKEN_OWNER = own_mailbox("api-token-in-use")
MANAGER = own_mailbox("api-manager-in-use")
RECEIVE = ("user", "alias", "domain", "alternative", "relay")
LOG_IN = ("created", "password-changed", "enabled-again", "token")
REFUSED = ("password-before", "disabled", "imap-off", "deleted", "token-deleted")


async def _done(api: Api, method: str, path: str, document: Any = None) -> dict[str, Any]:
    """One request that has to succeed; the object in the reply. Raises NotServed(REFUSED, COMMAND) otherwise."""
    reply = offered(await api.ask(method, path, document))
    if reply.status != 200:
        outcome = Outcome.UNANSWERED if reply.status >= 500 else Outcome.REFUSED
        raise NotServed(outcome, Stage.COMMAND, Reply(str(reply.status), "", said(reply)))
    return read(reply)


@asynccontextmanager
async def _user(probe: Probe, api: Api, domain: str = DOMAIN) -> AsyncIterator[str]:
    """The address of a new user, who is deleted afterwards."""
    address = f"api-{probe.unique_word()}@{domain}"
    await _done(api, "POST", "/user", {"email": address, "raw_password": PASSWORD})
    try:
        yield address
    finally:
        await api.ask("DELETE", f"/user/{address}")


@behaviour(
    "admin/api/effect/{what}-receives",
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    each={"what": RECEIVE},
    variant=API,
    timeout=SECONDS,
)
async def receives(probe: Probe, what: str) -> Observation:
    """REST API: mail is accepted at once for a new {what}

    What scripts set up receives no mail.

    core/admin/mailu/internal/views/postfix.py, since 1.9: Postfix asks for each recipient
    """
    word = probe.unique_word()
    name = f"api-{word}.example"
    async with Api.open(probe) as api:
        match what:
            case "user":
                async with _user(probe, api) as address:
                    reply = await rcpt_from_stranger(probe, address)
            case "alias":
                address = f"api-{word}@{DOMAIN}"
                await _done(api, "POST", "/alias", {"email": address, "destination": [ALICE.address]})
                reply = await _asked_then_removed(probe, api, address, f"/alias/{address}")
            case "domain":
                await _done(api, "POST", "/domain", {"name": name})
                async with _user(probe, api, name) as address:
                    reply = await rcpt_from_stranger(probe, address)
                await api.ask("DELETE", f"/domain/{name}")
            case "alternative":
                await _done(api, "POST", "/alternative", {"name": name, "domain": DOMAIN})
                reply = await _asked_then_removed(probe, api, f"{ALICE.name}@{name}", f"/alternative/{name}")
            case _:
                # Postfix refuses recipients whose domain does not exist (reject_unknown_recipient_domain).
                await _done(api, "POST", "/relay", {"name": FORGED, "smtp": "relay.example"})
                reply = await _asked_then_removed(probe, api, f"anybody@{FORGED}", f"/relay/{FORGED}")
    return probe.seen(Outcome.ACCEPTED, Stage.RCPT, reply)


async def _asked_then_removed(probe: Probe, api: Api, address: str, place: str) -> Reply:
    try:
        return await rcpt_from_stranger(probe, address)
    finally:
        await api.ask("DELETE", place)


@behaviour(
    "admin/api/effect/{what}-logs-in",
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    each={"what": LOG_IN},
    variant=API,
    timeout=SECONDS,
)
async def logs_in(probe: Probe, what: str) -> Observation:
    """REST API: a mail program logs in: {what}

    Users whom scripts set up cannot log in.

    core/admin/mailu/api/v1/user.py and token.py, since 2.0; tokens since 2024.06
    """
    async with Api.open(probe) as api:
        if what == "token":
            made = await _done(api, "POST", "/token", {"email": TOKEN_OWNER.address, "comment": "logs in"})
            probe.transcript.hide(token := str(made.get("token", "")))
            try:
                reply = await log_in(probe, IMAPS_993, TOKEN_OWNER.address, token)
            finally:
                await api.ask("DELETE", f"/token/{made.get('id', 'none')}")
            return probe.seen(Outcome.ACCEPTED, Stage.AUTH, reply)
        async with _user(probe, api) as address:
            password = PASSWORD
            if what == "password-changed":
                password = f"new-{PASSWORD}"
                await _done(api, "PATCH", f"/user/{address}", {"raw_password": password})
            elif what == "enabled-again":
                await _done(api, "PATCH", f"/user/{address}", {"enabled": False})
                await _done(api, "PATCH", f"/user/{address}", {"enabled": True})
            reply = await log_in(probe, IMAPS_993, address, password)
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH, reply)


@behaviour(
    "admin/api/effect/{what}-is-refused",
    endpoint=HTTPS_443,
    wanted=Outcome.AUTH_FAILED,
    severity=Severity.CRITICAL,
    each={"what": REFUSED},
    variant=API,
    timeout=SECONDS,
)
async def is_refused(probe: Probe, what: str) -> Observation:
    """REST API: a mail program is refused at once: {what}

    Users whom scripts lock out, and stolen passwords and tokens that they replace, still open the mailbox.

    core/admin/mailu/api/v1/user.py and token.py, since 2.0; core/admin/mailu/models.py (User.check_password, with a
    cache of passwords); tokens since 2024.06
    """
    async with Api.open(probe) as api:
        if what == "token-deleted":
            made = await _done(api, "POST", "/token", {"email": TOKEN_OWNER.address, "comment": "is deleted"})
            probe.transcript.hide(token := str(made.get("token", "")))
            await _opens(probe, TOKEN_OWNER.address, token)
            await _done(api, "DELETE", f"/token/{made.get('id', 'none')}")
            return await _tried(probe, TOKEN_OWNER.address, token)
        async with _user(probe, api) as address:
            await _opens(probe, address, PASSWORD)
            if what == "deleted":
                await _done(api, "DELETE", f"/user/{address}")
            else:
                change: dict[str, Any] = {"disabled": {"enabled": False}, "imap-off": {"enable_imap": False}}.get(
                    what, {"raw_password": f"new-{PASSWORD}"}
                )
                await _done(api, "PATCH", f"/user/{address}", change)
            return await _tried(probe, address, PASSWORD)


async def _tried(probe: Probe, address: str, secret: str) -> Observation:
    """Whether the mailbox opens still. In which words that is refused is asked with `access/`."""
    try:
        reply = await log_in(probe, IMAPS_993, address, secret)
    except NotServed as end:
        return probe.seen(end.outcome, end.stage)
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH, reply)


async def _opens(probe: Probe, address: str, secret: str) -> None:
    """A login before it is to be refused: Mailu remembers passwords that were right. Raises NotServed(NOT_OFFERED)."""
    try:
        await log_in(probe, IMAPS_993, address, secret)
    except NotServed as end:
        words = f"it does not open the mailbox in the first place: {end}"
        raise NotServed(Outcome.NOT_OFFERED, Stage.AUTH, Reply("", "", words)) from end


@behaviour(
    "admin/api/effect/manager-manages",
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    variant=API,
    timeout=SECONDS,
)
async def manages(probe: Probe) -> Observation:
    """REST API: a new manager of a domain opens its list of users on the web site

    Managers whom scripts set up cannot manage their domain.

    core/admin/mailu/api/v1/domain.py (Manager), since 2.0; core/admin/mailu/ui/access.py
    """
    name = f"api-managed-{probe.unique_word()}.example"
    async with Api.open(probe) as api:
        await _done(api, "POST", "/domain", {"name": name})
        try:
            await _done(api, "POST", f"/domain/{name}/manager", {"user_email": MANAGER.address})
            async with Site.open(probe) as site:
                await site.login(MANAGER.address, MANAGER.password)
                await site.inner_page(f"/user/list/{name}")
        finally:
            await api.ask("DELETE", f"/domain/{name}/manager/{MANAGER.address}")
            await api.ask("DELETE", f"/domain/{name}")
    return probe.seen(Outcome.ACCEPTED, Stage.COMMAND)
