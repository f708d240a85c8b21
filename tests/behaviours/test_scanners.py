"""Scanners that do their work, and such that have a fault: what behaviours make of it."""

from __future__ import annotations

import asyncio
import email
import io
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from email.message import Message as Mime
from enum import StrEnum
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_mailu.behaviours import built_in
from pytest_mailu.behaviours import scanners_antivirus as antivirus
from pytest_mailu.behaviours import scanners_down as down
from pytest_mailu.behaviours import scanners_oletools as oletools
from pytest_mailu.behaviours.scanners_messages import AUTOMATIC, DOCUMENTS, HARMLESS, VIRUSES
from pytest_mailu.core.eicar import EICAR
from pytest_mailu.core.model import Observation, Outcome, Reply, Stage
from pytest_mailu.core.optional_services import ANTIVIRUS, OLETOOLS
from pytest_mailu.probe.messages import Message, compose_message
from pytest_mailu.probe.observations import Observations
from pytest_mailu.wire.transport.errors import HUNG_UP, NotServed

D, L, R, F = Outcome.DELIVERED, Outcome.LOST, Outcome.REFUSED, Outcome.DEFERRED


class Fault(StrEnum):
    NONE = "refuses what is bad"
    DISCARDS = "throws away what is bad"
    IGNORED = "the answer of the scanner is ignored"
    ONLY_OUTSIDE = "what users send is not looked at"
    NO_ARCHIVES = "archives are not looked into"
    ALL = "every attachment is refused"
    LOSES = "every attachment is lost"
    UNSEEN = "without the scanner, everything is taken"
    GIVES_UP = "once the scanner was down, everything is taken"
    FOR_EVER = "once the scanner was down, every attachment is deferred"
    BOUNCES = "without the scanner, every attachment is refused"
    STUCK = "without the scanner, no mail at all is taken"


def files(content: bytes) -> Iterator[bytes]:
    """All files in a message, and in archives in them, as a scanner unpacks them."""

    def below(part: Mime) -> Iterator[bytes]:
        for inner in part.walk():
            payload = inner.get_payload(decode=True)
            if inner.get_filename() and isinstance(payload, bytes):
                yield payload

    todo = list(below(email.message_from_bytes(content)))
    while todo:
        found = todo.pop()
        yield found
        if zipfile.is_zipfile(io.BytesIO(found)):
            with zipfile.ZipFile(io.BytesIO(found)) as made:
                todo += [made.read(name) for name in made.namelist()]


def is_bad(content: bytes, *, archives: bool) -> bool:
    for found in files(content):
        # In a macro, a flag byte of zero stands before each eight letters (MS-OVBA section 2.4.1).
        if EICAR in found or b"Auto_Open" in found or b"AutoOpen" in found.replace(b"\0", b""):
            return True
        if not archives:
            return False
    return False


class Mailu:
    """A probe of a Mailu with a scanner, which may have a fault."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.up, self.was_down = True, False
        self.boxes: list[str] = []
        self.log: list[str] = []
        self.mail = self.services = self
        stack: Any = SimpleNamespace(addresses={})
        names = Observations(stack)
        self.seen, self.with_facts, self.not_served = names.seen, names.with_facts, names.not_served

    def compose(self, *, signed: bool = True, **how: Any) -> Message:
        return compose_message(**how)

    async def deliver(self, message: Message) -> Reply:
        return self._take(message, of_user=False)

    async def submit(self, message: Message, *_: Any) -> Reply:
        return self._take(message, of_user=True)

    @asynccontextmanager
    async def smtp(self, *_: Any, **__: Any) -> AsyncIterator[Any]:
        async def send(sender: str, recipients: Any, content: bytes) -> Any:
            await asyncio.sleep(0)
            return SimpleNamespace(reply=self._take(Message(sender, recipients, content, "", ""), of_user=False))

        yield SimpleNamespace(send=send)

    def _take(self, message: Message, *, of_user: bool) -> Reply:
        attached, fault = b"filename=" in message.content, self.fault
        if not self.up and fault is Fault.STUCK:
            raise NotServed(Outcome.UNANSWERED, Stage.DATA, HUNG_UP)
        if attached and ((not self.up and fault is not Fault.UNSEEN) or (self.was_down and fault is Fault.FOR_EVER)):
            outcome = R if fault is Fault.BOUNCES and not self.up else F
            raise NotServed(outcome, Stage.DATA, Reply("550" if outcome is R else "451"))
        looked = self.up and not (fault is Fault.ONLY_OUTSIDE and of_user)
        looked = looked and not (fault is Fault.GIVES_UP and self.was_down) and fault is not Fault.IGNORED
        bad = looked and is_bad(message.content, archives=fault is not Fault.NO_ARCHIVES)
        if (bad and fault is not Fault.DISCARDS) or (attached and fault is Fault.ALL):
            raise NotServed(R, Stage.DATA, Reply("554", "5.7.1"))
        if not bad and not (attached and fault is Fault.LOSES):
            self.boxes.append(message.sender)
        return Reply("250")

    async def in_mailbox(self, message: Message, user: Any, reply: Reply | None) -> Observation:
        there = message.sender in self.boxes
        return self.seen(D if there else L, Stage.DELIVERY, reply)

    async def at_world(self, message: Message, reply: Reply | None) -> Observation:
        return await self.in_mailbox(message, None, reply)

    @asynccontextmanager
    async def stopped(self, service: str, *, restarting: str) -> AsyncIterator[None]:
        self.log.append(f"{service} stopped, {restarting} restarted")
        self.up, self.was_down = False, True
        yield
        self.up = True

    async def start_again(self, service: str, *, kill: bool, seconds: float) -> None:
        self.log.append(f"{service} restarted")
        self.was_down = False

    @asynccontextmanager
    async def paused(self, service: str) -> AsyncIterator[None]:
        self.log.append(f"{service} paused")
        self.up, self.was_down = False, True
        yield
        self.up = True

    async def shared(self, key: Any, ask: Callable[[Any], Awaitable[Any]], *, seconds: float) -> Any:
        return await ask(self)


def asked(fault: Fault, behaviour: Any, *given: str) -> Observation:
    mailu = Mailu(fault)
    try:
        return asyncio.run(behaviour(mailu, *given))  # type: ignore[no-any-return]
    except NotServed as end:
        return mailu.not_served(end)


@pytest.mark.parametrize(
    ("behaviour", "given", "fault", "expected"),
    [
        *((antivirus.virus, (form,), Fault.NONE, R) for form in VIRUSES),
        *((antivirus.virus, (form,), Fault.DISCARDS, R) for form in VIRUSES),
        *((antivirus.virus, (form,), Fault.IGNORED, D) for form in VIRUSES),
        (antivirus.virus, ("file",), Fault.NO_ARCHIVES, R),
        (antivirus.virus, ("zip",), Fault.NO_ARCHIVES, D),
        *((antivirus.clean, (form,), Fault.NONE, D) for form in HARMLESS),
        (antivirus.clean, ("zip",), Fault.ALL, R),
        (antivirus.clean, ("zip",), Fault.LOSES, L),
        *((antivirus.users_virus, (form,), Fault.NONE, R) for form in VIRUSES),
        (antivirus.users_virus, ("zip",), Fault.ONLY_OUTSIDE, D),
        (antivirus.outgoing, (), Fault.NONE, R),
        (antivirus.outgoing, (), Fault.DISCARDS, R),
        (antivirus.outgoing, (), Fault.ONLY_OUTSIDE, D),
        (antivirus.users_clean, (), Fault.NONE, D),
        (antivirus.users_clean, (), Fault.ALL, R),
        (antivirus.refused, (), Fault.NONE, R),
        (antivirus.refused, (), Fault.DISCARDS, L),
        (antivirus.discarded, (), Fault.DISCARDS, R),
        (antivirus.discarded, (), Fault.NONE, R),
        (antivirus.discarded, (), Fault.IGNORED, D),
        *((oletools.automatic, (document,), Fault.NONE, R) for document in AUTOMATIC),
        *((oletools.automatic, (document,), Fault.IGNORED, D) for document in AUTOMATIC),
        *((oletools.users_automatic, (document,), Fault.NONE, R) for document in AUTOMATIC),
        (oletools.users_automatic, ("docm",), Fault.ONLY_OUTSIDE, D),
        *((oletools.harmless, (document,), Fault.NONE, D) for document in DOCUMENTS),
        (oletools.harmless, ("docx",), Fault.ALL, R),
    ],
)
def test_a_scanner_is_judged_by_what_gets_through(
    behaviour: Any, given: tuple[str, ...], fault: Fault, expected: Outcome
) -> None:
    assert asked(fault, behaviour, *given).outcome is expected


def test_what_is_thrown_away_is_kept_out_and_its_sender_does_not_hear_of_it() -> None:
    told, silent = (asked(fault, antivirus.virus, "zip") for fault in (Fault.NONE, Fault.DISCARDS))
    assert (told.stage, told.reply and told.reply.code, dict(told.facts)) == (Stage.DATA, "554", {})
    assert (silent.stage, silent.reply and silent.reply.code, dict(silent.facts)) == (
        Stage.DELIVERY,
        "250",
        {"discarded": True},
    )


@pytest.mark.parametrize("scanner", [ANTIVIRUS, OLETOOLS])
@pytest.mark.parametrize(
    ("fault", "text", "clean", "virus", "afterwards"),
    [
        (Fault.NONE, D, D, R, R),
        (Fault.DISCARDS, D, D, R, R),
        (Fault.UNSEEN, D, D, D, R),
        (Fault.GIVES_UP, D, D, D, D),
        (Fault.BOUNCES, D, R, R, R),
        (Fault.STUCK, D, D, R, R),
    ],
)
def test_a_scanner_that_is_down_or_slow(
    monkeypatch: pytest.MonkeyPatch,
    scanner: str,
    fault: Fault,
    text: Outcome,
    clean: Outcome,
    virus: Outcome,
    afterwards: Outcome,
) -> None:
    monkeypatch.setattr(down, "SLOW_SECONDS", 0.2)
    for arrives, kept_out in (
        (down.arrives_without, down.kept_out_without),
        (down.arrives_slowly, down.kept_out_slowly),
    ):
        assert asked(fault, arrives, scanner, "text").outcome is text
        assert asked(fault, arrives, scanner, "clean").outcome is clean
        assert asked(fault, kept_out, scanner, "virus").outcome is virus
        assert asked(fault, kept_out, scanner, "afterwards").outcome is afterwards


def test_the_first_attempt_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    firsts = {
        fault: [asked(fault, down.arrives_without, ANTIVIRUS, kind).facts["first"] for kind in ("text", "clean")]
        for fault in (Fault.NONE, Fault.UNSEEN, Fault.STUCK, Fault.BOUNCES)
    }
    assert firsts == {
        Fault.NONE: ["taken", "deferred 451"],
        Fault.UNSEEN: ["taken", "taken"],
        Fault.STUCK: ["hung up", "hung up"],
        Fault.BOUNCES: ["taken", "refused 550"],
    }


def test_what_is_deferred_for_ever_does_not_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(down, "AGAIN_SECONDS", 0.3)
    seen = asked(Fault.FOR_EVER, down.arrives_without, ANTIVIRUS, "clean")
    assert (seen.outcome, seen.reply and seen.reply.code) == (F, "451")
    assert asked(Fault.FOR_EVER, down.arrives_without, ANTIVIRUS, "text").outcome is D


def test_rspamd_is_started_anew_while_the_scanner_is_down() -> None:
    """What it finds then decides whether it asks the scanner later (Mailu #2321, #2917)."""
    mailu = Mailu(Fault.NONE)
    asyncio.run(down.arrives_without(mailu, OLETOOLS, "text"))  # type: ignore[arg-type]
    assert mailu.log == ["oletools stopped, antispam restarted", "antispam restarted"]


def test_an_rspamd_that_gave_up_its_scanner_spoils_nothing_that_is_asked_later() -> None:
    """From 1.9.50 to 2.0.43, viruses that a slow antivirus let pass were told: Rspamd asked none any more."""
    mailu = Mailu(Fault.GIVES_UP)
    assert asyncio.run(down.kept_out_without(mailu, ANTIVIRUS, "afterwards")).outcome is D  # type: ignore[arg-type]
    later = down.from_outside(mailu, down.BAD[ANTIVIRUS], down.WAITING)  # type: ignore[arg-type]
    with pytest.raises(NotServed):
        mailu._take(later, of_user=False)


def test_each_needs_its_scanner_and_what_disturbs_is_asked_alone() -> None:
    for made in built_in():
        if made.id.startswith("scanners/"):
            assert made.services == {made.id.split("/")[1]}
            assert made.alone is ("/down" in made.id or "/slow/" in made.id)


def test_what_is_kept_out_and_what_arrives_differ_in_nothing_but_the_virus() -> None:
    assert VIRUSES.keys() == HARMLESS.keys()
    assert all(VIRUSES[form].name == HARMLESS[form].name for form in VIRUSES)
    for form, bad in VIRUSES.items():
        made = [attachment.to(compose_message(to="a@b.example")).content for attachment in (bad, HARMLESS[form])]
        assert [is_bad(content, archives=True) for content in made] == [True, False]
        assert EICAR not in made[0], "not as such: in base64 at least"
