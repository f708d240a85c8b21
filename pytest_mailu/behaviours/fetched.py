"""What fetchmail does with accounts at the world: all are put into the web site at once, and two rounds are awaited.

A round asks one account after the other, in the order in which they were made (core/admin/mailu/internal/views/fetch.py
and optional/fetchmail/fetchmail.py, 1.9 to master): when it came to the last one twice, it came to each twice at least.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from pytest_mailu.core.model import Outcome, Reply, Stage
from pytest_mailu.core.population import IMPOSTOR_HOST, MAILBOX_HOST, own_mailbox
from pytest_mailu.core.releases import Release
from pytest_mailu.probe.admin_site import Site, flash
from pytest_mailu.probe.messages import Message
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.waiting import ARRIVAL_SECONDS
from pytest_mailu.stack.world.control import DepositedMessage, Visit
from pytest_mailu.stack.world.plan import PORTS
from pytest_mailu.stack.world.zones import PUBLIC_NAMES
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed

USER = own_mailbox("fetched")
PASSWORD = 'fetch "secret" \\1'  # noqa: S105 - it opens nothing but accounts of the test's own world
"""Of every account at the world: what a configuration file may trip over is in it."""
ROUNDS = 2
ROUND_SECONDS = 90.0
"""How long the rounds may take together."""
SECONDS = 180.0
"""How long everything may take: forms, rounds, and looking for the messages."""
_MOST_LINES = 5
"""Of fetchmail's log about one account."""
LAST = "last"
"""The account that is asked last."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """An account at the world, and what the user's form says of it.

    `server` is `plain`, `starttls` or `tls`. The form calls the folder `typed`, IMAP `folder` (modified UTF-7, RFC 3501
    section 5.1.3). `since` is the first series whose form can say it.
    """

    protocol: str
    server: str = "tls"
    host: str = MAILBOX_HOST
    keep: bool = False
    scan: bool = False
    typed: str = "INBOX"
    folder: str = "INBOX"
    since: str = "1.9"

    def form(self, user: str) -> dict[str, str]:
        """The fields of the form; a box that is not ticked is not sent."""
        boxes = {"tls": self.server == "tls", "keep": self.keep, "scan": self.scan}
        return {
            "protocol": self.protocol,
            "host": self.host,
            "port": str(PORTS[f"{self.protocol}-{self.server}"]),
            "username": user,
            "password": PASSWORD,
            "folders": self.typed,
            **{name: "y" for name, ticked in boxes.items() if ticked},
        }


PROTOCOLS = ("imap", "pop3")
FOLDERS: Mapping[str, tuple[str, str]] = {
    "ascii": ("Archive", "Archive"),
    "utf8": ("Entwürfe", "Entw&APw-rfe"),
    "ampersand": ("Q&A", "Q&-A"),
}
"""Kind of name → the name as people write it, and as IMAP carries it."""

ACCOUNTS: Mapping[str, Elsewhere] = {
    # What fails comes first: it is to keep nothing from the accounts after it.
    **{f"{protocol}-impostor": Elsewhere(protocol, host=IMPOSTOR_HOST) for protocol in PROTOCOLS},
    **{f"{protocol}-plain": Elsewhere(protocol, "plain") for protocol in PROTOCOLS},
    **{f"{protocol}-starttls": Elsewhere(protocol, "starttls") for protocol in PROTOCOLS},
    **{f"{protocol}-tls": Elsewhere(protocol) for protocol in PROTOCOLS},
    **{f"{protocol}-keep": Elsewhere(protocol, keep=True) for protocol in PROTOCOLS},
    **{
        f"imap-folder-{kind}": Elsewhere("imap", typed=typed, folder=folder, since="2.0")
        for kind, (typed, folder) in FOLDERS.items()
    },
    "imap-scan": Elsewhere("imap", scan=True, since="2.0"),
    LAST: Elsewhere("imap"),
}


@dataclass(frozen=True, slots=True)
class Fetched:
    """What became of the one message in an account: at the world, and in the user's mailbox.

    `rounds` is how often fetchmail came to all accounts, up to `ROUNDS`; `log` is what it logged of this one. `folders`
    has the folder of each copy in the user's mailbox, `content` is the first one's; `unaltered` says whether it has the
    text of the message. `row` is what the user's page shows of the account afterwards, `row_before` at first.
    """

    message: Message
    rounds: int
    log: tuple[str, ...]
    left: DepositedMessage
    visits: tuple[Visit, ...]
    folders: tuple[str, ...]
    content: bytes
    unaltered: bool
    row_before: str
    row: str

    @property
    def logins(self) -> tuple[Visit, ...]:
        """The sessions that gave the right password."""
        return tuple(visit for visit in self.visits if visit.accepted)


@dataclass(frozen=True, slots=True)
class _Rounds:
    """How many there were, what fetchmail logged, and the user's list of accounts before and after them.

    `deadline` is until when all that was fetched has to arrive.
    """

    count: int
    log: tuple[str, ...]
    before: str
    after: str
    deadline: float


async def fetched(probe: Probe, name: str) -> Fetched:
    """What became of one of `ACCOUNTS` after two rounds. Raises NotServed where the form does not take it."""
    found = (await probe.shared(("fetched accounts",), _two_rounds, seconds=SECONDS))[name]
    if isinstance(found, NotServed):
        raise found
    probe.hide_token(found.message.token)
    probe.transcript.message(found.message.message_id)
    for visit in found.visits:
        how = f"{visit.tls or 'no TLS'}, login {'accepted' if visit.accepted else 'refused'}"
        probe.transcript.note(f"fetchmail came to {visit.listener} ({how}): {'; '.join(visit.commands)}")
    for line in found.log:
        probe.transcript.note(f"fetchmail logged: {line}")
    return found


def offered(release: Release) -> dict[str, Elsewhere]:
    """The accounts that the form of a release can describe."""
    return {name: account for name, account in ACCOUNTS.items() if release.since(account.since)}


async def _two_rounds(asker: Probe) -> dict[str, Fetched | NotServed]:
    # Its own transcript: each behaviour shows what was said of its account alone.
    probe, began = Probe(asker.stack, time.time()), time.time()
    word = probe.unique_word()
    asker.hide_token(word)
    accounts = offered(probe.release)
    # Where Rspamd looks at it, SPF fails for what fetchmail brings: a domain without SPF is not greylisted for that.
    messages = {
        name: probe.mail.compose(to=USER.address, sender=f"{name}-{word}@{PUBLIC_NAMES[0]}") for name in accounts
    }
    for name, account in accounts.items():
        await probe.world.deposit(f"{name}-{word}", PASSWORD, messages[name].content, folder=account.folder)
    try:
        refused, before = await _enter(probe, accounts, word)
        ended = (await probe.world.account(f"{LAST}-{word}", ended=ROUNDS, wait=ROUND_SECONDS)).ended
        async with Site.open(probe) as site:
            await site.login(USER.address, USER.password)
            after = (await site.inner_page("/fetch/list")).text
        log = await probe.services.log_since("fetchmail", began)
    finally:
        await _remove(probe, word)
    rounds = _Rounds(min(ended, ROUNDS), tuple(log), before, after, time.monotonic() + ARRIVAL_SECONDS)
    answers: dict[str, Fetched | NotServed] = {
        name: NotServed(Outcome.NOT_OFFERED, Stage.COMMAND) for name in ACCOUNTS if name not in accounts
    }
    for name, account in accounts.items():
        if name in refused:
            answers[name] = refused[name]
            continue
        answers[name] = await _outcome(probe, f"{name}-{word}", account, messages[name], rounds)
    return answers


async def _enter(probe: Probe, accounts: Mapping[str, Elsewhere], word: str) -> tuple[dict[str, NotServed], str]:
    """Put the accounts into the web site; those that it does not take, and the page that lists the others."""
    replies: dict[str, Reply] = {}
    async with Site.open(probe) as site:
        await site.login(USER.address, USER.password)
        for name, account in accounts.items():
            boxes = ("tls", "keep", "scan")
            reply = await site.send_form("/fetch/create", account.form(f"{name}-{word}"), leave_out=boxes)
            replies[name] = Reply(str(reply.status), "", flash(reply.text))
        listed = (await site.inner_page("/fetch/list")).text
    refused = {
        name: NotServed(Outcome.REFUSED, Stage.COMMAND, reply)
        for name, reply in replies.items()
        if not _row(listed, f"{name}-{word}")
    }
    return refused, listed


async def _remove(probe: Probe, word: str) -> None:
    """Take our accounts out of the web site again. What stays does no harm: its password opens what nobody fills."""
    with suppress(NotServed, CannotAsk):
        async with Site.open(probe) as site:
            await site.login(USER.address, USER.password)
            page = (await site.inner_page("/fetch/list")).text
            for name in ACCOUNTS:
                if row := _row(page, f"{name}-{word}"):
                    number = row.partition('"')[0]
                    await site.save(f"/fetch/delete/{number}", {})


def _row(page: str, user: str) -> str:
    """What the list of accounts has of one: its number and everything behind it in its row. Empty for none."""
    rows = (part.partition("</tr>")[0] for part in page.split("/fetch/delete/")[1:])
    return next((row for row in rows if f">{user}<" in row), "")


async def _outcome(probe: Probe, user: str, account: Elsewhere, message: Message, rounds: _Rounds) -> Fetched:
    there = await probe.world.account(user)
    (left,) = there.folders[account.folder]
    async with probe.mailbox(USER) as mailbox:
        # Where nobody read it, there is nothing to wait for.
        wait = max(rounds.deadline - time.monotonic(), 0.0) if left.reads else 0.0
        found = await mailbox.wait_for_message(message.message_id, wait)
    content = found[0].content if found else b""
    return Fetched(
        message,
        rounds.count,
        tuple(line for line in rounds.log if user in line)[:_MOST_LINES],
        left,
        there.visits,
        tuple(copy.folder for copy in found),
        content,
        content.partition(b"\r\n\r\n")[2] == message.body,
        _row(rounds.before, user),
        _row(rounds.after, user),
    )
