"""Messages during restarts: what is missing, what is doubled, and what may be doubled."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_mailu.behaviours import inbound_restarts
from pytest_mailu.core.model import Outcome, Reply, Stage
from pytest_mailu.wire.transport.errors import HUNG_UP, CannotAsk, NotServed
from tests.behaviours.local_stack import local_probe


class Shaky:
    """An SMTP server and a mailbox. `ends` says how each DATA ends in turn: an exception, or well."""

    def __init__(self, ends: list[Exception | None], copies: Any = lambda stored: stored) -> None:
        self.ends = ends
        self.stored: Counter[str] = Counter()
        self.copies = copies
        self.flushes = 0
        self.queue: list[str] = []

    def probe(self) -> Any:
        probe: Any = local_probe({})
        probe.stack.services = SimpleNamespace(start_again=self._nothing, exec=self._exec)
        probe.smtp, probe.mailbox = self._smtp, self._mailbox
        return probe

    async def _nothing(self, *_: Any, **__: Any) -> None:
        return None

    async def _exec(self, _service: str, _command: str, option: str) -> Any:
        if option == "-f":
            self.flushes += 1
        return SimpleNamespace(output="\n".join(self.queue))

    @asynccontextmanager
    async def _smtp(self, *_: Any, **__: Any) -> Any:
        yield SimpleNamespace(mail=self._nothing, rcpt=self._nothing, data=self._data)

    async def _data(self, content: bytes) -> None:
        end = self.ends.pop(0) if self.ends else None
        if end is None or end.outcome is Outcome.UNANSWERED:
            self.stored[content.partition(b"Message-ID: ")[2].partition(b"\r\n")[0].decode()] += 1
        if end is not None:
            raise end

    @asynccontextmanager
    async def _mailbox(self, user: Any) -> Any:
        async def fetch(*_: Any) -> Any:
            ids = self.copies(self.stored).elements()
            return {number: {"HEADER": f"Message-ID: {id_}\r\n".encode()} for number, id_ in enumerate(ids)}

        async def select(folder: str, **_: Any) -> None:
            if folder != "INBOX":
                raise NotServed(Outcome.REFUSED, Stage.COMMAND)

        yield SimpleNamespace(select=select, fetch=fetch)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbound_restarts, "RETRY_SECONDS", 0.0)
    monkeypatch.setattr(inbound_restarts, "ARRIVE_SECONDS", 0.2)


def ask(shaky: Shaky, count: int = 12) -> Any:
    return asyncio.run(inbound_restarts.nothing_lost(shaky.probe(), count))


LATER = NotServed(Outcome.DEFERRED, Stage.DATA, Reply("451", "4.3.0", "later"))


def test_what_is_put_off_is_tried_again_until_all_are_there_once() -> None:
    shaky = Shaky([LATER, None, LATER, LATER])
    seen = ask(shaky)
    assert (seen.outcome, seen.facts) == (Outcome.DELIVERED, {"missing": 0, "doubled": 0, "refused": 0})
    assert len(shaky.stored) == 12


def test_a_message_that_was_accepted_and_is_not_there_is_lost() -> None:
    def without_one(stored: Counter[str]) -> Counter[str]:
        return Counter(dict(list(stored.items())[1:]))

    seen = ask(Shaky([], without_one))
    assert (seen.outcome, seen.facts["missing"]) == (Outcome.LOST, 1)


def test_what_postfix_put_off_is_tried_again_until_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen with 2.0.43 on a busy machine: put off after the one flush, and told as lost 90 s later."""
    monkeypatch.setattr(inbound_restarts, "FLUSH_SECONDS", 0.0)
    monkeypatch.setattr(inbound_restarts, "ARRIVE_SECONDS", 30.0)

    def after_the_second_flush(stored: Counter[str]) -> Counter[str]:
        return stored if shaky.flushes > 1 else Counter(dict(list(stored.items())[1:]))

    shaky = Shaky([], after_the_second_flush)
    assert ask(shaky).outcome is Outcome.DELIVERED
    assert shaky.flushes == 2


def test_what_is_still_in_the_queue_is_not_lost() -> None:
    shaky = Shaky([], lambda stored: Counter(dict(list(stored.items())[1:])))
    shaky.queue = [f'{{"recipients": [{{"address": "{inbound_restarts.READER.address}"}}]}}', '{"recipients": []}']
    with pytest.raises(CannotAsk, match="1 messages are still in the queue"):
        ask(shaky)


@pytest.mark.parametrize(("doubled", "outcome", "beyond"), [(40, Outcome.DELIVERED, 0), (42, Outcome.ALTERED, 2)])
def test_second_copies_are_a_fault_beyond_those_of_deliveries_cut_off(
    doubled: int, outcome: Outcome, beyond: int
) -> None:
    """Seen with 2.0.43: one delivery to `imap` was cut off before its reply, and Postfix rightly tried again."""
    seen = ask(Shaky([], lambda stored: stored + Counter(dict(list(stored.items())[:doubled]))), count=50)
    assert (seen.outcome, seen.facts["doubled"]) == (outcome, beyond)


def test_a_second_copy_is_no_fault_where_the_sender_was_left_without_a_reply(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbound_restarts, "CUT_OFF", 0)
    seen = ask(Shaky([], lambda stored: stored + Counter(dict(list(stored.items())[:2]))))
    assert (seen.outcome, seen.facts["doubled"]) == (Outcome.ALTERED, 2)
    assert ask(Shaky([NotServed(Outcome.UNANSWERED, Stage.DATA, HUNG_UP)])).outcome is Outcome.DELIVERED


def test_a_refusal_for_good_during_a_restart_is_told() -> None:
    seen = ask(Shaky([NotServed(Outcome.REFUSED, Stage.DATA, Reply("550", "5.4.4", "no such host"))]))
    assert (seen.outcome, seen.facts["refused"], seen.reply.enhanced) == (Outcome.REFUSED, 1, "5.4.4")
