from __future__ import annotations

import asyncio
import email
import email.policy
from contextlib import asynccontextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_mailu.behaviours import inbound_away, inbound_content, inbound_down
from pytest_mailu.core.model import Outcome, Reply, Stage
from pytest_mailu.probe.messages import Message, compose_message
from pytest_mailu.stack.world.dkim import public_record, strangers_key, verify
from pytest_mailu.wire.transport.errors import HUNG_UP, NotServed


class Recorder:
    """A probe that takes letters as `take` says, and whose world has `arrivals`."""

    def __init__(self, take: list[Any] | None = None) -> None:
        self.sent: list[Message] = []
        self.answers: dict[str, int] = {}
        self.take = take or []
        self.world = SimpleNamespace(arrivals=self._arrivals)
        self.mail = self.services = self
        self.words = iter("abcdefgh")

    def unique_word(self) -> str:
        return next(self.words)

    def compose(self, *, signed: bool = True, **how: Any) -> Message:
        return compose_message(**how)

    @asynccontextmanager
    async def smtp(self, *_: Any, **__: Any) -> Any:
        async def send(sender: str, recipients: Any, content: bytes) -> Any:
            made = compose_message(to=recipients, sender=sender)
            return SimpleNamespace(reply=await self.deliver(replace(made, content=content)))

        yield SimpleNamespace(send=send)

    async def deliver(self, sent: Message, *more: Any) -> Reply:
        self.sent.append(sent)
        said = self.take.pop(0) if self.take else Reply("250")
        if isinstance(said, Exception):
            raise said
        return said

    @asynccontextmanager
    async def mailbox(self, user: Any) -> Any:
        async def wait_for_message(*_: Any) -> list[Any]:
            return []

        yield SimpleNamespace(wait_for_message=wait_for_message)

    @asynccontextmanager
    async def paused(self, service: str) -> Any:
        yield

    stopped = paused

    async def queue_entry(self, *_: Any) -> None:
        return None

    async def _arrivals(self, *, recipient: str = "", token: str = "", wait: float = 0) -> list[Any]:
        return [SimpleNamespace()] * self.answers.get(recipient, 0)

    async def in_mailbox(self, sent: Message, *_: Any, **__: Any) -> Any:
        return self.seen(Outcome.DELIVERED, Stage.DELIVERY)

    def seen(self, outcome: Outcome, stage: Stage, reply: Reply | None = None, **facts: Any) -> Any:
        return SimpleNamespace(outcome=outcome, stage=stage, facts=facts)

    def with_facts(self, seen: Any, **facts: Any) -> Any:
        return SimpleNamespace(outcome=seen.outcome, stage=seen.stage, facts={**seen.facts, **facts})


@pytest.mark.parametrize("kind", [*inbound_content.WELCOME, *inbound_content.FORBIDDEN])
def test_attachments_are_well_formed_and_signed(kind: str) -> None:
    recorder = Recorder()
    name, content = {**inbound_content.WELCOME, **inbound_content.FORBIDDEN}[kind]
    asyncio.run(inbound_content._attached(recorder, name, content))  # type: ignore[arg-type]
    sent = recorder.sent[0]
    (part,) = email.message_from_bytes(sent.content, policy=email.policy.default).iter_attachments()
    assert (part.get_filename(), part.get_payload(decode=True)) == (name, content)
    (signature,) = verify(sent.content, lambda _: public_record(strangers_key()))
    assert signature.valid


@pytest.mark.parametrize("machine", inbound_away.MACHINES)
def test_a_machine_that_gets_a_reply_is_told_from_one_that_gets_none(machine: str) -> None:
    name, person = inbound_away.MACHINES[machine].name.format(word="a"), "stranger-b@elsewhere.example"
    silent = Recorder()
    silent.answers = {person: 1}
    seen = asyncio.run(inbound_away.none_to(silent, machine))  # type: ignore[arg-type]
    assert seen.outcome is Outcome.NOT_OFFERED
    answered = Recorder()
    answered.answers = {f"{name}@elsewhere.example": 1, person: 1}
    assert asyncio.run(inbound_away.none_to(answered, machine)).outcome is Outcome.DELIVERED  # type: ignore[arg-type]


def test_a_sender_who_is_put_off_tries_again() -> None:
    later = NotServed(Outcome.DEFERRED, Stage.RCPT, Reply("451"))
    recorder = Recorder([later, later, Reply("250")])
    seen = asyncio.run(inbound_down.without(recorder, "admin", inbound_down.READER, gone=False))  # type: ignore[arg-type]
    assert seen.outcome is Outcome.DELIVERED
    assert seen.facts == {"first": "deferred 451", "tried_again": True}


def test_a_sender_who_is_hung_up_on_tries_again() -> None:
    recorder = Recorder([NotServed(Outcome.UNANSWERED, Stage.DATA, HUNG_UP), Reply("250")])
    seen = asyncio.run(inbound_down.without(recorder, "admin", inbound_down.READER, gone=False))  # type: ignore[arg-type]
    assert seen.facts == {"first": "hung up", "tried_again": True}


def test_a_sender_who_is_refused_for_good_does_not() -> None:
    """The message goes back to its sender: that Mailu would take it a minute later helps nobody."""
    recorder = Recorder([NotServed(Outcome.REFUSED, Stage.RCPT, Reply("550"))])
    with pytest.raises(NotServed) as stopped:
        asyncio.run(inbound_down.without(recorder, "admin", inbound_down.READER, gone=True))  # type: ignore[arg-type]
    assert stopped.value.outcome is Outcome.REFUSED
    assert len(recorder.sent) == 1


def test_letters_of_a_size_and_with_odd_bytes_keep_their_head_and_their_token() -> None:
    made = compose_message(to="a@post.example")
    for size in (1_000, 1_001, 1_002, 50_000):
        sized = made.of_size(size)
        assert len(sized.content) == size
        assert max(map(len, sized.body.split(b"\r\n"))) <= 998
    odd = made.with_body(b"\x00\r.\r")
    assert odd.body == b"\x00\r.\r" + made.token.encode() + b"\r\n"
    assert replace(odd, content=b"") == replace(made, content=b"")
