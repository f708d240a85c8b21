"""SMTP: what a server says becomes data; how it ends a conversation becomes `NotServed` or `CannotAsk`."""

from __future__ import annotations

import asyncio
from base64 import b64encode

import pytest

from pytest_mailu.core.endpoints import Tls
from pytest_mailu.core.model import Outcome, Reply, Stage
from pytest_mailu.core.transcript import Queued
from pytest_mailu.wire.smtp.session import SmtpSession
from pytest_mailu.wire.transport.errors import HUNG_UP, CannotAsk, NotServed
from pytest_mailu.wire.transport.transcript import Transcript
from tests.wire.direct import DirectConnector
from tests.wire.peer import (
    Served,
    Step,
    drip,
    expect,
    expect_until,
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

GREETING = say("220 mail.post.example ESMTP ready")
EHLO = (expect("EHLO"), say("250-mail.post.example", "250-SIZE 1000", "250-AUTH PLAIN LOGIN", "250 STARTTLS"))
BYE = (expect("QUIT"), say("221 2.0.0 Bye"))
LETTER = b"Subject: x\r\n\r\n.dot\r\nend\r\n"


def opened(served: Served, tls: Tls = Tls.NONE, seconds: float = 5.0, **more: object):
    return SmtpSession.open(DirectConnector(), "127.0.0.1", served.port, tls=tls, timeout=seconds, **more)


def ends(*script: Step, tls: Tls = Tls.NONE, seconds: float = 5.0, then=None) -> NotServed | CannotAsk:
    """How a session with such a peer ends: everything a mail program does, unless `then` is given."""

    async def whole(session: SmtpSession) -> None:
        await session.login("alice@post.example", "secret-1")
        await session.send("alice@post.example", ["bob@post.example"], LETTER)

    async def run() -> NotServed | CannotAsk:
        async with peer(*script) as served:
            try:
                async with asyncio.timeout(60), opened(served, tls, seconds) as session:
                    await (then or whole)(session)
            except (NotServed, CannotAsk) as end:
                assert not served.surprises
                return end
            raise AssertionError("it went well")

    return asyncio.run(run())


LOGGED_IN = (GREETING, *EHLO, expect("AUTH PLAIN"), say("235 2.7.0 Logged in."))
MAIL = (*LOGGED_IN, expect("MAIL FROM:<alice@post.example>"), say("250 2.1.0 Ok"))
RCPT = (*MAIL, expect("RCPT TO:<bob@post.example>"), say("250 2.1.5 Ok"))
DATA = (*RCPT, expect("DATA"), say("354 go on"), expect_until(b"\r\n.\r\n"))

STAGES = [
    pytest.param((), Stage.GREETING, id="greeting"),
    pytest.param((GREETING, expect("EHLO")), Stage.EHLO, id="ehlo"),
    pytest.param((GREETING, *EHLO, expect("AUTH")), Stage.AUTH, id="auth"),
    pytest.param((*LOGGED_IN, expect("MAIL")), Stage.MAIL, id="mail"),
    pytest.param((*MAIL, expect("RCPT")), Stage.RCPT, id="rcpt"),
    pytest.param((*RCPT, expect("DATA")), Stage.DATA, id="data"),
    pytest.param(DATA, Stage.DATA, id="end-of-data"),
]


@pytest.mark.parametrize(("before", "stage"), STAGES)
def test_a_4xx_is_deferred_at_the_stage_it_came_at(before, stage):
    end = ends(*before, say("451 4.7.1 Try again later"))
    assert isinstance(end, NotServed)
    assert (end.outcome, end.stage) == (Outcome.DEFERRED, stage)
    assert end.reply == Reply("451", "4.7.1", "Try again later")


@pytest.mark.parametrize(("before", "stage"), STAGES)
def test_a_5xx_is_refused_at_the_stage_it_came_at(before, stage):
    end = ends(*before, say("554-5.7.1 No,", "554 5.7.1 never"))
    assert isinstance(end, NotServed)
    assert (end.outcome, end.stage) == (Outcome.AUTH_FAILED if stage is Stage.AUTH else Outcome.REFUSED, stage)
    assert end.reply == Reply("554", "5.7.1", "No,\nnever")


@pytest.mark.parametrize(("before", "stage"), STAGES)
def test_silence_is_unanswered_at_the_stage_it_came_at(before, stage):
    end = ends(*before, silence, seconds=0.3)
    assert isinstance(end, NotServed)
    assert (end.outcome, end.stage) == (Outcome.UNANSWERED, stage)


@pytest.mark.parametrize(("before", "stage"), STAGES)
@pytest.mark.parametrize("close", [hang_up, reset])
def test_a_connection_closed_where_a_reply_was_due_is_unanswered(before, stage, close):
    end = ends(*before, close)
    assert isinstance(end, NotServed)
    assert (end.outcome, end.stage, end.reply) == (Outcome.UNANSWERED, stage, HUNG_UP)


@pytest.mark.parametrize(("before", "stage"), STAGES)
@pytest.mark.parametrize(
    ("misbehave", "reason"),
    [
        pytest.param(send(b"25"), "half a reply", id="half-a-line"),
        pytest.param(send(b"250-one\r\n"), "half a reply", id="half-a-reply"),
        pytest.param(drip(b"250 " + b"x" * 10000), "half a reply", id="drip"),
        pytest.param(flood(b"x" * 65536), "a line of more than", id="one-long-line"),
        pytest.param(flood(b"250-more\r\n" * 1000), "a reply of more than", id="endless-reply"),
        pytest.param(flood(b"\x00\xff\x1b[31m\n" * 1000), "not an SMTP reply", id="rubbish"),
        pytest.param(say(b"250-one", b"251 two"), "not an SMTP reply", id="two-codes"),
        pytest.param(say(b"2500 Ok"), "not an SMTP reply", id="four-digits"),
        pytest.param(say(b"999 Ok"), "not an SMTP reply", id="no-such-code"),
        pytest.param(say("２５０ Ok"), "not an SMTP reply", id="digits-of-another-script"),
        pytest.param(say(b""), "not an SMTP reply", id="empty-line"),
    ],
)
def test_what_is_no_reply_is_trouble(before, stage, misbehave, reason):
    # Only where time has to run out is it short: a flood takes as long as a busy machine needs to read it.
    end = ends(*before, misbehave, silence, seconds=0.5 if reason == "half a reply" else 30)
    assert isinstance(end, CannotAsk)
    assert reason in end.reason
    assert end.reason.isprintable()


def test_control_characters_and_invalid_utf8_are_shown_escaped():
    end = ends(GREETING, expect("EHLO"), say(b"550 5.7.1 \x1b[2J\xff\x00 bell\x07 \xe2\x80\xae"))
    assert isinstance(end, NotServed)
    assert end.reply == Reply("550", "5.7.1", r"\x1b[2J\xff\x00 bell\x07 \u202e")


def test_an_enhanced_code_of_another_class_is_part_of_the_text():
    end = ends(GREETING, expect("EHLO"), say("550 2.0.0 odd"))
    assert isinstance(end, NotServed)
    assert end.reply == Reply("550", "", "2.0.0 odd")


def test_a_letter_goes_out_as_it_is_with_dots_doubled():
    async def run() -> tuple[Reply, bytes, list[str], dict]:
        async with peer(*DATA, say("250 2.0.0 queued"), *BYE) as served:
            async with opened(served) as session:
                await session.login("alice@post.example", "secret-1")
                sent = await session.send("alice@post.example", "bob@post.example", LETTER)
            await served.left.wait()
            return sent.reply, bytes(served.heard), served.surprises, session.keywords

    reply, heard, surprises, keywords = asyncio.run(run())
    assert reply == Reply("250", "2.0.0", "queued")
    assert b"DATA\r\nSubject: x\r\n\r\n..dot\r\nend\r\n.\r\nQUIT\r\n" in heard
    assert surprises == []
    assert keywords == {"plain": {"SIZE": "1000", "AUTH": "PLAIN LOGIN", "STARTTLS": ""}}


def test_one_refused_recipient_does_not_stop_the_others():
    async def run():
        script = (
            *MAIL,
            expect("RCPT TO:<no@post.example>"),
            say("550 5.1.1 unknown"),
            expect("RCPT TO:<bob@post.example>"),
            say("250 Ok"),
            expect("DATA"),
            say("354 go"),
            expect_until(b"\r\n.\r\n"),
            say("250 Ok"),
            *BYE,
        )
        async with peer(*script) as served, opened(served) as session:
            await session.login("alice@post.example", "secret-1")
            return await session.send("alice@post.example", ["no@post.example", "bob@post.example"], LETTER)

    sent = asyncio.run(run())
    assert [(who, reply.code) for who, reply in sent.recipients.items()] == [
        ("no@post.example", "550"),
        ("bob@post.example", "250"),
    ]


def test_starttls_brings_a_second_list_of_keywords():
    script = (GREETING, *EHLO, expect("STARTTLS"), say("220 go"), start_tls)
    script = (*script, expect("EHLO"), say("250-mail", "250 CHUNKING"), *BYE)

    async def run():
        async with peer(*script) as served, opened(served, Tls.STARTTLS) as session:
            return session.keywords

    assert asyncio.run(run())["tls"] == {"CHUNKING": ""}


def test_implicit_tls():
    async def run():
        script = (GREETING, *EHLO, *BYE)
        async with peer(*script, tls=server_context()) as served, opened(served, Tls.IMPLICIT) as session:
            return session.greeting, list(session.keywords)

    assert asyncio.run(run()) == (Reply("220", "", "mail.post.example ESMTP ready"), ["tls"])


def test_opportunistic_takes_starttls_where_it_is_offered():
    script = (GREETING, *EHLO, expect("STARTTLS"), say("220 go"), start_tls)
    script += (expect("EHLO"), say("250-mail", "250 SIZE 1"), *BYE)

    async def run():
        async with peer(*script) as served, opened(served, Tls.OPPORTUNISTIC) as session:
            return session.keywords

    assert asyncio.run(run())["tls"] == {"SIZE": "1"}


def test_opportunistic_goes_on_without_starttls_and_greets_once():
    script = (GREETING, expect("EHLO"), say("250-mail", "250 SIZE 1"), *BYE)

    async def run():
        async with peer(*script) as served, opened(served, Tls.OPPORTUNISTIC) as session:
            return session.keywords

    assert asyncio.run(run()) == {"plain": {"SIZE": "1"}}


def test_starttls_not_offered():
    end = ends(GREETING, expect("EHLO"), say("250 mail"), tls=Tls.STARTTLS)
    assert isinstance(end, NotServed)
    assert (end.outcome, end.stage) == (Outcome.NOT_OFFERED, Stage.TLS)


@pytest.mark.parametrize(("reply", "outcome"), [("454 4.7.0 no", Outcome.DEFERRED), ("502 no", Outcome.REFUSED)])
def test_starttls_refused(reply, outcome):
    end = ends(GREETING, *EHLO, expect("STARTTLS"), say(reply), tls=Tls.STARTTLS)
    assert isinstance(end, NotServed)
    assert (end.outcome, end.stage) == (outcome, Stage.TLS)


TO_TLS = (GREETING, *EHLO, expect("STARTTLS"), say("220 go"))


def test_rubbish_in_the_handshake_is_a_tls_failure_with_its_reason():
    end = ends(*TO_TLS, take(5), say("250 I do not know what TLS is"), silence, tls=Tls.STARTTLS)
    assert isinstance(end, NotServed)
    assert (end.outcome, end.stage) == (Outcome.TLS_FAILED, Stage.TLS)
    assert end.reply is not None
    assert end.reply.text


def test_plain_text_where_tls_is_due_from_the_start_is_a_tls_failure():
    end = ends(GREETING, silence, tls=Tls.IMPLICIT)
    assert isinstance(end, NotServed)
    assert (end.outcome, end.stage) == (Outcome.TLS_FAILED, Stage.TLS)


@pytest.mark.parametrize(("tls", "script"), [(Tls.STARTTLS, TO_TLS), (Tls.IMPLICIT, ())])
def test_silence_in_the_handshake_is_unanswered(tls, script):
    end = ends(*script, silence, tls=tls, seconds=0.3)
    assert isinstance(end, NotServed)
    assert (end.outcome, end.stage) == (Outcome.UNANSWERED, Stage.TLS)


@pytest.mark.parametrize(("tls", "script"), [(Tls.STARTTLS, TO_TLS), (Tls.IMPLICIT, ())])
@pytest.mark.parametrize("close", [hang_up, reset])
def test_a_connection_closed_in_the_handshake_is_a_tls_failure(tls, script, close):
    end = ends(*script, close, tls=tls)
    assert isinstance(end, NotServed)
    assert (end.outcome, end.stage, end.reply) == (Outcome.TLS_FAILED, Stage.TLS, Reply(text="connection closed"))


def test_what_came_before_tls_is_not_taken_for_an_answer_under_tls():
    script = (GREETING, *EHLO, expect("STARTTLS"), send(b"220 go\r\n250 injected\r\n"), start_tls)
    script = (*script, expect("EHLO"), say("250 honest"), expect("EHLO x"), say("250 again"), *BYE)

    async def run():
        async with peer(*script) as served, opened(served, Tls.STARTTLS) as session:
            return (await session.command("EHLO x")).text

    assert asyncio.run(run()) == "again"


def test_auth_not_offered_sends_nothing():
    end = ends(GREETING, expect("EHLO"), say("250 mail"), expect("QUIT"))
    assert isinstance(end, NotServed)
    assert (end.outcome, end.stage) == (Outcome.NOT_OFFERED, Stage.AUTH)


def test_auth_can_be_forced_and_its_refusal_is_not_about_the_password():
    end = ends(
        GREETING,
        expect("EHLO"),
        say("250 mail"),
        expect("AUTH PLAIN"),
        say("502 5.5.1 AUTH not supported"),
        then=lambda session: session.login("alice@post.example", "secret-1", force=True),
    )
    assert isinstance(end, NotServed)
    assert (end.outcome, end.stage) == (Outcome.REFUSED, Stage.AUTH)


@pytest.mark.parametrize(
    ("mechanism", "initial", "lines"),
    [
        ("PLAIN", True, [b"AUTH PLAIN " + b64encode(b"\0al\0secret-1")]),
        ("PLAIN", False, [b"AUTH PLAIN", b64encode(b"\0al\0secret-1")]),
        ("LOGIN", True, [b"AUTH LOGIN " + b64encode(b"al"), b64encode(b"secret-1")]),
        ("LOGIN", False, [b"AUTH LOGIN", b64encode(b"al"), b64encode(b"secret-1")]),
    ],
)
def test_each_way_to_log_in_and_none_shows_the_password(mechanism, initial, lines):
    transcript = Transcript()

    async def run():
        steps = [step for line in lines[:-1] for step in (expect(line), say("334 "))]
        script = (GREETING, *EHLO, *steps, expect(lines[-1]), say("235 welcome with secret-1"), *BYE)
        async with peer(*script) as served:
            async with opened(served, transcript=transcript) as session:
                reply = await session.login("al", "secret-1", mechanism, initial_response=initial)
            await served.left.wait()
            return reply, served.surprises

    reply, surprises = asyncio.run(run())
    assert surprises == []
    assert reply.code == "235"
    said = "\n".join(map(str, transcript.events))
    assert "secret-1" not in said
    assert b64encode(b"secret-1").decode() not in said
    assert b64encode(b"\0al\0secret-1").decode() not in said
    assert "****" in said


def test_a_group_of_commands_gets_a_reply_for_each():
    async def run():
        script = (GREETING, *EHLO, expect("MAIL"), expect("RCPT"), expect("DATA"), send(b"250 a\r\n55"))
        script = (*script, send(b"0 b\r\n503 c\r\n"), *BYE)
        async with peer(*script) as served, opened(served) as session:
            return [reply.text for reply in await session.pipeline("MAIL FROM:<>", "RCPT TO:<a@b>", "DATA")]

    assert asyncio.run(run()) == ["a", "b", "c"]


def test_exact_bytes_and_the_replies_to_smuggled_commands():
    smuggled = b"x\n.\nMAIL FROM:<a@b>\r\n.\r\n"

    async def run():
        script = (GREETING, *EHLO, expect("DATA"), say("354 go"), expect_until(b"\r\n.\r\n"), say("250 one"))
        script = (*script, expect("QUIT"), say("250 two", "221 bye"))
        async with peer(*script) as served, opened(served) as session:
            reply = await session.data_exact(smuggled)
            return reply.text, [one.text for one in await session.rest()], bytes(served.heard)

    text, rest, heard = asyncio.run(run())
    assert (text, rest) == ("one", ["two"])
    assert smuggled in heard


def test_replies_without_end_are_trouble():
    end = ends(GREETING, *EHLO, expect("QUIT"), flood(b"250 Ok\r\n"), then=lambda session: session.rest(), seconds=30)
    assert isinstance(end, CannotAsk)


def test_a_reply_said_before_the_server_hung_up_is_still_heard():
    async def run():
        async with peer(GREETING, *EHLO, say("421 4.4.2 timeout"), hang_up) as served, opened(served) as session:
            await served.left.wait()
            return await session.command("NOOP")

    assert asyncio.run(run()) == Reply("421", "4.4.2", "timeout")


def test_whether_the_server_hangs_up_after_a_wrong_password():
    async def run(*after: Step) -> bool:
        script = (GREETING, *EHLO, expect("AUTH"), say("535 5.7.8 wrong"), *after)
        async with peer(*script) as served, opened(served) as session:
            with pytest.raises(NotServed):
                await session.login("al", "wrong-1")
            return await session.hung_up(0.3)

    assert asyncio.run(run(hang_up)) is True
    assert asyncio.run(run(silence)) is False


def test_without_hello_only_the_greeting_is_exchanged():
    async def run():
        script = (GREETING, expect("MAIL"), say("503 EHLO first"), *BYE)
        async with peer(*script) as served, opened(served, hello=False) as session:
            return await session.command("MAIL FROM:<>")

    assert asyncio.run(run()).code == "503"


def test_a_refused_port_is_unreachable():
    async def run():
        async with peer() as served:
            pass
        with pytest.raises(NotServed) as caught:
            async with opened(served):
                pass
        return caught.value

    end = asyncio.run(run())
    assert (end.outcome, end.stage) == (Outcome.UNREACHABLE, Stage.CONNECT)


def test_leaving_never_hangs_when_the_server_does_not_answer_quit():
    async def run():
        async with peer(GREETING, *EHLO, silence) as served:
            async with asyncio.timeout(30), opened(served, seconds=20):
                pass
            await served.left.wait()

    asyncio.run(run())


def test_cancelling_closes_the_connection():
    async def run():
        async with peer(GREETING, *EHLO, silence) as served:
            inside = asyncio.Event()

            async def stay():
                async with opened(served) as session:
                    inside.set()
                    await session.command("NOOP")

            task = asyncio.create_task(stay())
            await inside.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            async with asyncio.timeout(10):
                await served.left.wait()

    asyncio.run(run())


def test_the_queue_id_that_the_server_names_is_noted():
    transcript = Transcript()
    script = (*DATA, say("250 2.0.0 Ok: queued as 4ABCDEF12"), *BYE)

    async def run():
        async with peer(*script) as served, opened(served, transcript=transcript) as session:
            await session.login("alice@post.example", "secret-1")
            await session.send("alice@post.example", "bob@post.example", LETTER)

    asyncio.run(run())
    assert [event.detail for event in transcript.events if event.detail is not None][-1] == Queued("4ABCDEF12")
