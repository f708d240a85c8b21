"""Search in attachments, at a server that finds their words and at such that has a fault."""

from __future__ import annotations

import asyncio
import email
import io
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from enum import StrEnum
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_mailu.behaviours import attachments
from pytest_mailu.core.model import Observation, Outcome, Reply, Stage
from pytest_mailu.probe.messages import Message, compose_message
from pytest_mailu.probe.observations import Observations
from pytest_mailu.wire.transport.errors import NotServed

A, L, R, D = Outcome.ACCEPTED, Outcome.LOST, Outcome.REFUSED, Outcome.DELIVERED


class Fault(StrEnum):
    NONE = "words of attachments are found"
    LATE = "they are found a while later"
    UNREAD = "attachments are not read"
    TWICE = "another message is found as well"
    REFUSED = "without the service, mail is refused"
    BLIND = "without the service, nothing is found"


class Mailu:
    """A probe of a Mailu whose full-text index has what is in attachments."""

    def __init__(self, fault: Fault) -> None:
        self.fault, self.up, self.searches = fault, True, 0
        self.content = b""
        self.mail = self.services = self
        stack: Any = SimpleNamespace(addresses={})
        names = Observations(stack)
        self.seen, self.not_served, self.unique_word = names.seen, names.not_served, names.unique_word

    def compose(self, *, signed: bool = True, **how: Any) -> Message:
        return compose_message(**how)

    async def deliver(self, message: Message) -> Reply:
        if not self.up and self.fault is Fault.REFUSED:
            raise NotServed(R, Stage.DATA, Reply("554"))
        self.content = message.content
        return Reply("250")

    async def in_mailbox(self, message: Message, user: Any, reply: Reply) -> Observation:
        return self.seen(D, Stage.DELIVERY, reply)

    @asynccontextmanager
    async def imap(self, *_: Any, **__: Any) -> AsyncIterator[Any]:
        async def nothing(*_: Any) -> None:
            return None

        yield SimpleNamespace(login=nothing, select=nothing, search=self._search)

    async def _search(self, criteria: str) -> list[int]:
        key, _, word = criteria.partition(" ")
        self.searches += 1
        if key == "SUBJECT":
            subject = email.message_from_bytes(self.content)["Subject"]
            return [1] if word in subject and (self.up or self.fault is not Fault.BLIND) else []
        if self.fault is Fault.UNREAD or (self.fault is Fault.LATE and self.searches < 3):
            return []
        found = [1] if word in self._text() else []
        return [*found, 2] if self.fault is Fault.TWICE else found

    def _text(self) -> str:
        """What stands in the attachment: a PDF as it is, a document of Word unpacked."""
        parts = email.message_from_bytes(self.content).walk()
        (content,) = (part.get_payload(decode=True) for part in parts if part.get_filename())
        assert isinstance(content, bytes)
        if zipfile.is_zipfile(io.BytesIO(content)):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                content = archive.read("word/document.xml")
        return content.decode("latin-1")

    @asynccontextmanager
    async def stopped(self, service: str) -> AsyncIterator[None]:
        assert service == "fts_attachments"
        self.up = False
        try:
            yield
        finally:
            self.up = True

    async def shared(self, key: Any, ask: Callable[[Any], Awaitable[Any]], *, seconds: float) -> Any:
        return await ask(self)


def asked(fault: Fault, behaviour: Any, given: str) -> Observation:
    mailu = Mailu(fault)
    try:
        seen = asyncio.run(behaviour(mailu, given))
    except NotServed as end:
        seen = mailu.not_served(end)
    assert mailu.up
    return seen  # type: ignore[no-any-return]


@pytest.mark.parametrize("kind", attachments.KINDS)
@pytest.mark.parametrize(("fault", "expected"), [(Fault.NONE, A), (Fault.LATE, A), (Fault.UNREAD, L), (Fault.TWICE, L)])
def test_a_word_that_stands_in_an_attachment_alone_is_searched_for(
    monkeypatch: pytest.MonkeyPatch, kind: str, fault: Fault, expected: Outcome
) -> None:
    monkeypatch.setattr(attachments, "PATIENCE", 0.5)
    assert asked(fault, attachments.found, kind).outcome is expected


@pytest.mark.parametrize(
    ("what", "fault", "expected"),
    [
        ("delivery", Fault.NONE, A),
        ("search", Fault.NONE, A),
        ("delivery", Fault.REFUSED, R),
        ("search", Fault.REFUSED, R),
        ("delivery", Fault.BLIND, A),
        ("search", Fault.BLIND, L),
    ],
)
def test_without_the_service_mail_is_there_all_the_same(what: str, fault: Fault, expected: Outcome) -> None:
    assert asked(fault, attachments.without, what).outcome is expected
