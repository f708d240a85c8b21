"""Accounts before and after an upgrade in place: passwords, tokens, sessions, aliases and everything that is set."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pytest_mailu.behaviours.admin_cli import command
from pytest_mailu.behaviours.better import FUNCTION
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.helpers import create_token, log_in
from pytest_mailu.behaviours.upgrade_mail import digest
from pytest_mailu.core.endpoints import IMAPS_993
from pytest_mailu.core.model import Direction, Observation, Outcome, Reply, Severity, Stage
from pytest_mailu.core.population import ADMIN, ALICE, DISABLED, DOMAIN, ELSEWHERE, own_mailbox
from pytest_mailu.core.transcript import log_events
from pytest_mailu.probe.admin_site import SECONDS, Site
from pytest_mailu.probe.probe import Probe
from pytest_mailu.wire.transport.errors import CannotAsk

PASSWORD = "old-hash-secret-1"  # noqa: S105 - of mailboxes that go with the stack
HASHES: Mapping[str, str] = {
    "bcrypt-sha256": "$bcrypt-sha256$v=2,t=2b,r=4$kJ6gBKwFBCGdXxqQxGE4/.$UhYNRUUx9s9LSOpNumQVvb3RRw5/wPm",
    "bcrypt": "{BLF-CRYPT}$2b$04$4srTo6AX0TL5nVzDltHgxefND5vctmW2x9vIomrLfQyps2uVjceWO",
    "sha512-crypt": "{SHA512-CRYPT}$6$rounds=1000$tt9DqU1EKdADbG9r$"
    "abWZ0lnq9GqI7Tfmf22mGY66whqaSHQ1Rp3WByT1pcY3fcHjeBFKlmO.cYpgT4NGZIV4ErSo2cLzfZUAHbggw/",
    "sha256-crypt": "{SHA256-CRYPT}$5$rounds=1000$tNBrM27XSv2jtygM$MOU6X1QaxrqmjlojHuzcn3saQlpiI.EKYT7uLfz9o6D",
    "md5-crypt": "{MD5-CRYPT}$1$bcl4KDI.$R4tI6jrYq5wY7UDTWLb5f0",
    "pbkdf2-sha256": "$pbkdf2-sha256$1000$GUMIQYgxZkxJKYWQ0lqrtQ$cjztXe0vkjEgNC5PuYQBKGABlwxGJynFvY3j9NPo6SE",
}
"""Kind → the hash of `PASSWORD` as releases of Mailu have stored it (core/admin/mailu/models.py, 1.5 to master)."""
TOKENS = own_mailbox("lived-in-tokens")
LONG_TIME = own_mailbox("lived-in-session")
SETTLED = f"settled@{DOMAIN}"
"""A user with everything set that a user can have, made for this."""
VOLATILE = frozenset(
    {"created_at", "updated_at", "quota_bytes_used", "password", "dkim_publickey", "last_check", "error"}
)
"""What an export has that differs from one moment to the next, or is asked about elsewhere."""


async def import_configuration(probe: Probe, document: Mapping[str, Any]) -> None:
    """Add to the configuration what `document` has, as `flask mailu config-import --update` does."""
    path = f"/tmp/lived-in-{probe.unique_word()}.json"  # noqa: S108 - inside the container
    line = f'printf %s "$1" > {path} && flask mailu config-import --quiet --update {path}'
    ran = await probe.services.exec("admin", "sh", "-c", line, "sh", json.dumps(document))
    if ran.code:
        raise CannotAsk(f"the accounts could not be imported: {(ran.errors + ran.output).strip()[-200:]}")


async def _hashed(probe: Probe) -> None:
    users = [{"email": f"hash-{kind}@{DOMAIN}", "password": stored} for kind, stored in HASHES.items()]
    await import_configuration(probe, {"user": users})


@behaviour(
    "upgrade/login/hash-{kind}",
    endpoint=IMAPS_993,
    wanted=Outcome.ACCEPTED,
    severity=Severity.CRITICAL,
    each={"kind": HASHES},
    in_place=True,
    live=_hashed,
    timeout=120.0,
)
async def hashed(probe: Probe, kind: str) -> Observation:
    """Login of a user whose password was stored as {kind}

    People who have not changed their password for years cannot log in.

    core/admin/mailu/models.py (get_password_context), 1.9 to master
    """
    # A login makes the hash anew: before the upgrade nobody logs in, so that the old hash is what is upgraded.
    if probe.stack.upgraded:
        await log_in(probe, IMAPS_993, f"hash-{kind}@{DOMAIN}", PASSWORD)
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH)


async def _with_token(probe: Probe) -> None:
    probe.memory["token"] = await create_token(probe, TOKENS)


@behaviour(
    "upgrade/login/token",
    endpoint=IMAPS_993,
    wanted=Outcome.ACCEPTED,
    severity=Severity.CRITICAL,
    in_place=True,
    live=_with_token,
    timeout=SECONDS,
)
async def token(probe: Probe) -> Observation:
    """Login with an authentication token from before the upgrade

    Phones and devices with a token of their own cannot log in.

    core/admin/mailu/models.py (Token), 1.9 to master
    """
    made = probe.memory.get("token")
    if made is None:
        raise CannotAsk("no token could be made on the old release")
    probe.transcript.hide(made)
    await log_in(probe, IMAPS_993, TOKENS.address, made)
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH)


@behaviour(
    "upgrade/login/disabled-user",
    endpoint=IMAPS_993,
    wanted=Outcome.AUTH_FAILED,
    severity=Severity.CRITICAL,
    in_place=True,
)
async def disabled(probe: Probe) -> Observation:
    """Login of a user who was disabled before the upgrade is refused

    People who left can read mail again.

    Mailu docs, "Web administration" (disabled users)
    """
    await log_in(probe, IMAPS_993, DISABLED.address, DISABLED.password)
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH)


@behaviour(
    "upgrade/login/password-asked-for",
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    in_place=True,
    timeout=SECONDS,
)
async def not_asked(probe: Probe) -> Observation:
    """Users who log in to the web site after the upgrade are not asked for a new password

    Everybody has to choose a new password, and programs with the old one stop.

    core/admin/mailu/models.py (change_pw_next_login), since 2024.06
    """
    async with Site.open(probe) as site:
        reply = await site.login(ALICE.address, ALICE.password)
        page = await site.http.get(reply.header("location") or site.admin)
    asked = "pw_change" in page.url or "pw2" in page.text
    return probe.seen(Outcome.REFUSED if asked else Outcome.ACCEPTED, Stage.AUTH)


async def _session(probe: Probe) -> None:
    async with Site.open(probe) as site:
        await site.login(LONG_TIME.address, LONG_TIME.password)
        await site.inner_page("/user/settings")
        probe.memory["cookies"] = json.dumps(site.http.cookies)


@behaviour(
    "upgrade/web/session",
    better={"kept": Direction.TRUE},
    severity=Severity.MINOR,
    in_place=True,
    live=_session,
    timeout=SECONDS,
)
async def session(probe: Probe) -> Observation:
    """Session on the web site from before the upgrade

    Everybody has to log in again, and loses what was being written in the web mail.

    core/admin/mailu/utils.py (MailuSession), 1.9 to master: sessions are kept in Redis
    """
    cookies = tuple((str(name), str(value)) for name, value in json.loads(probe.memory.get("cookies", "[]")))
    if not cookies:
        raise CannotAsk("no session could be opened on the old release")
    async with Site.open(probe) as site:
        site.http.bring(cookies)
        page = await site.page("/user/settings")
    return probe.seen(Outcome.ACCEPTED, Stage.COMMAND, kept="login" not in page.url)


async def _settle(probe: Probe) -> None:
    user = {
        "email": SETTLED,
        "password": "settled-secret-1",
        "hash_password": True,
        "displayed_name": 'Zoë O’Hara, "the second"',
        "comment": "since 2016",
        "quota_bytes": 5_000_000_000,
        "enable_pop": False,
        "manager_of": ["second.example"],
        "spam_enabled": True,
        "spam_threshold": 65,
        "forward_enabled": True,
        "forward_destination": [f"somebody@{ELSEWHERE}"],
        "forward_keep": True,
        "reply_enabled": True,
        "reply_subject": "Away until Monday",
        "reply_body": "I am at the sea.\n\nWrite to info@post.example.",
    }
    aliases = [
        {"email": f"settled-alias@{DOMAIN}", "destination": [SETTLED, ALICE.address], "comment": "both"},
        {"email": f"settled-%@{DOMAIN}", "destination": [SETTLED], "wildcard": True},
    ]
    domain = {"name": "second.example", "comment": "another one", "max_users": 7, "alternatives": ["third.example"]}
    relay = {"name": "behind.example", "smtp": "10.0.0.9:2525", "comment": "the old server"}
    await import_configuration(probe, {"domain": [domain], "user": [user], "alias": aliases, "relay": [relay]})


@behaviour(
    "upgrade/admin/{kind}",
    better={**FUNCTION, "names": Direction.FIXED, "number": Direction.FIXED, "settled.*": Direction.FIXED},
    severity=Severity.CRITICAL,
    each={"kind": ("domain", "user", "alias", "relay")},
    in_place=True,
    live=_settle,
    timeout=120.0,
)
async def configuration(probe: Probe, kind: str) -> Observation:
    """Every {kind} in the configuration, with what is set for it

    A {kind} is gone after the upgrade, or is set otherwise: forwards, replies, quotas, owners.

    core/admin/mailu/schemas.py (config-export), 1.9 to master
    """
    ran = await command(probe, "config-export", "--full", "--json", kind)
    entries = [entry for entry in json.loads(ran.output).get(kind, ()) if isinstance(entry, dict)]
    key = "name" if kind in ("domain", "relay") else "email"
    names = sorted(str(entry.get(key)) for entry in entries)
    settled = {
        str(entry[key]): {name: value for name, value in entry.items() if name not in VOLATILE}
        for entry in entries
        if str(entry.get(key))
        in (SETTLED, f"settled-alias@{DOMAIN}", f"settled-%@{DOMAIN}", "second.example", "behind.example")
    }
    outcome = Outcome.ACCEPTED if settled else Outcome.LOST
    return probe.seen(outcome, Stage.COMMAND, number=len(names), names=digest(names), settled=settled)


@behaviour(
    "upgrade/admin/schema",
    wanted=Outcome.ACCEPTED,
    severity=Severity.CRITICAL,
    in_place=True,
    timeout=120.0,
)
async def schema(probe: Probe) -> Observation:
    """The database has gone through all migrations of the release

    `admin` starts all the same after a migration that failed: pages and logins fail later, or the next upgrade does.

    core/admin/start.py (`flask db upgrade`, whose status is not looked at), 1.9 to master
    """
    ran = await probe.services.exec("admin", "flask", "db", "current")
    if ran.code:
        raise CannotAsk(f"`flask db current` ended with status {ran.code}")
    if "(head)" in ran.output:
        return probe.seen(Outcome.ACCEPTED, Stage.SETTINGS)
    log = await probe.services.startup_log("admin")
    # Flask-Migrate keeps an error of a migration to itself where alembic.ini does not name its logger (Mailu master):
    # then the last migration that was begun is all that is said.
    found = [number for number, line in enumerate(log) if _TROUBLE.search(line)]
    found = found or [number for number, line in enumerate(log) if _BEGUN in line][-1:]
    said = [log[number] for number in found[-3:]]
    lines = log[max(found[-1] - _BEFORE, 0) : found[-1] + _AFTER] if found else log[-_AFTER:]
    seen = probe.seen(Outcome.LOST, Stage.SETTINGS, Reply(text=f"admin: {said[-1]}") if said else None, said=said)
    return replace(seen, transcript=(*probe.transcript.events, *log_events(lines)))


_TROUBLE = re.compile(r"^\S*(Error|Exception)\b")
"""The last line of a trace-back."""
_BEGUN = "Running upgrade "
"""What Alembic says of each migration before it."""
_BEFORE, _AFTER = 4, 8
"""Lines of the log around it that are shown: what it says may go over several."""


@behaviour(
    "upgrade/admin/dkim-key",
    better={**FUNCTION, "keys.*": Direction.FIXED},
    severity=Severity.CRITICAL,
    in_place=True,
    timeout=120.0,
)
async def dkim_key(probe: Probe) -> Observation:
    """DKIM key of each domain

    The record in the DNS fits no longer: other servers refuse our mail or take it for spam.

    core/admin/mailu/dkim.py; RFC 6376 section 3.6.1
    """
    ran = await command(probe, "config-export", "--full", "--json", "--secrets", "domain")
    domains = json.loads(ran.output).get("domain", ())
    keys = {str(entry.get("name")): str(entry.get("dkim_key") or "") for entry in domains if isinstance(entry, dict)}
    found = {name: digest(key.split()) for name, key in keys.items() if key}
    return probe.seen(Outcome.ACCEPTED if DOMAIN in found else Outcome.LOST, Stage.COMMAND, keys=found)


@behaviour(
    "upgrade/admin/login",
    wanted=Outcome.ACCEPTED,
    severity=Severity.CRITICAL,
    in_place=True,
    timeout=SECONDS,
)
async def administrator(probe: Probe) -> Observation:
    """Administrator from before the upgrade sees the administration

    Nobody can administer the server.

    core/admin/mailu/ui/access.py, 1.9 to master
    """
    async with Site.open(probe) as site:
        await site.login(ADMIN.address, ADMIN.password)
        await site.inner_page("/domain")
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH)
