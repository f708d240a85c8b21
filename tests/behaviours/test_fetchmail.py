"""Fetched accounts at a small web site, and a fetchmail that is right or has a fault: what behaviours make of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

from pytest_mailu.behaviours import fetchmail
from pytest_mailu.behaviours.fetched import ACCOUNTS, FOLDERS, ROUNDS
from pytest_mailu.core.model import Observation, Outcome, Stage
from pytest_mailu.core.population import IMPOSTOR_HOST
from pytest_mailu.core.transcript import waited_in_vain
from pytest_mailu.probe.probe import Probe
from pytest_mailu.stack.world.control import WorldAccount
from pytest_mailu.stack.world.plan import PORTS
from pytest_mailu.wire.imap.session import Message
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed
from pytest_mailu.worldapp.mailboxes import Mailboxes, Visit
from tests.behaviours.fake_site import FakeSite, Manner
from tests.behaviours.local_stack import LocalStack

SERVERS = {port: name for name, port in PORTS.items() if name.startswith(("imap", "pop3"))}


class Fault(StrEnum):
    NONE = "none"
    IDLE = "fetchmail never comes"
    ONE_ROUND = "fetchmail comes once"
    NO_LOGIN = "no login succeeds"
    LOSES = "what is fetched is not delivered"
    TWICE = "what is fetched is delivered twice"
    CHANGES = "what is fetched is changed"
    AGAIN = "what is kept is fetched again"
    DELETES = "what is to be kept is deleted"
    KEEPS = "what is not to be kept stays"
    NEEDS_TLS = "a server without TLS is not used"
    NO_STARTTLS = "STARTTLS is not used"
    RAW_NAMES = "names of folders are sent as they are typed"
    TRUSTS_ALL = "any certificate will do"
    NO_SCAN = "the spam filter is left out"
    SAYS_NOTHING = "the page does not show that an account was asked"
    NO_FORM = "the form is refused"


@dataclass
class Site(FakeSite):
    """Mailu's web site as far as fetched accounts go; it is the database of `Fetchmail`."""

    manner: Manner = Manner.SAVES
    accounts: dict[str, dict[str, str]] = field(default_factory=dict)
    checked: str = "-"

    def _page(self, place: str) -> str:
        form = '<input name="csrf_token" value="abc"><input type="checkbox" name="tls" value="y" checked>'
        rows = (
            f'<tr><td><a href="/admin/fetch/edit/{n}"></a><a href="/admin/fetch/delete/{n}"></a></td>'
            f"<td>{made['username']}</td><td>{self.checked}</td></tr>"
            for n, made in self.accounts.items()
        )
        return "".join(rows) if place == "/fetch/list" else form

    def _take(self, place: str, data: dict[str, str]) -> None:
        if place == "/fetch/create":
            self.accounts[str(len(self.accounts) + 1)] = data
        else:
            del self.accounts[place.rpartition("/")[2]]


@dataclass
class Fetchmail:
    """The world's mailboxes, the service that fetches from them, and the mailbox that it delivers to."""

    site: Site
    fault: Fault
    mailboxes: Mailboxes = field(default_factory=Mailboxes)
    delivered: list[bytes] = field(default_factory=list)

    async def deposit(self, account: str, password: str, *messages: bytes, folder: str = "INBOX") -> None:
        self.mailboxes.deposit(account, password, folder, messages)

    async def account(self, name: str, *, ended: int = 0, wait: float = 0.0) -> WorldAccount:
        rounds = {Fault.IDLE: 0, Fault.ONE_ROUND: 1}.get(self.fault, ended)
        for _ in range(rounds):
            for made in self.site.accounts.values():
                await self._fetch(made)
        if rounds and self.fault is not Fault.SAYS_NOTHING:
            self.site.checked = "today"
        return WorldAccount.read(await self.mailboxes.wait(name, 0, 0))

    async def _fetch(self, made: dict[str, str]) -> None:
        listener = SERVERS[int(made["port"])]
        kind = listener.partition("-")[2]
        assert ("tls" in made) == (kind == "tls")
        tls = "" if kind == "plain" or (kind == "starttls" and self.fault is Fault.NO_STARTTLS) else "TLSv1.3"
        if (made["host"] == IMPOSTOR_HOST and self.fault is not Fault.TRUSTS_ALL) or (
            kind == "plain" and self.fault is Fault.NEEDS_TLS
        ):
            return
        visit = Visit(listener, tls)
        password = "wrong" if self.fault is Fault.NO_LOGIN else made["password"]
        account = self.mailboxes.log_in(made["username"], password, visit)
        if account is None:
            return
        names = {} if self.fault is Fault.RAW_NAMES else dict(FOLDERS.values())
        folder = account.folders.get(names.get(made["folders"], made["folders"]))
        keep = ("keep" in made and self.fault is not Fault.DELETES) or self.fault is Fault.KEEPS
        for message in folder.there if folder else []:
            if "\\Seen" in message.flags and self.fault is not Fault.AGAIN:
                continue
            message.reads += 1
            message.flags.add("\\Seen")
            message.there = keep
            self._deliver(message.content, scan="scan" in made)
        await self.mailboxes.end(account, visit)

    def _deliver(self, content: bytes, scan: bool) -> None:
        if scan and self.fault is not Fault.NO_SCAN:
            content = b"X-Spamd-Bar: /\r\n" + content
        if self.fault is Fault.CHANGES:
            content = content.replace(b"Second", b"Third")
        times = {Fault.LOSES: 0, Fault.TWICE: 2}.get(self.fault, 1)
        self.delivered += [content] * times

    async def log_since(self, service: str, moment: float) -> list[str]:
        return [f"Authorization failure on {made['username']}" for made in self.site.accounts.values()]

    async def wait_for_message(self, message_id: str, within: float) -> list[Message]:
        return [Message(1, "INBOX", (), one) for one in self.delivered if message_id.encode() in one]


@pytest.fixture(autouse=True)
def mailbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's mailbox is what was delivered."""

    @asynccontextmanager
    async def opened(probe: Any, user: Any) -> AsyncIterator[Any]:
        yield probe.stack.world

    monkeypatch.setattr(Probe, "mailbox", opened)


async def _asked(
    service: Fetchmail, tmp_path: Path, release: str, ask: Callable[[Probe], Awaitable[Observation]]
) -> Observation:
    if service.fault is Fault.NO_FORM:
        service.site.manner = Manner.FORM_AGAIN

    async with service.site.serving(tmp_path):
        stack = LocalStack({443: service.site.port}, release=release)
        stack.world = service
        stack.services.log_since = service.log_since
        probe = Probe(stack, time.time())  # type: ignore[arg-type]
        try:
            return await ask(probe)
        except NotServed as end:
            return probe.not_served(end)


def asked(tmp_path: Path, behaviour: Any, given: tuple[str, ...], fault: Fault, release: str = "2.0.43") -> Observation:
    service = Fetchmail(Site(), fault)
    seen = asyncio.run(_asked(service, tmp_path, release, lambda probe: behaviour(probe, *given)))
    if fault is not Fault.NO_FORM:
        assert service.site.accounts == {}, "accounts are taken out again"
    return seen


D, L, X = Outcome.DELIVERED, Outcome.LOST, Outcome.ALTERED
A, R, N = Outcome.ACCEPTED, Outcome.REFUSED, Outcome.NOT_OFFERED


@pytest.mark.parametrize(
    ("behaviour", "given", "fault", "expected"),
    [
        (fetchmail.with_tls, ("imap",), Fault.NONE, D),
        (fetchmail.with_tls, ("pop3",), Fault.NONE, D),
        (fetchmail.with_tls, ("imap",), Fault.IDLE, L),
        (fetchmail.with_tls, ("imap",), Fault.NO_LOGIN, L),
        (fetchmail.with_tls, ("pop3",), Fault.LOSES, L),
        (fetchmail.with_tls, ("pop3",), Fault.TWICE, X),
        (fetchmail.with_tls, ("imap",), Fault.CHANGES, X),
        (fetchmail.with_tls, ("imap",), Fault.NO_FORM, R),
        (fetchmail.without_tls, ("imap", "plain"), Fault.NONE, D),
        (fetchmail.without_tls, ("pop3", "plain"), Fault.NEEDS_TLS, L),
        (fetchmail.without_tls, ("imap", "starttls"), Fault.NEEDS_TLS, D),
        (fetchmail.unencrypted, ("imap",), Fault.NONE, R),
        (fetchmail.unencrypted, ("pop3",), Fault.NO_STARTTLS, A),
        (fetchmail.not_kept, ("imap",), Fault.NONE, A),
        (fetchmail.not_kept, ("pop3",), Fault.KEEPS, R),
        (fetchmail.not_kept, ("imap",), Fault.LOSES, L),
        (fetchmail.kept, ("imap",), Fault.NONE, A),
        (fetchmail.kept, ("pop3",), Fault.DELETES, L),
        (fetchmail.kept, ("pop3",), Fault.IDLE, N),
        (fetchmail.once, ("imap",), Fault.NONE, D),
        (fetchmail.once, ("pop3",), Fault.AGAIN, X),
        (fetchmail.once, ("pop3",), Fault.IDLE, L),
        (fetchmail.folder, ("ascii",), Fault.RAW_NAMES, D),
        (fetchmail.folder, ("utf8",), Fault.NONE, D),
        (fetchmail.folder, ("utf8",), Fault.RAW_NAMES, L),
        (fetchmail.folder, ("ampersand",), Fault.RAW_NAMES, L),
        (fetchmail.scanned, (), Fault.NONE, D),
        (fetchmail.scanned, (), Fault.LOSES, L),
        (fetchmail.wrong_certificate, ("imap",), Fault.NONE, R),
        (fetchmail.wrong_certificate, ("pop3",), Fault.TRUSTS_ALL, A),
        (fetchmail.last_check, (), Fault.NONE, A),
        (fetchmail.last_check, (), Fault.SAYS_NOTHING, N),
    ],
)
def test_fetchmail_is_judged_by_what_it_does(
    tmp_path: Path, behaviour: Any, given: tuple[str, ...], fault: Fault, expected: Outcome
) -> None:
    assert asked(tmp_path, behaviour, given, fault).outcome is expected


@pytest.mark.parametrize(
    ("behaviour", "given", "fault"),
    [
        (fetchmail.wrong_certificate, ("imap",), Fault.IDLE),
        (fetchmail.unencrypted, ("imap",), Fault.IDLE),
        (fetchmail.once, ("imap",), Fault.ONE_ROUND),
    ],
)
def test_what_was_not_tried_often_enough_shows_nothing(
    tmp_path: Path, behaviour: Any, given: tuple[str, ...], fault: Fault
) -> None:
    with pytest.raises(CannotAsk):
        asked(tmp_path, behaviour, given, fault)


def test_a_filter_that_is_left_out_is_told(tmp_path: Path) -> None:
    facts = [asked(tmp_path, fetchmail.scanned, (), fault).facts for fault in (Fault.NONE, Fault.NO_SCAN)]
    assert [found["scanned"] for found in facts] == [True, False]


@pytest.mark.parametrize(
    ("behaviour", "given", "fault", "stage"),
    [
        (fetchmail.with_tls, ("imap",), Fault.IDLE, Stage.AUTH),
        (fetchmail.folder, ("utf8",), Fault.RAW_NAMES, Stage.COMMAND),
        (fetchmail.with_tls, ("imap",), Fault.LOSES, Stage.DELIVERY),
    ],
)
def test_what_is_lost_says_how_far_it_came(
    tmp_path: Path, behaviour: Any, given: tuple[str, ...], fault: Fault, stage: Stage
) -> None:
    async def ask(probe: Probe) -> Observation:
        seen = await behaviour(probe, *given)
        return probe.with_facts(seen, waited=waited_in_vain(probe.transcript.events))

    seen = asyncio.run(_asked(Fetchmail(Site(), fault), tmp_path, "2.0.43", ask))
    assert seen.stage is stage
    assert seen.facts["waited"], "on a machine that is too busy, it is a time-out (`judging.starvation`)"


def test_a_behaviour_shows_what_was_said_of_its_own_account(tmp_path: Path) -> None:
    async def ask(probe: Probe) -> Observation:
        await fetchmail.with_tls(probe, "pop3")
        return probe.seen(D, Stage.DELIVERY, said=[event.text for event in probe.transcript.events])

    said = asyncio.run(_asked(Fetchmail(Site(), Fault.NONE), tmp_path, "2.0.43", ask)).facts["said"]
    assert said == [
        "message <<token>@example.org>",
        *["fetchmail came to pop3-tls (TLSv1.3, login accepted): "] * 2,
        "fetchmail logged: Authorization failure on pop3-tls-<token>",
    ]


def test_a_series_is_asked_for_what_its_form_can_say(tmp_path: Path) -> None:
    assert asked(tmp_path, fetchmail.folder, ("utf8",), Fault.NONE, "1.9.50").outcome is N
    assert asked(tmp_path, fetchmail.scanned, (), Fault.NONE, "1.9.50").outcome is N
    assert asked(tmp_path, fetchmail.with_tls, ("imap",), Fault.NONE, "1.9.50").outcome is D


def test_all_behaviours_share_two_rounds(tmp_path: Path) -> None:
    service = Fetchmail(Site(), Fault.NONE)

    async def ask(probe: Probe) -> Observation:
        probes = [Probe(probe.stack, time.time(), "circle") for _ in range(2)]
        seen = await asyncio.gather(fetchmail.with_tls(probes[0], "imap"), fetchmail.kept(probes[1], "pop3"))
        assert [one.outcome for one in seen] == [D, A]
        return probe.seen(D, Stage.DELIVERY)

    asyncio.run(_asked(service, tmp_path, "2.0.43", ask))
    created = [line for line in service.site.asked if line == "POST /admin/fetch/create"]
    assert (len(created), ROUNDS) == (len(ACCOUNTS), 2)
