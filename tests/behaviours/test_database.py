"""What is asked of a Mailu with a database server: both what serves people and what does not are played."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_mailu.behaviours import database as asked
from pytest_mailu.behaviours import inbound_restarts
from pytest_mailu.behaviours.services import database_stays_up
from pytest_mailu.core.commands import CommandResult
from pytest_mailu.core.errors import StackError
from pytest_mailu.core.model import Outcome, Reply, Stage
from pytest_mailu.core.population import DOMAIN
from pytest_mailu.probe.probe import Probe
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed
from tests.behaviours.local_stack import LocalStack, local_probe
from tests.behaviours.test_inbound_restarts import LATER, Shaky

FAILED = CommandResult(1, "", "sqlalchemy.exc.OperationalError: gone\n")


class Admin:
    """`flask mailu` over a table of users; `stores` says what becomes of a text, `refuses` which imports fail."""

    def __init__(
        self, stores: Callable[[str], str] = lambda text: text, refuses: Callable[[str], bool] = lambda _: False
    ) -> None:
        self.users: dict[str, dict[str, Any]] = {}
        self.stores = stores
        self.refuses = refuses

    def __call__(self, service: str, command: tuple[str, ...]) -> CommandResult:
        assert service == "admin"
        if command[0] == "sh":
            document = command[2].partition("\n")[2].partition("\nEND\n")[0]
            if self.refuses(document):
                return FAILED
            for user in json.loads(document)["user"]:
                kept = {key: self.stores(value) if isinstance(value, str) else value for key, value in user.items()}
                self.users[kept["email"]] = kept
            return CommandResult(0, "", "")
        assert command[2] == "config-export"
        return CommandResult(0, json.dumps({"user": list(self.users.values())}), "")


def text(admin: Admin, kind: str) -> Any:
    return asyncio.run(asked.text(local_probe({}, run=admin), kind))


@pytest.mark.parametrize("kind", asked.TEXTS)
def test_texts_that_are_kept_serve_people(kind: str) -> None:
    seen = text(Admin(), kind)
    assert (seen.outcome, seen.facts["altered"]) == (Outcome.ACCEPTED, {"made": [], "changed": []})


def test_texts_whose_letters_are_lost_do_not() -> None:
    without = Admin(lambda text: re.sub("[^\0-\uffff]", "?", text))
    assert text(without, "cyrillic").outcome is Outcome.ACCEPTED
    seen = text(without, "emoji")
    fields = ["comment", "displayed_name", "reply_body", "reply_subject"]
    assert (seen.outcome, seen.facts["altered"]) == (Outcome.ALTERED, {"made": fields, "changed": fields})


def test_texts_that_are_refused_say_what_was_said() -> None:
    with pytest.raises(NotServed) as caught:
        text(Admin(refuses=lambda _: True), "umlauts")
    assert caught.value.outcome is Outcome.REFUSED
    assert caught.value.reply is not None
    assert "OperationalError: gone" in caught.value.reply.text


@pytest.mark.parametrize(
    ("admin", "outcome"),
    [
        (Admin(), Outcome.ACCEPTED),
        (Admin(refuses=lambda document: len(document) > 300), Outcome.REFUSED),
        (Admin(lambda text: text[:255]), Outcome.ALTERED),
    ],
    ids=["kept", "refused", "cut"],
)
def test_a_text_that_is_too_long_is_kept_refused_or_cut(admin: Admin, outcome: Outcome) -> None:
    assert asyncio.run(asked.too_long(local_probe({}, run=admin))).outcome is outcome


@pytest.mark.parametrize(
    ("admin", "outcome"),
    [
        (Admin(), Outcome.ACCEPTED),
        (Admin(lambda text: text.replace("ß", "ss")), Outcome.ALTERED),
        (Admin(refuses=lambda document: "ß" in document), Outcome.REFUSED),
    ],
    ids=["bytes", "letters", "refused"],
)
def test_addresses_with_similar_letters_are_two_or_one(admin: Admin, outcome: Outcome) -> None:
    assert asyncio.run(asked.similar(local_probe({}, run=admin))).outcome is outcome


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (CommandResult(0, "7ac252f2bbbf (head)\n", "INFO  [alembic] Context impl PostgresqlImpl."), Outcome.ACCEPTED),
        (CommandResult(0, "3b7eee912b41\n", ""), Outcome.REFUSED),
        (CommandResult(0, "", ""), Outcome.REFUSED),
        (CommandResult(0, "INFO (head)\n", ""), Outcome.REFUSED),
    ],
)
def test_a_schema_is_finished_where_alembic_says_so(answer: CommandResult, outcome: Outcome) -> None:
    seen = asyncio.run(asked.schema(local_probe({}, run=lambda *_: answer)))
    assert seen.outcome is outcome


def test_a_schema_that_cannot_be_looked_at_is_no_schema() -> None:
    with pytest.raises(NotServed, match="refused"):
        asyncio.run(asked.schema(local_probe({}, run=lambda *_: FAILED)))


class Postfix:
    """Takes the recipients that `takes` takes; the alias is the last that was made."""

    def __init__(self, takes: Callable[[str, str], bool], otherwise: str = "550") -> None:
        self.takes = takes
        self.otherwise = otherwise
        self.alias = ""

    def probe(self) -> Any:
        probe: Any = local_probe({}, run=self._run)
        probe.smtp = self._smtp
        return probe

    def _run(self, _service: str, command: tuple[str, ...]) -> CommandResult:
        if command[2] == "alias":
            self.alias = command[-3]
        return CommandResult(0, "", "")

    @asynccontextmanager
    async def _smtp(self, *_: Any) -> Any:
        async def mail(_: str) -> None:
            pass

        async def rcpt(address: str) -> None:
            if not self.takes(self.alias, address.removesuffix(f"@{DOMAIN}")):
                raise NotServed(Outcome.REFUSED, Stage.RCPT, Reply(self.otherwise))

        yield SimpleNamespace(mail=mail, rcpt=rcpt)


def like(alias: str, local: str) -> bool:
    return re.fullmatch(re.escape(alias).replace("%", ".*"), local, re.IGNORECASE) is not None


@pytest.mark.parametrize("kind", asked.CASES)
def test_mail_is_taken_in_whatever_case(kind: str) -> None:
    seen = asyncio.run(asked.lookup(Postfix(like).probe(), kind))
    assert seen.outcome is Outcome.ACCEPTED
    assert [name for name, taken in seen.facts.items() if taken] == ["written", "lower", "upper"]


@pytest.mark.parametrize(
    ("takes", "fact", "value"),
    [
        (lambda alias, local: like(alias, local) and local == local.lower(), "upper", False),
        (lambda alias, local: like(alias, local.replace("_", "-")), "other_sign", True),
        (lambda alias, local: like(alias, local.removeprefix("x")), "longer", True),
    ],
    ids=["case", "any-letter", "any-beginning"],
)
def test_mail_that_is_refused_for_its_case_or_taken_for_another_address_is_told(
    takes: Callable[[str, str], bool], fact: str, value: bool
) -> None:
    seen = asyncio.run(asked.lookup(Postfix(takes).probe(), "wildcard"))
    assert (seen.outcome, seen.facts[fact]) == (Outcome.ALTERED, value)


def test_a_lookup_that_fails_is_no_answer() -> None:
    with pytest.raises(NotServed):
        asyncio.run(asked.lookup(Postfix(lambda *_: False, "451").probe(), "alias"))


class WithDatabase(LocalStack):
    databases = ("db", "webmail-database")

    def __init__(self, ended: str = "") -> None:
        super().__init__({})
        self.databases = ("db", "webmail-database")
        self._ended = ended

    async def exit_of(self, service: str) -> StackError | None:
        return StackError("incompatible data", "", ("FATAL: version",)) if service == self._ended else None


@pytest.mark.parametrize(
    ("ended", "outcome"),
    [("", Outcome.ACCEPTED), ("db", Outcome.UNANSWERED), ("webmail-database", Outcome.UNANSWERED)],
)
def test_a_server_that_ends_on_its_data_is_told_with_its_last_words(ended: str, outcome: Outcome) -> None:
    stack: Any = WithDatabase(ended)
    seen = asyncio.run(database_stays_up(Probe(stack, time.time())))
    assert seen.outcome is outcome
    assert [str(event) for event in seen.transcript] == (["FATAL: version"] if ended else [])


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbound_restarts, "RETRY_SECONDS", 0.0)
    monkeypatch.setattr(inbound_restarts, "ARRIVE_SECONDS", 0.2)


def restarted(shaky: Shaky, *, databases: tuple[str, ...] = ("db",)) -> Any:
    probe = shaky.probe()
    probe.stack.databases = databases
    return asyncio.run(asked.restart(probe, "killed"))


def test_mail_that_is_deferred_during_a_restart_is_not_lost(quick: None) -> None:
    seen = restarted(Shaky([LATER, LATER]))
    assert (seen.outcome, seen.facts) == (Outcome.DELIVERED, {"missing": 0, "refused": 0})


def test_mail_that_is_refused_for_good_during_a_restart_is_told(quick: None) -> None:
    refusal = NotServed(Outcome.REFUSED, Stage.RCPT, Reply("550", "5.1.1", "User unknown"))
    seen = restarted(Shaky([refusal]))
    assert (seen.outcome, seen.facts["refused"], seen.reply.enhanced) == (Outcome.REFUSED, 1, "5.1.1")


def test_mail_that_was_taken_and_is_not_there_is_lost(quick: None) -> None:
    seen = restarted(Shaky([], lambda stored: type(stored)(dict(list(stored.items())[1:]))))
    assert (seen.outcome, seen.facts["missing"]) == (Outcome.LOST, 1)


def test_without_a_server_nothing_can_be_restarted() -> None:
    with pytest.raises(CannotAsk, match="no database server"):
        restarted(Shaky([]), databases=())


@pytest.mark.parametrize("fails", [0, 1, asked.LOGINS])
def test_logins_after_a_restart_may_fail_at_first_but_not_for_ever(fails: int, monkeypatch: pytest.MonkeyPatch) -> None:
    left = fails

    async def log_in(*_: Any) -> None:
        nonlocal left
        left -= 1
        if left >= 0:
            raise NotServed(Outcome.AUTH_FAILED, Stage.AUTH)

    monkeypatch.setattr(asked, "log_in", log_in)
    probe = Shaky([]).probe()
    probe.stack.databases = ("db",)
    if fails == asked.LOGINS:
        with pytest.raises(NotServed):
            asyncio.run(asked.login_after_restart(probe))
    else:
        seen = asyncio.run(asked.login_after_restart(probe))
        assert (seen.outcome, seen.facts["failed"]) == (Outcome.ACCEPTED, fails)
