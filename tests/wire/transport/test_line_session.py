"""IMAP, POP3 and ManageSieve: the same misbehaviour ends the same way in each of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from pytest_mailu.core.endpoints import Tls
from pytest_mailu.core.model import Outcome, Stage
from pytest_mailu.core.transcript import Kind
from pytest_mailu.wire.imap.session import ImapSession
from pytest_mailu.wire.pop3.session import Pop3Session
from pytest_mailu.wire.sieve.session import SieveSession
from pytest_mailu.wire.transport.errors import HUNG_UP, CannotAsk, NotServed
from tests.wire.direct import DirectConnector
from tests.wire.peer import (
    Step,
    drip,
    expect,
    flood,
    hang_up,
    peer,
    reset,
    say,
    send,
    server_context,
    silence,
    start_tls,
    take,
)


@dataclass(frozen=True)
class Spoken:
    """One protocol: its greeting, a login, a command, and the words for no at each of these."""

    session: Any
    greeting: tuple[Step, ...]
    login: Callable[[Any], Awaitable[Any]]
    to_login: tuple[Step, ...]
    logged_in: tuple[Step, ...]
    command: Callable[[Any], Awaitable[Any]]
    to_command: tuple[Step, ...]
    to_tls: tuple[Step, ...]
    after_tls: tuple[Step, ...]
    bare: tuple[Step, ...]
    no_greeting: bytes
    no_login: bytes
    later_login: bytes
    no_command: bytes
    half: bytes
    endless: bytes
    rubbish: bytes


IMAP = Spoken(
    session=ImapSession,
    greeting=(say("* OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN AUTH=LOGIN] ready"),),
    login=lambda session: session.login("al", "secret-1"),
    to_login=(expect('a1 LOGIN "al" "secret-1"'),),
    logged_in=(say("a1 OK [CAPABILITY IMAP4rev1 IDLE] in"),),
    command=lambda session: session.noop(),
    to_command=(expect("a2 NOOP"),),
    to_tls=(expect("a1 STARTTLS"), say("a1 OK go")),
    after_tls=(expect("a2 CAPABILITY"), say("* CAPABILITY IMAP4rev1", "a2 OK done")),
    bare=(say("* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] ready"),),
    no_greeting=b"* BYE [ALERT] too many",
    no_login=b"a1 NO [AUTHENTICATIONFAILED] wrong",
    later_login=b"a1 NO [UNAVAILABLE] later",
    no_command=b"a2 NO [CANNOT] not this",
    half=b"* OK half",
    endless=b"* 1 EXISTS\r\n",
    rubbish=b"\x00\xff\x1b[31m\r\n",
)
POP3 = Spoken(
    session=Pop3Session,
    greeting=(say("+OK ready"), expect("CAPA"), say("+OK list", "USER", "SASL PLAIN LOGIN", "STLS", ".")),
    login=lambda session: session.login("al", "secret-1"),
    to_login=(expect("USER al"), say("+OK"), expect("PASS secret-1")),
    logged_in=(say("+OK in"),),
    command=lambda session: session.stat(),
    to_command=(expect("STAT"),),
    to_tls=(expect("STLS"), say("+OK go")),
    after_tls=(expect("CAPA"), say("+OK", "USER", ".")),
    bare=(say("+OK ready"), expect("CAPA"), say("+OK", "TOP", ".")),
    no_greeting=b"-ERR [PERM] go away",
    no_login=b"-ERR [AUTH] wrong",
    later_login=b"-ERR [SYS/TEMP] later",
    no_command=b"-ERR not this",
    half=b"+OK half",
    endless=b"\x00" * 1000,
    rubbish=b"\x00\xff\x1b[31m\r\n",
)
SIEVE = Spoken(
    session=SieveSession,
    greeting=(say('"IMPLEMENTATION" "x"', '"SASL" "PLAIN LOGIN"', '"STARTTLS"', 'OK "ready"'),),
    login=lambda session: session.authenticate("al", "secret-1"),
    to_login=(expect('AUTHENTICATE "PLAIN"'),),
    logged_in=(say("OK"), expect("CAPABILITY"), say('"SIEVE" "fileinto"', "OK")),
    command=lambda session: session.listscripts(),
    to_command=(expect("LISTSCRIPTS"),),
    to_tls=(expect("STARTTLS"), say("OK")),
    after_tls=(say('"SASL" "PLAIN"', "OK"),),
    bare=(say('"IMPLEMENTATION" "x"', 'OK "ready"'),),
    no_greeting=b'BYE "too many"',
    no_login=b'NO "wrong"',
    later_login=b'NO (TRYLATER) "later"',
    no_command=b'NO (NONEXISTENT) "not this"',
    half=b'"HALF"',
    endless=b'"more"\r\n',
    rubbish=b"\x00\xff\x1b[31m\r\n",
)

protocols = pytest.mark.parametrize("spoken", [IMAP, POP3, SIEVE], ids=["imap", "pop3", "sieve"])
stages = pytest.mark.parametrize("stage", [Stage.GREETING, Stage.AUTH, Stage.COMMAND])


def before(spoken: Spoken, stage: Stage) -> tuple[Step, ...]:
    script = () if stage is Stage.GREETING else (*spoken.greeting, *spoken.to_login)
    return script if stage is not Stage.COMMAND else (*script, *spoken.logged_in, *spoken.to_command)


def ends(spoken: Spoken, *script: Step, tls: Tls = Tls.NONE, seconds: float = 5.0) -> NotServed | CannotAsk:
    async def run() -> NotServed | CannotAsk:
        async with peer(*script) as served:
            connector = DirectConnector()
            try:
                async with (
                    asyncio.timeout(60),
                    spoken.session.open(connector, "127.0.0.1", served.port, tls=tls, timeout=seconds) as session,
                ):
                    await spoken.login(session)
                    await spoken.command(session)
            except (NotServed, CannotAsk) as end:
                assert not served.surprises
                return end
            raise AssertionError("it went well")

    return asyncio.run(run())


@protocols
@pytest.mark.parametrize(
    ("stage", "word", "outcome"),
    [
        (Stage.GREETING, "no_greeting", Outcome.REFUSED),
        (Stage.AUTH, "no_login", Outcome.AUTH_FAILED),
        (Stage.AUTH, "later_login", Outcome.DEFERRED),
        (Stage.COMMAND, "no_command", Outcome.REFUSED),
    ],
)
def test_no_means_what_its_stage_and_code_say(spoken, stage, word, outcome):
    end = ends(spoken, *before(spoken, stage), say(getattr(spoken, word)))
    assert isinstance(end, NotServed)
    assert (end.outcome, end.stage) == (outcome, stage)
    assert end.reply is not None
    assert end.reply.text.split()[0] in ("too", "go", "wrong", "later", "not")


@protocols
@stages
def test_silence_is_unanswered(spoken, stage):
    end = ends(spoken, *before(spoken, stage), silence, seconds=0.3)
    assert isinstance(end, NotServed)
    assert (end.outcome, end.stage) == (Outcome.UNANSWERED, stage)


@protocols
@stages
@pytest.mark.parametrize("close", [hang_up, reset])
def test_a_connection_closed_where_a_reply_was_due_is_unanswered(spoken, stage, close):
    end = ends(spoken, *before(spoken, stage), close)
    assert isinstance(end, NotServed)
    assert (end.outcome, end.stage, end.reply) == (Outcome.UNANSWERED, stage, HUNG_UP)


@protocols
@stages
@pytest.mark.parametrize("close", [hang_up, reset])
def test_a_connection_closed_in_the_middle_of_a_reply_is_trouble(spoken, stage, close):
    end = ends(spoken, *before(spoken, stage), send(spoken.half), close)
    assert isinstance(end, CannotAsk)
    assert end.reason.isprintable()


@protocols
@stages
@pytest.mark.parametrize("misbehaviour", ["half", "drip", "long", "endless", "rubbish", "digits"])
def test_what_is_no_reply_is_trouble(spoken, stage, misbehaviour):
    step = {
        "half": send(spoken.half),
        "drip": drip(spoken.half + b"x" * 10000),
        "long": flood(b"x" * 65536),
        "endless": flood(spoken.endless * 1000),
        "rubbish": flood(spoken.rubbish * 1000),
        "digits": say("２５０"),
    }[misbehaviour]
    end = ends(spoken, *before(spoken, stage), step, silence, seconds=20 if misbehaviour == "endless" else 0.5)
    assert isinstance(end, CannotAsk)
    assert end.reason.isprintable()


@protocols
def test_control_characters_are_shown_escaped(spoken):
    words = spoken.no_login.replace(b"wrong", b"\x1b[2J \xff \x07")
    end = ends(spoken, *before(spoken, Stage.AUTH), say(words))
    assert isinstance(end, NotServed)
    assert end.reply is not None
    assert end.reply.text == r"\x1b[2J \xff \x07"


@protocols
def test_starttls_not_offered(spoken):
    end = ends(spoken, *spoken.bare, silence, tls=Tls.STARTTLS)
    assert isinstance(end, NotServed)
    assert (end.outcome, end.stage) == (Outcome.NOT_OFFERED, Stage.TLS)


@protocols
def test_login_not_offered(spoken):
    end = ends(spoken, *spoken.bare, silence)
    assert isinstance(end, NotServed)
    assert (end.outcome, end.stage) == (Outcome.NOT_OFFERED, Stage.AUTH)


@protocols
@pytest.mark.parametrize(
    ("steps", "outcome"),
    [((take(5), say("what?"), silence), Outcome.TLS_FAILED), ((silence,), Outcome.UNANSWERED)],
)
def test_a_handshake_that_fails(spoken, steps, outcome):
    end = ends(spoken, *spoken.greeting, *spoken.to_tls, *steps, tls=Tls.STARTTLS, seconds=0.5)
    assert isinstance(end, NotServed)
    assert (end.outcome, end.stage) == (outcome, Stage.TLS)


@protocols
@pytest.mark.parametrize("close", [hang_up, reset])
def test_a_connection_closed_in_the_handshake_is_a_tls_failure(spoken, close):
    end = ends(spoken, *spoken.greeting, *spoken.to_tls, close, tls=Tls.STARTTLS)
    assert isinstance(end, NotServed)
    assert (end.outcome, end.stage) == (Outcome.TLS_FAILED, Stage.TLS)


@protocols
@pytest.mark.parametrize("tls", [Tls.STARTTLS, Tls.IMPLICIT])
def test_with_tls(spoken, tls):
    async def run():
        script = spoken.greeting
        if tls is Tls.STARTTLS:
            script = (*script, *spoken.to_tls, start_tls, *spoken.after_tls)
        context = server_context() if tls is Tls.IMPLICIT else None
        async with peer(*script, silence, tls=context) as served:
            async with spoken.session.open(DirectConnector(), "127.0.0.1", served.port, tls=tls, timeout=5) as session:
                seen = [event.kind for event in session.transcript.events], sorted(session.capabilities)
            return (*seen, served.surprises)

    kinds, phases, surprises = asyncio.run(run())
    assert Kind.TLS in kinds
    assert phases == (["plain", "tls"] if tls is Tls.STARTTLS else ["tls"])
    assert surprises == []


@protocols
def test_leaving_never_hangs_and_cancelling_closes(spoken):
    async def run():
        async with peer(*spoken.greeting, silence) as served:
            inside = asyncio.Event()

            async def stay():
                async with spoken.session.open(DirectConnector(), "127.0.0.1", served.port, tls=Tls.NONE):
                    inside.set()
                    await asyncio.Event().wait()

            task = asyncio.create_task(stay())
            await inside.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            async with asyncio.timeout(10):
                await served.left.wait()
                async with spoken.session.open(DirectConnector(), "127.0.0.1", served.port, tls=Tls.NONE):
                    pass

    asyncio.run(run())
