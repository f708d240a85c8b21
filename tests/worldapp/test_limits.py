"""The world keeps no more than it can hold, whatever the servers under test send it."""

from __future__ import annotations

import asyncio
import smtplib
from typing import Any

import pytest

from pytest_mailu.stack.world.control import World
from pytest_mailu.wire.transport.errors import CannotAsk
from pytest_mailu.worldapp import journal as journal_module
from pytest_mailu.worldapp.journal import Entry, Journal
from pytest_mailu.worldapp.scripts import Scripts


def entry(content: bytes = b"Message-ID: <a@b>\r\n\r\nx", recipients: int = 1) -> Entry:
    to = tuple((f"{number}@x.example", ()) for number in range(recipients))
    return Entry("mx", "198.18.0.1", "x", "", "", "", "a@b", (), to, "data", "250 ok", True, content)


def kept(journal: Journal) -> list[int]:
    return [one["id"] for one in asyncio.run(journal.wait({}, 1, 0))]


@pytest.mark.parametrize(("limit", "value"), [("MOST_ENTRIES", 3), ("MOST_BYTES", 3 * entry().size)])
def test_the_oldest_messages_go_and_are_counted(monkeypatch: pytest.MonkeyPatch, limit: str, value: int) -> None:
    monkeypatch.setattr(journal_module, limit, value)

    async def fill() -> Journal:
        journal = Journal()
        for _ in range(5):
            await journal.add(entry())
        return journal

    journal = asyncio.run(fill())
    assert (kept(journal), journal.dropped, journal.last) == ([3, 4, 5], 2, 5)


def test_an_answer_holds_no_more_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "MOST_ANSWERED", 2 * entry().size)

    async def fill() -> Journal:
        journal = Journal()
        for _ in range(5):
            await journal.add(entry())
        return journal

    assert kept(asyncio.run(fill())) == [1, 2]


def test_a_message_that_went_is_not_taken_for_one_that_never_came(monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(self: World, request: Any, wait: float = 0.0) -> dict[str, Any]:
        return {"arrivals": [], "complete": False, "dropped": 7}

    monkeypatch.setattr(World, "_ask", answer)
    with pytest.raises(CannotAsk, match="7 of the oldest"):
        asyncio.run(World(None).arrivals(token="x"))  # type: ignore[arg-type]


def test_a_message_has_at_most_a_thousand_recipients(here: Any) -> None:
    with smtplib.SMTP(here.address, here.ports["mx"], local_hostname="x.example", timeout=60) as client:
        client.ehlo()
        client.mail("a@x.example")
        codes = [client.rcpt(f"many-{number}@elsewhere.example")[0] for number in range(1002)]
    assert codes == [250] * 1000 + [452] * 2


def test_tries_of_greylisted_recipients_are_forgotten_before_they_fill_the_memory() -> None:
    scripts = Scripts()
    for number in range(25_000):
        scripts.verdict("rcpt", "mx", "", f"greylist-2-{number}@x.example")
    assert len(scripts._tries) <= 10_000


def test_a_message_id_is_looked_for_in_the_header_only_so_far() -> None:
    assert entry(b"X: y\r\nMessage-ID:\r\n <a@b>\r\n\r\n").message_id == "a@b"
    assert entry(b"X: " + b"y" * 300_000 + b"\r\nMessage-ID: <a@b>\r\n\r\n").message_id == ""
    assert entry(b"Message-ID:" + b" " * 200_000 + b"<a@b>\r\n\r\n").message_id == ""
