"""What optional services keep, before and after an upgrade: each loss is told by its behaviour, and nothing else is."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path
from typing import Any

import pytest

from pytest_mailu.behaviours import Behaviour, built_in, upgrade_fetched
from pytest_mailu.core.commands import CommandResult
from pytest_mailu.core.model import Outcome, Verdict
from pytest_mailu.judging.advice import Advisor
from pytest_mailu.judging.judge import judge
from pytest_mailu.probe.probe import Probe
from pytest_mailu.stack.world.control import WorldAccount
from pytest_mailu.wire.imap.session import Message
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed
from pytest_mailu.worldapp.mailboxes import Mailboxes, Visit
from tests.behaviours import test_fetchmail as fetches
from tests.behaviours.fake_roundcube import START, FakeRoundcube
from tests.behaviours.fake_site import FakeSite, Manner
from tests.behaviours.fake_web_mail import Fault
from tests.behaviours.local_stack import LocalStack
from tests.behaviours.test_webdav import FakeDav

MATRIX = {behaviour.id: behaviour for behaviour in built_in() if behaviour.in_place}


@dataclass
class Rehearsed:
    """Lives in a site, looks, has it upgraded, and looks again. `upgrade` changes what is there as a fault would."""

    site: FakeSite
    folder: Path
    upgrade: Callable[[], None] = lambda: None
    run: Any = None
    world: Any = None
    seconds: float = 0.2
    """How long a look after the upgrade takes."""
    memory: MutableMapping[str, str] = field(default_factory=dict)

    def verdicts(self, *ids: str) -> dict[str, Verdict]:
        """What is told of each behaviour."""
        return asyncio.run(self._verdicts([MATRIX[id_] for id_ in ids]))

    async def _verdicts(self, behaviours: list[Behaviour]) -> dict[str, Verdict]:
        async with self.site.serving(self.folder):
            for live in {behaviour.live: None for behaviour in behaviours}:
                assert live is not None
                await live(self._probe(upgraded=False))
            before = {each.id: [await self._look(each, upgraded=False) for _ in range(2)] for each in behaviours}
            self.upgrade()
            after = {each.id: [await self._look(each, upgraded=True)] for each in behaviours}
        for each in behaviours:
            assert judge(each.question, before[each.id], before[each.id]).verdict is Verdict.SAME, before[each.id]
            assert before[each.id][0].outcome is each.question.wanted
        return {
            each.id: judge(each.question, before[each.id], after[each.id], each.volatile).verdict for each in behaviours
        }

    async def _look(self, behaviour: Behaviour, *, upgraded: bool) -> Any:
        probe = self._probe(upgraded=upgraded)
        try:
            seen = await behaviour.ask(probe)
        except NotServed as end:
            seen = probe.not_served(end)
        return replace(seen, seconds=self.seconds if upgraded else 0.2)

    def _probe(self, *, upgraded: bool) -> Probe:
        more = {} if self.run is None else {"run": self.run}
        stack = LocalStack({443: self.site.port}, **more)
        stack.memory, stack.upgraded = self.memory, upgraded
        stack.world = self.world
        return Probe(stack, time.time(), "after" if upgraded else None)  # type: ignore[arg-type]


def told(verdicts: dict[str, Verdict]) -> set[str]:
    """The ids of what regressed; everything else is the same."""
    assert set(verdicts.values()) <= {Verdict.SAME, Verdict.REGRESSED}, verdicts
    return {id_ for id_, verdict in verdicts.items() if verdict is Verdict.REGRESSED}


# Calendars and address books


@dataclass
class KeptDav(FakeDav):
    """It knows the names that programs show as well."""

    shown: dict[str, str] = field(default_factory=dict)

    def _do(self, method: str, path: str, user: str) -> tuple[int, str, str]:
        status, location, text = super()._do(method, path, user)
        if method == "MKCOL":
            self.shown[path] = self.body.partition("<displayname>")[2].partition("<")[0]
        name = f"<displayname>{self.shown.get(path, '')}</displayname>"
        return status, location, text.replace("<resourcetype>", f"{name}<resourcetype>")


DAV = ("upgrade/webdav/calendar", "upgrade/webdav/contacts")


def lose_entry(places: dict[str, str], suffix: str) -> None:
    del places[next(path for path in places if path.endswith(suffix))]


def alter(places: dict[str, str], suffix: str, old: str, new: str) -> None:
    path = next(path for path in places if path.endswith(suffix))
    assert old in places[path]
    places[path] = places[path].replace(old, new)


@pytest.mark.parametrize(
    ("fault", "caught"),
    [
        (lambda places: None, set()),
        (lambda places: lose_entry(places, "/birthday.ics"), {DAV[0]}),
        (lambda places: lose_entry(places, "/olga.vcf"), {DAV[1]}),
        (lambda places: alter(places, "/meeting.ics", "RRULE:FREQ=WEEKLY;COUNT=10\r\n", ""), {DAV[0]}),
        (lambda places: alter(places, "/to-do.ics", "UID:task-1", "UID:task-2"), {DAV[0]}),
        (lambda places: alter(places, "/zoe.vcf", "Zoë", "Zo?"), {DAV[1]}),
        (lambda places: places.clear(), set(DAV)),
    ],
    ids=["nothing", "event lost", "card lost", "repetition lost", "another UID", "another name", "everything lost"],
)
def test_what_is_lost_of_calendars_and_address_books_is_told(
    fault: Callable[[dict[str, str]], None], caught: set[str], tmp_path: Path
) -> None:
    site = KeptDav()
    assert told(Rehearsed(site, tmp_path, lambda: fault(site.places)).verdicts(*DAV)) == caught


def test_a_calendar_without_its_name_is_told(tmp_path: Path) -> None:
    site = KeptDav()
    assert told(Rehearsed(site, tmp_path, site.shown.clear).verdicts(*DAV)) == set(DAV)


def test_an_entry_that_is_only_written_otherwise_is_no_loss(tmp_path: Path) -> None:
    site = KeptDav()

    def fold() -> None:
        alter(site.places, "/zoe.vcf", "zoe@elsewhere.example", "zoe@else\r\n where.example")

    verdicts = Rehearsed(site, tmp_path, fold).verdicts(*DAV)
    assert verdicts == {DAV[0]: Verdict.SAME, DAV[1]: Verdict.CHANGED}


# Web mail

WEB_MAIL = ("upgrade/webmail/contacts", "upgrade/webmail/identities")


@dataclass
class KeptRoundcube(FakeRoundcube):
    """It keeps contacts with their groups, and identities, as Roundcube's database does."""

    contacts: list[dict[str, str]] = field(default_factory=list)
    groups: dict[str, str] = field(default_factory=dict)
    identities: dict[str, dict[str, str]] = field(default_factory=lambda: {"1": {"_name": "", "_email": "new"}})

    def inside(self, query: str, asked: dict[str, str]) -> tuple[int, str, str]:
        match asked.get("_task"), asked.get("_action"):
            case "addressbook", "group-create":
                self.groups["5"] = asked["_name"]
                return 200, "", json.dumps({"exec": 'this.insert_contact_group({"source":"0","id":5});'})
            case "addressbook", "save":
                self.contacts.append(asked)
                return 200, "", 'rcmail.display_message("Saved.","confirmation");'
            case "addressbook", "export":
                return 200, "", "".join(map(self._card, self.contacts))
            case "mail", "compose":
                options = "".join(f'<option value="{number}">{number}</option>' for number in self.identities)
                return 200, "", f'{START}<select name="_from">{options}</select>'
            case "settings", "edit-identity":
                fields = self.identities[asked["_iid"]].items()
                return 200, "", "".join(self._field(name, value) for name, value in fields)
            case "settings", "save-identity":
                self.identities[asked["_iid"] or "2"] = asked
                return 200, "", 'rcmail.display_message("Saved.","confirmation");'
        return super().inside(query, asked)

    def _card(self, contact: dict[str, str]) -> str:
        more = [f"CATEGORIES:{self.groups[contact['_gid']]}"] if contact.get("_gid") in self.groups else []
        said = [f"N:{contact['_surname']};{contact['_firstname']}", f"EMAIL;TYPE=home:{contact['_email[]']}", *more]
        return "\r\n".join(["BEGIN:VCARD", "VERSION:3.0", *said, "END:VCARD", ""])

    @staticmethod
    def _field(name: str, value: str) -> str:
        if name == "_signature":
            return f'<textarea name="{name}">{value}</textarea>'
        if name == "_standard":
            return f'<input type="checkbox" name="{name}" value="1" {"checked" if value else ""}>'
        return f'<input name="{name}" value="{escape(value)}">'


@pytest.mark.parametrize(
    ("fault", "caught"),
    [
        (lambda site: None, set()),
        (lambda site: site.contacts.pop(), {WEB_MAIL[0]}),
        (lambda site: site.contacts[0].update(_surname="OHara"), {WEB_MAIL[0]}),
        (lambda site: site.groups.clear(), {WEB_MAIL[0]}),
        (lambda site: site.identities.pop("2"), {WEB_MAIL[1]}),
        (lambda site: site.identities["1"].update(_signature="--"), {WEB_MAIL[1]}),
        (lambda site: site.identities["1"].update(_standard=""), {WEB_MAIL[1]}),
        (lambda site: site.identities.update({"1": {"_name": "", "_email": "new"}}), {WEB_MAIL[1]}),
    ],
    ids=["nothing", "contact", "name", "group", "identity", "signature", "the usual one", "name of an identity"],
)
def test_what_is_lost_of_contacts_and_identities_is_told(
    fault: Callable[[KeptRoundcube], object], caught: set[str], tmp_path: Path
) -> None:
    site = KeptRoundcube()
    assert told(Rehearsed(site, tmp_path, lambda: void(fault(site))).verdicts(*WEB_MAIL)) == caught


def void(_: object) -> None:
    """For what has an answer that nobody needs."""


def test_web_mail_that_does_not_open_any_more_has_lost_both(tmp_path: Path) -> None:
    site = KeptRoundcube()

    def shut() -> None:
        site.fault = Fault.BACK_TO_LOGIN

    assert told(Rehearsed(site, tmp_path, shut).verdicts(*WEB_MAIL)) == set(WEB_MAIL)


# Fetched accounts

FETCHED = tuple(f"upgrade/fetched/{name}" for name in upgrade_fetched.ACCOUNTS)


@dataclass
class Fetchmail:
    """The world's mailboxes, and a fetchmail that comes whenever somebody waits for it.

    It remembers what it has fetched by POP3 of what is kept there, as `--idfile` does.
    """

    site: fetches.Site
    mailboxes: Mailboxes = field(default_factory=Mailboxes)
    delivered: list[bytes] = field(default_factory=list)
    known: set[tuple[str, int]] = field(default_factory=set)
    comes: bool = True
    times: int = 1

    async def deposit(self, account: str, password: str, *messages: bytes, folder: str = "INBOX") -> None:
        self.mailboxes.deposit(account, password, folder, messages)

    async def account(self, name: str, *, ended: int = 0, wait: float = 0.0) -> WorldAccount:
        for _ in range(ended):
            await self._round()
        try:
            return WorldAccount.read(await self.mailboxes.wait(name, 0, 0))
        except ValueError as error:
            raise CannotAsk(str(error)) from error

    async def wait_for_message(self, message_id: str, within: float) -> list[Message]:
        if within:
            await self._round()
        return [Message(1, "INBOX", (), each) for each in self.delivered if message_id.encode() in each]

    async def _round(self) -> None:
        for made in self.site.accounts.values() if self.comes else ():
            visit = Visit("a listener", "TLSv1.3")
            account = self.mailboxes.log_in(made["username"], made["password"], visit)
            if account is None:
                continue
            for message in account.folders["INBOX"].there:
                key = (made["username"], message.uid)
                if "keep" not in made or key not in self.known:
                    self.delivered += [message.content] * self.times
                self.known.add(key)
                message.there = "keep" in made
            await self.mailboxes.end(account, visit)


@pytest.fixture
def mailbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's mailbox is what was delivered."""

    @asynccontextmanager
    async def opened(probe: Any, user: Any) -> AsyncIterator[Any]:
        yield probe.stack.world

    monkeypatch.setattr(Probe, "mailbox", opened)


def remove_account(service: Fetchmail, user: str) -> None:
    accounts = service.site.accounts
    del accounts[next(key for key, made in accounts.items() if made["username"] == user)]


@pytest.mark.usefixtures("mailbox")
@pytest.mark.parametrize(
    ("fault", "caught"),
    [
        (lambda service: None, set()),
        (lambda service: remove_account(service, "lived-in-imap"), {FETCHED[0]}),
        (lambda service: remove_account(service, "lived-in-pop3"), {FETCHED[1]}),
        (lambda service: service.known.clear(), {FETCHED[2]}),
        (lambda service: vars(service).update(times=2), set(FETCHED)),
        (lambda service: vars(service).update(comes=False), set(FETCHED)),
    ],
    ids=["nothing", "an account", "another account", "what was fetched", "fetched twice", "fetchmail never comes"],
)
def test_accounts_are_fetched_from_after_the_upgrade_and_kept_mail_not_again(
    fault: Callable[[Fetchmail], object], caught: set[str], tmp_path: Path
) -> None:
    service = Fetchmail(fetches.Site())

    def upgrade() -> None:
        service.mailboxes = Mailboxes()  # the new release has a world of its own
        fault(service)

    # On 2024.06.24 → .57 the rounds of fetchmail took 7 s, which was told as a difference.
    rehearsed = Rehearsed(service.site, tmp_path, upgrade, world=service, seconds=7.4)
    assert told(rehearsed.verdicts(*FETCHED)) == caught


@pytest.mark.usefixtures("mailbox")
def test_a_second_step_of_the_upgrade_finds_the_same(tmp_path: Path) -> None:
    """Each step has a world of its own, in which kept messages have the same numbers as in the one before."""
    service = Fetchmail(fetches.Site())
    rehearsed = Rehearsed(service.site, tmp_path, world=service)
    rehearsed.upgrade = lambda: vars(service).update(mailboxes=Mailboxes())
    assert not told(rehearsed.verdicts(*FETCHED))

    async def again() -> dict[str, Outcome | None]:
        async with service.site.serving(tmp_path):
            service.mailboxes = Mailboxes()
            return {id_: (await rehearsed._look(MATRIX[id_], upgraded=True)).outcome for id_ in FETCHED}

    assert asyncio.run(again()) == dict.fromkeys(FETCHED, Outcome.DELIVERED)


@dataclass
class Admin:
    """The command line: what is imported is exported again. `added` is what a later release adds to each account."""

    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    added: dict[str, Any] = field(default_factory=dict)

    def __call__(self, service: str, command: tuple[str, ...]) -> CommandResult:
        if "config-export" not in command:
            self.users |= {user["email"]: user for user in json.loads(command[-1])["user"]}
            return CommandResult(0, "", "")
        users = [{**user, "fetches": [each | self.added for each in user["fetches"]]} for user in self.users.values()]
        return CommandResult(0, json.dumps({"user": [{"email": "bob@post.example"}, *users]}), "")

    @property
    def fetches(self) -> list[dict[str, Any]]:
        """The accounts of the one user."""
        (user,) = self.users.values()
        found: list[dict[str, Any]] = user["fetches"]
        return found


@pytest.mark.parametrize(
    ("fault", "caught"),
    [
        (lambda admin: admin.added.update(invisible=False, last_check="today", id=7), False),
        (lambda admin: admin.fetches.pop(), True),
        (lambda admin: admin.fetches[0].update(keep=False), True),
        (lambda admin: admin.fetches[0].pop("folders"), True),
        (lambda admin: admin.fetches[1].update(password="another"), True),
    ],
    ids=["a field more", "account", "keep", "folders", "password"],
)
def test_what_is_set_for_fetched_accounts_is_kept(
    fault: Callable[[Admin], object], caught: bool, tmp_path: Path
) -> None:
    admin, id_ = Admin(), "upgrade/fetched/accounts"
    rehearsed = Rehearsed(FakeSite(Manner.SAVES), tmp_path, lambda: void(fault(admin)), run=admin)
    assert told(rehearsed.verdicts(id_)) == ({id_} if caught else set())


def test_no_password_of_a_fetched_account_is_shown(tmp_path: Path) -> None:
    admin = Admin()
    rehearsed = Rehearsed(FakeSite(Manner.SAVES), tmp_path, run=admin)
    rehearsed.verdicts("upgrade/fetched/accounts")
    seen = asyncio.run(rehearsed._look(MATRIX["upgrade/fetched/accounts"], upgraded=True))
    assert admin.fetches[0]["password"] not in str(seen)


# The database of `admin`

MIGRATION_LOG = """INFO  [alembic.runtime.migration] Running upgrade fdff7f84d363 -> 9a5866105f5a, Lowercase
Traceback (most recent call last):
  File "/app/migrations/versions/9a5866105f5a_.py", line 96, in upgrade
    raise RuntimeError(
RuntimeError: Cannot lowercase e-mail addresses: the following case-only duplicates exist
  anna@kontor.example: Anna@kontor.example, anna@kontor.example
[INFO] Starting gunicorn
"""
SILENT_LOG = """INFO  [alembic.runtime.migration] Running upgrade 31f40da48c01 -> fdff7f84d363, Add invisible column
INFO  [alembic.runtime.migration] Running upgrade fdff7f84d363 -> 9a5866105f5a, Lowercase existing mixed-case localparts
[INFO] Starting gunicorn
"""
"""What master logged on 2024.06.57 → master, with two addresses that differ in case only."""


@pytest.mark.parametrize(
    ("version", "log", "outcome", "said"),
    [
        ("9a5866105f5a (head)", MIGRATION_LOG, Outcome.ACCEPTED, ""),
        ("fdff7f84d363", MIGRATION_LOG, Outcome.LOST, "admin: RuntimeError: Cannot lowercase e-mail addresses"),
        (
            "fdff7f84d363",
            SILENT_LOG,
            Outcome.LOST,
            "admin: INFO  [alembic.runtime.migration] Running upgrade fdff7f84d363",
        ),
        ("fdff7f84d363", "[INFO] Starting gunicorn\n", Outcome.LOST, ""),
    ],
)
def test_a_migration_that_failed_is_told_with_the_service_and_its_log_lines(
    version: str, log: str, outcome: Outcome, said: str
) -> None:
    async def startup_log(service: str) -> list[str]:
        assert service == "admin"
        return log.splitlines()

    stack = LocalStack({}, run=lambda *_: CommandResult(0, f"{version}\n", ""))
    stack.services.startup_log = startup_log
    seen = asyncio.run(MATRIX["upgrade/admin/schema"].ask(Probe(stack, time.time())))  # type: ignore[arg-type]
    assert seen.outcome is outcome
    assert (seen.reply.text if seen.reply else "").startswith(said)
    shown = [event.text for event in seen.transcript]
    told_twins = outcome is Outcome.LOST and log == MIGRATION_LOG
    assert ("  anna@kontor.example: Anna@kontor.example, anna@kontor.example" in shown) is told_twins
    assert bool(shown) is (outcome is Outcome.LOST)


@pytest.mark.parametrize("log", [MIGRATION_LOG, SILENT_LOG])
def test_what_to_do_for_addresses_that_differ_in_case_only_is_advised(log: str) -> None:
    async def startup_log(_: str) -> list[str]:
        return log.splitlines()

    behaviour = MATRIX["upgrade/admin/schema"]
    found = []
    for version in ("0ba45693748d (head)", "fdff7f84d363"):
        stack = LocalStack({}, run=lambda *_, version=version: CommandResult(0, f"{version}\n", ""))
        stack.services.startup_log = startup_log
        found.append(asyncio.run(behaviour.ask(Probe(stack, time.time()))))  # type: ignore[arg-type]
    comparison = judge(behaviour.question, found[:1], found[1:])
    advice = Advisor.load().advise(comparison, "2024.06.57", "master")
    assert [each.id for each in advice] == ["upgrade-case-only-twins"]
