"""Fetched accounts before and after an upgrade in place: kept with everything that is set, and fetched from again."""

from __future__ import annotations

import json
import time
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

from pytest_mailu.behaviours.admin_cli import command
from pytest_mailu.behaviours.better import FUNCTION
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.fetched import PASSWORD, ROUND_SECONDS, ROUNDS, Elsewhere
from pytest_mailu.behaviours.fetchmail import NEEDED
from pytest_mailu.behaviours.upgrade_accounts import import_configuration
from pytest_mailu.behaviours.upgrade_mail import digest
from pytest_mailu.core.model import Direction, Observation, Outcome, Severity, Stage
from pytest_mailu.core.population import own_mailbox
from pytest_mailu.core.releases import Release
from pytest_mailu.probe.admin_site import Site
from pytest_mailu.probe.messages import Message
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.waiting import ARRIVAL_SECONDS
from pytest_mailu.stack.world.zones import PUBLIC_NAMES
from pytest_mailu.wire.transport.errors import CannotAsk

ENTERED = own_mailbox("lived-in-fetches")
"""Whose accounts are entered by the command line. Nobody answers at their servers."""
COLLECTOR = own_mailbox("lived-in-collector")
"""Whose accounts are entered on the web site, and fetched from."""
ACCOUNTS: Mapping[str, Elsewhere] = {
    "imap": Elsewhere("imap"),
    "pop3": Elsewhere("pop3"),
    # Of IMAP, a server remembers what was read; of POP3, fetchmail does.
    "pop3-keep": Elsewhere("pop3", keep=True),
}
"""Kind → an account that is fetched from with TLS, before the upgrade and after it."""
UNSTEADY = frozenset({"id", "last_check", "error", "created_at", "updated_at"})
"""Fields that say nothing of what was entered."""
FIELDS = "fetched fields"
MESSAGES = "fetched messages"
"""In the memory of an upgrade in place."""
SECONDS = 240.0


def entered(release: Release) -> list[dict[str, Any]]:
    """The accounts that the command line enters, with every field that a release has."""
    newer = release.since("2.0")
    return [
        {
            "protocol": protocol,
            "host": f"{protocol}.provider.example",
            "port": port,
            "tls": port == 993,
            "username": "zoë@provider.example",
            "password": PASSWORD,
            "keep": port == 993,
            **({"scan": port == 993, "folders": ["INBOX", "Alte Post"]} if newer else {}),
        }
        for protocol, port in (("imap", 993), ("pop3", 1100))
    ]


async def _enter_by_command_line(probe: Probe) -> None:
    user = {"email": ENTERED.address, "password": ENTERED.password, "hash_password": True}
    await import_configuration(probe, {"user": [{**user, "fetches": entered(probe.release)}]})


@behaviour(
    "upgrade/fetched/accounts",
    wanted=Outcome.ACCEPTED,
    better={**FUNCTION, "accounts.*": Direction.FIXED},
    severity=Severity.CRITICAL,
    in_place=True,
    live=_enter_by_command_line,
    timeout=120.0,
)
async def accounts(probe: Probe) -> Observation:
    """Fetched accounts of users, with everything that is set for them

    Mail in people's other accounts is not fetched any more, or by other rules: it is deleted there, or from other
    folders.

    core/admin/mailu/models.py (Fetch), core/admin/mailu/schemas.py (config-export), 1.9 to master
    """
    ran = await command(probe, "config-export", "--full", "--secrets", "--json", "user")
    users = json.loads(ran.output).get("user", ())
    found: dict[str, dict[str, Any]] = {}
    for user in (each for each in users if each.get("email") in (ENTERED.address, COLLECTOR.address)):
        for account in user.get("fetches") or ():
            key = f"{user['email']} {account.get('protocol')} {account.get('username')}"
            found[key] = {name: value for name, value in account.items() if name not in UNSTEADY}
            found[key]["password"] = digest([str(account.get("password"))])
    # What a later release has added says nothing of what was there.
    fields = sorted({name for account in found.values() for name in account})
    known = probe.memory.setdefault(FIELDS, " ".join(fields)).split()
    kept = {key: {name: account[name] for name in known if name in account} for key, account in found.items()}
    wanted = len(entered(probe.release))
    outcome = Outcome.LOST if sum(key.startswith(ENTERED.address) for key in kept) < wanted else Outcome.ACCEPTED
    return probe.seen(outcome, Stage.COMMAND, number=len(kept), accounts=kept)


async def _enter_on_the_site(probe: Probe) -> None:
    """Accounts with a message each; each is fetched before the upgrade."""
    messages = {name: _message(probe, name) for name in ACCOUNTS}
    async with Site.open(probe) as site:
        await site.login(COLLECTOR.address, COLLECTOR.password)
        for name, account in ACCOUNTS.items():
            await probe.world.deposit(_there(name), PASSWORD, messages[name].content)
            await site.send_form("/fetch/create", account.form(_there(name)), leave_out=("tls", "keep", "scan"))
    _remember(probe, messages)
    for message in messages.values():
        await _copies(probe, message.message_id, ROUND_SECONDS)


def _there(name: str) -> str:
    """What the account is called at the world, on both sides."""
    return f"lived-in-{name}"


def _message(probe: Probe, name: str) -> Message:
    # Where Rspamd looks at it, SPF fails for what fetchmail brings: a domain without SPF is not greylisted for that.
    return probe.mail.compose(to=COLLECTOR.address, sender=f"{name}-{probe.unique_word()}@{PUBLIC_NAMES[0]}")


async def _copies(probe: Probe, message_id: str, seconds: float) -> int:
    async with probe.mailbox(COLLECTOR) as mailbox:
        return len(await mailbox.wait_for_message(message_id, seconds))


async def _new_mail(probe: Probe) -> Mapping[str, int]:
    """A new message in each account, and how often each came after two rounds; what was kept there is there again."""
    messages = {name: _message(probe, name) for name in ACCOUNTS}
    ended = {}
    for name, account in ACCOUNTS.items():
        try:
            ended[name] = (await probe.world.account(_there(name))).ended
        except CannotAsk:  # the world of this stack does not have the account yet
            ended[name] = 0
            if account.keep:
                older = [b64decode(content) for _, content in _earlier(probe)[name]]
                await probe.world.deposit(_there(name), PASSWORD, *older)
        await probe.world.deposit(_there(name), PASSWORD, messages[name].content)
    _remember(probe, messages)
    deadline = time.monotonic() + ROUND_SECONDS
    for name in ACCOUNTS:
        left = max(deadline - time.monotonic(), 0.0)
        await probe.world.account(_there(name), ended=ended[name] + ROUNDS, wait=left)
    return {name: await _copies(probe, message.message_id, ARRIVAL_SECONDS) for name, message in messages.items()}


def _earlier(probe: Probe) -> dict[str, list[list[str]]]:
    """By account what was laid into it so far, in this order: Message-IDs, and contents in base64."""
    if MESSAGES not in probe.memory:
        raise CannotAsk("no fetched account could be entered on the old release")
    found: dict[str, list[list[str]]] = json.loads(probe.memory[MESSAGES])
    return found


def _remember(probe: Probe, more: Mapping[str, Message]) -> None:
    known = _earlier(probe) if MESSAGES in probe.memory else {}
    for name, message in more.items():
        known.setdefault(name, []).append([message.message_id, b64encode(message.content).decode()])
    probe.memory[MESSAGES] = json.dumps(known)


@behaviour(
    "upgrade/fetched/{name}",
    needs=NEEDED,
    wanted=Outcome.DELIVERED,
    better={"copies": Direction.FEWER, "older": Direction.FEWER},
    severity=Severity.CRITICAL,
    each={"name": ACCOUNTS},
    volatile=("seconds",),  # before the upgrade nothing has to be waited for
    in_place=True,
    live=_enter_on_the_site,
    timeout=SECONDS,
)
async def fetched(probe: Probe, name: str) -> Observation:
    """New message in an account that was entered before the upgrade is fetched, once, and no older one again ({name})

    Users do not get the mail of their other accounts any more, or get all of it once more.

    optional/fetchmail/fetchmail.py (`--idfile /data/fetchids`, in its volume), 1.9 to master
    """
    message_id, _ = _earlier(probe)[name][0]
    if probe.stack.upgraded:
        copies = (await probe.shared(("new mail of fetched accounts",), _new_mail, seconds=SECONDS))[name]
    else:
        copies = await _copies(probe, message_id, 0.0)
    if not copies:
        return probe.seen(Outcome.LOST, Stage.DELIVERY)
    older = await _copies(probe, message_id, 0.0)
    good = copies == 1 and older <= 1
    return probe.seen(Outcome.DELIVERED if good else Outcome.ALTERED, Stage.DELIVERY, copies=copies, older=older)
