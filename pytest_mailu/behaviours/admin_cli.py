"""The command line, `flask mailu`, which administrators and their scripts run in the container `admin`.

What is created here is removed with the stack and has a unique name: deleting it would take seconds.
"""

from __future__ import annotations

import re
from typing import Any

from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.helpers import log_in, opens, rcpt_from_stranger
from pytest_mailu.core.commands import CommandResult
from pytest_mailu.core.endpoints import IMAPS_993, SMTP_25_OPPORTUNISTIC
from pytest_mailu.core.json_text import read_json
from pytest_mailu.core.model import Direction, Observation, Outcome, Reply, Severity, Stage
from pytest_mailu.core.population import ADMIN, BOB, DOMAIN, ELSEWHERE, User
from pytest_mailu.probe.admin_site import Site, local
from pytest_mailu.probe.probe import Probe
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed

SECONDS = 120.0
"""Each command loads the whole application first, which takes seconds on a busy machine."""
PASSWORD = "cli-made-secret-1"  # noqa: S105 - of mailboxes that are gone a moment later
EXPORTS = ("domain", "user", "alias", "relay")
ROUND_TRIP = (
    "set -e; umask 077; flask mailu config-export --secrets > /tmp/before.yml; "
    "flask mailu config-import --update --quiet /tmp/before.yml; "
    "flask mailu config-export --secrets > /tmp/after.yml; cmp /tmp/before.yml /tmp/after.yml && echo kept"
)


async def command(probe: Probe, *words: str) -> CommandResult:
    """Run `flask mailu …`. Raises `NotServed(REFUSED, COMMAND)` with its last line of output for another status than
    0."""
    ran = await probe.services.exec("admin", "flask", "mailu", *words)
    if ran.code:
        said = (ran.errors + ran.output).strip().splitlines()[-1:]
        raise NotServed(Outcome.REFUSED, Stage.COMMAND, Reply(str(ran.code), "", f"{words[0]}: {''.join(said)}"))
    return ran


@behaviour("admin/cli/user", wanted=Outcome.ACCEPTED, deep=True, severity=Severity.MAJOR, timeout=SECONDS)
async def user(probe: Probe) -> Observation:
    """`flask mailu user` creates a user who can log in with a mail program and on the web site

    Scripts that create mailboxes create none, or mailboxes that cannot be used.

    Mailu docs, "Mailu command line"; core/admin/mailu/manage.py, 1.9 to master
    """
    account = User(f"cli-{probe.unique_word()}", PASSWORD)
    await command(probe, "user", account.name, DOMAIN, account.password)
    reply = await log_in(probe, IMAPS_993, account.address, account.password)
    async with Site.open(probe) as site:
        goes_to = local(probe, (await site.login(account.address, account.password)).header("location"))
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH, reply, web_goes_to=goes_to)


@behaviour("admin/cli/admin", wanted=Outcome.ACCEPTED, deep=True, severity=Severity.MAJOR, timeout=SECONDS)
async def admin(probe: Probe) -> Observation:
    """`flask mailu admin` creates an administrator who sees the administration

    After an installation, or when the password is lost, no one can log in to the administration.

    Mailu docs, "Docker Compose setup" and "Mailu command line"; core/admin/mailu/manage.py, 1.9 to master
    """
    account = User(f"cli-{probe.unique_word()}", PASSWORD)
    await command(probe, "admin", account.name, DOMAIN, account.password)
    async with Site.open(probe) as site:
        goes_to = local(probe, (await site.login(account.address, account.password)).header("location"))
        page = await site.page("/relay")
    inside = page.status == 200 and page.url.endswith("/relay")
    outcome = Outcome.ACCEPTED if inside else Outcome.REFUSED
    return probe.seen(outcome, Stage.AUTH, Reply(str(page.status)), web_goes_to=goes_to)


@behaviour("admin/cli/password", wanted=Outcome.ACCEPTED, deep=True, severity=Severity.CRITICAL, timeout=SECONDS)
async def password(probe: Probe) -> Observation:
    """`flask mailu password` sets a new password, and the old one stops working

    A stolen password still works.

    Mailu docs, "Mailu command line"; core/admin/mailu/manage.py, 1.9 to master
    """
    account = User(f"cli-{probe.unique_word()}", PASSWORD)
    await command(probe, "user", account.name, DOMAIN, account.password)
    await command(probe, "password", account.name, DOMAIN, f"new-{PASSWORD}")
    reply = await log_in(probe, IMAPS_993, account.address, f"new-{PASSWORD}")
    old_refused = not await opens(probe, account.address, PASSWORD)
    outcome = Outcome.ACCEPTED if old_refused else Outcome.REFUSED
    return probe.seen(outcome, Stage.AUTH, reply, old_refused=old_refused)


@behaviour("admin/cli/user-delete", wanted=Outcome.ACCEPTED, deep=True, severity=Severity.CRITICAL, timeout=SECONDS)
async def user_delete(probe: Probe) -> Observation:
    """`flask mailu user-delete` locks the user out; what happens to mail to the address

    Users who left can still log in, or mail to them is lost.

    core/admin/mailu/manage.py: since 2.0 the user is switched off only, unless --really is given
    """
    account = User(f"cli-{probe.unique_word()}", PASSWORD)
    await command(probe, "user", account.name, DOMAIN, account.password)
    await command(probe, "user-delete", account.address)
    refused = not await opens(probe, account.address, account.password)
    mail = await _recipient_outcome(probe, account.address)
    return probe.seen(Outcome.ACCEPTED if refused else Outcome.REFUSED, Stage.AUTH, mail_to_it=mail)


@behaviour("admin/cli/alias", wanted=Outcome.ACCEPTED, deep=True, severity=Severity.MAJOR, timeout=SECONDS)
async def alias(probe: Probe) -> Observation:
    """`flask mailu alias` creates an alias that receives mail, and `flask mailu alias-delete` removes it

    Scripts that create aliases create none, or deleted aliases still receive mail.

    Mailu docs, "Mailu command line"; core/admin/mailu/manage.py, 1.9 to master
    """
    name = f"cli-{probe.unique_word()}"
    address = f"{name}@{DOMAIN}"
    await command(probe, "alias", name, DOMAIN, BOB.address)
    reply = await rcpt_from_stranger(probe, address)
    await command(probe, "alias-delete", address)
    after = await _recipient_outcome(probe, address)
    outcome = Outcome.REFUSED if after.startswith(Outcome.ACCEPTED) else Outcome.ACCEPTED
    return probe.seen(outcome, Stage.RCPT, reply, after_delete=after)


@behaviour("admin/cli/domain", wanted=Outcome.ACCEPTED, deep=True, severity=Severity.MAJOR, timeout=SECONDS)
async def domain(probe: Probe) -> Observation:
    """`flask mailu domain` creates a domain that the administration shows

    Scripts that add domains add none.

    Mailu docs, "Mailu command line"; core/admin/mailu/manage.py, 1.9 to master
    """
    name = f"cli-{probe.unique_word()}.example"
    await command(probe, "domain", name)
    async with Site.open(probe) as site:
        await site.login(ADMIN.address, ADMIN.password)
        listed = name in (await site.inner_page("/domain")).text
    return probe.seen(Outcome.ACCEPTED if listed else Outcome.REFUSED, Stage.COMMAND)


@behaviour(
    "admin/cli/config-export",
    wanted=Outcome.ACCEPTED,
    deep=True,
    better={"members.*": Direction.KEPT},
    severity=Severity.MAJOR,
    timeout=SECONDS,
)
async def config_export(probe: Probe) -> Observation:
    """`flask mailu config-export`: which fields each kind of object has

    Backups and scripts that read the export miss fields.

    Mailu docs, "Mailu command line" (config-export); core/admin/mailu/schemas.py, 1.9 to master
    """
    ran = await command(probe, "config-export", "--full", "--json", *EXPORTS)
    try:
        exported = read_json(ran.output)
    except ValueError as error:
        raise CannotAsk(f"the export is not JSON: {error}") from error
    return probe.seen(Outcome.ACCEPTED, Stage.COMMAND, members={kind: _members(exported.get(kind)) for kind in EXPORTS})


@behaviour(
    "admin/cli/config-round-trip",
    wanted=Outcome.ACCEPTED,
    deep=True,
    severity=Severity.MAJOR,
    needs=("admin", "redis"),
    disturbs=("admin",),
    timeout=SECONDS,
)
async def round_trip(probe: Probe) -> Observation:
    """`flask mailu config-import` accepts what `config-export` wrote, and nothing changes

    Backups of the configuration cannot be restored.

    Mailu docs, "Mailu command line" (config-import); core/admin/mailu/schemas.py, 1.9 to master
    """
    ran = await probe.services.exec("admin", "sh", "-c", ROUND_TRIP)
    kept = ran.output.strip().endswith("kept")
    # cmp says "differ", or "EOF on" where one file is the beginning of the other.
    if ran.code and not re.search(r"\bdiffer\b|\bEOF on\b", ran.output + ran.errors):
        said = (ran.errors + ran.output).strip().splitlines()[-1:]
        raise NotServed(Outcome.REFUSED, Stage.COMMAND, Reply(str(ran.code), "", "".join(said)))
    return probe.seen(Outcome.ACCEPTED if kept else Outcome.ALTERED, Stage.COMMAND, kept=kept)


def _members(objects: Any) -> list[str]:
    return sorted({key for member in objects or () if isinstance(member, dict) for key in member})


async def _recipient_outcome(probe: Probe, address: str) -> str:
    """The outcome and reply of RCPT from a stranger, as a fact."""
    async with probe.smtp(SMTP_25_OPPORTUNISTIC) as smtp:
        await smtp.mail(f"stranger@{ELSEWHERE}")
        try:
            reply = await smtp.rcpt(address)
        except NotServed as end:
            return f"{end.outcome} {end.reply.code} {end.reply.enhanced}" if end.reply else str(end.outcome)
    return f"{Outcome.ACCEPTED} {reply.code}"
