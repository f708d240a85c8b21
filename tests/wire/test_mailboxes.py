"""IMAP, POP3 and ManageSieve when all goes well: what the servers say becomes plain data."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from typing import Any

import pytest

from pytest_mailu.core.endpoints import Tls
from pytest_mailu.core.model import Outcome, Reply, Stage
from pytest_mailu.wire.imap.session import Folder, ImapSession, Message
from pytest_mailu.wire.pop3.session import Pop3Session
from pytest_mailu.wire.sieve.session import SieveSession
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed
from pytest_mailu.wire.transport.transcript import Transcript
from tests.wire.direct import DirectConnector

from .peer import Step, expect, hang_up, peer, say, send, silence, take

GREETING = say("* OK [CAPABILITY IMAP4rev1 IDLE SASL-IR AUTH=PLAIN] ready")


def talk(session: Any, then, *script: Step, transcript: Transcript | None = None) -> Any:
    """What `then(session)` gives with such a peer, which must have heard what it expected."""

    async def run():
        async with peer(*script, silence) as served:
            opening = session.open(
                DirectConnector(), "127.0.0.1", served.port, tls=Tls.NONE, timeout=5, transcript=transcript
            )
            async with asyncio.timeout(30), opening as opened:
                # Whoever leaves is answered by nobody here.
                opened._over = True
                result = await then(opened)
            await served.left.wait()
            assert served.surprises == []
            return result

    return asyncio.run(run())


def imap(then, *script: Step, transcript: Transcript | None = None) -> Any:
    return talk(ImapSession, then, GREETING, *script, transcript=transcript)


def test_imap_select():
    answer = imap(
        lambda s: s.select("IN BOX"),
        expect(r'a1 SELECT "IN BOX"'),
        say(r"* FLAGS (\Seen \Answered)", "* 2 EXISTS", "* 0 RECENT", "* OK [UIDVALIDITY 7] ok", "* OK [UIDNEXT 4] ok"),
        say(r"* OK [PERMANENTFLAGS (\Seen \*)] limited", "a1 OK [READ-WRITE] done"),
    )
    assert answer == {
        "access": "READ-WRITE",
        "exists": 2,
        "flags": ("\\Answered", "\\Seen"),
        "uidvalidity": 7,
        "uidnext": 4,
        "permanentflags": ("\\*", "\\Seen"),
    }


def test_imap_folders_with_special_use_and_names_in_literals():
    answer = imap(
        lambda s: s.folders(),
        expect('a1 LIST "" "*"'),
        say(r'* LIST (\HasNoChildren \Junk) "/" Junk', r"* LIST (\Noselect) NIL {5}", 'a"b\\c', "a1 OK done"),
    )
    assert answer == [Folder("Junk", ("\\HasNoChildren", "\\Junk"), "/"), Folder('a"b\\c', ("\\Noselect",), None)]


def test_imap_folder_names_are_text_on_this_side_and_modified_utf_7_on_the_wire():
    script = (expect('a1 CREATE "Entw&APw-rfe & co"'.replace(" & ", " &- ")), say("a1 OK"))
    imap(lambda s: s.create("Entwürfe & co"), *script)
    answer = imap(lambda s: s.folders(), expect("LIST"), say('* LIST () "/" "Entw&APw-rfe &- co"', "a1 OK"))
    assert [folder.name for folder in answer] == ["Entwürfe & co"]


@pytest.mark.parametrize("response", ["* FLAGS", "* LIST", "* LIST () NIL", "* ID", "* QUOTA", "* STATUS", "* QUOTA x"])
def test_imap_a_response_that_says_too_little_is_trouble(response):
    async def then(session):
        for ask in (session.select, session.folders, session.id, session.quota, lambda: session.status("x")):
            await ask()

    script = [step for number in range(1, 6) for step in (expect(), say(response, f"a{number} OK"))]
    with pytest.raises(CannotAsk):
        imap(then, *script)


def test_imap_fetch_with_literals():
    answer = imap(
        lambda s: s.fetch(4),
        expect("a1 UID FETCH 4 (UID FLAGS BODY.PEEK[])"),
        send(b"* 1 FETCH (UID 4 FLAGS (\\Seen) BODY[] {12}\r\nab\r\n)\r\na1 OK INTERNALDATE NIL)\r\na1 OK done\r\n"),
    )
    assert answer == {4: {"SEQ": 1, "FLAGS": ("\\Seen",), "BODY[]": b"ab\r\n)\r\na1 OK", "INTERNALDATE": None}}


def test_imap_append_sends_a_literal_and_tells_the_uid():
    message = b"Subject: x\r\n\r\ny\r\n"
    script = (
        expect(rf'a1 APPEND "INBOX" (\Seen) {{{len(message)}}}'),
        say("+ go"),
        take(len(message)),
        expect(),
        say("a1 OK [APPENDUID 7 9] done"),
    )
    assert imap(lambda s: s.append("INBOX", message, ["\\Seen"]), *script) == 9


def test_imap_append_refused_before_its_literal():
    with pytest.raises(NotServed) as caught:
        imap(lambda s: s.append("INBOX", b"x"), expect("APPEND"), say("a1 NO [OVERQUOTA] full"))
    assert (caught.value.outcome, caught.value.stage) == (Outcome.REFUSED, Stage.COMMAND)
    assert caught.value.reply == Reply("NO", "OVERQUOTA", "full")


def test_imap_lists_and_numbers():
    assert imap(lambda s: s.search("ALL"), expect("a1 UID SEARCH ALL"), say("* SEARCH 4 2", "a1 OK")) == [2, 4]
    assert imap(lambda s: s.search("ALL"), expect("SEARCH"), say("* SEARCH", "a1 OK")) == []
    assert imap(lambda s: s.sort("DATE"), expect("SORT (DATE)"), say("* SORT 4 2", "a1 OK")) == [4, 2]
    assert imap(lambda s: s.thread(), expect("THREAD"), say("* THREAD (2)(3 (4)(5))", "a1 OK")) == [[2], [3, [4], [5]]]
    assert imap(lambda s: s.expunge(), expect("EXPUNGE"), say("* 3 EXPUNGE", "a1 OK")) == [3]
    status = say('* STATUS "INBOX" (MESSAGES 3 UIDNEXT 5)', "a1 OK")
    assert imap(lambda s: s.status("INBOX"), expect("STATUS"), status) == {"MESSAGES": 3, "UIDNEXT": 5}
    assert imap(lambda s: s.id(), expect("ID"), say('* ID ("name" "Dovecot")', "a1 OK")) == {"name": "Dovecot"}
    assert imap(lambda s: s.id(), expect("ID"), say("* ID NIL", "a1 OK")) == {}
    namespace = say('* NAMESPACE (("" "/")) NIL NIL', "a1 OK")
    assert imap(lambda s: s.namespace(), expect("NAMESPACE"), namespace) == [[["", "/"]], None, None]
    assert imap(lambda s: s.enable("UTF8=ACCEPT"), expect("ENABLE"), say("* ENABLED X", "a1 OK")) == ("X",)
    quota = say('* QUOTAROOT INBOX "User quota"', '* QUOTA "User quota" (STORAGE 1 10 MESSAGE 2 20)', "a1 OK")
    assert imap(lambda s: s.quota(), expect("GETQUOTAROOT"), quota) == {
        "User quota": {"STORAGE": (1, 10), "MESSAGE": (2, 20)}
    }


def test_imap_a_password_outside_ascii_goes_as_a_literal():
    transcript = Transcript()
    secret = "Grüße-1"
    script = (
        expect(f'a1 LOGIN "al" {{{len(secret.encode())}}}'),
        say("+"),
        take(len(secret.encode())),
        expect(),
        say("a1 OK [CAPABILITY X] in"),
    )
    session = imap(lambda s: s.login("al", secret), *script, transcript=transcript)
    assert session.ok
    assert secret not in "\n".join(map(str, transcript.events))


@pytest.mark.parametrize("initial", [True, False])
def test_imap_authenticate_shows_no_password(initial):
    transcript = Transcript()
    answer = b64encode(b"\0al\0secret-1")
    if initial:
        script = (expect(b"a1 AUTHENTICATE PLAIN " + answer),)
    else:
        script = (expect(b"a1 AUTHENTICATE PLAIN\r\n"), say("+ "), expect(answer))
    script = (*script, say("a1 OK in"), expect("a2 CAPABILITY"), say("* CAPABILITY NEW", "a2 OK"))

    async def then(session):
        await session.authenticate("al", "secret-1", initial_response=initial)
        return session.capabilities

    assert imap(then, *script, transcript=transcript)["login"] == ("NEW",)
    said = "\n".join(map(str, transcript.events))
    assert answer.decode() not in said
    assert "secret-1" not in said


def test_imap_raw_commands_do_not_raise():
    reply = imap(lambda s: s.command("FROB"), expect("a1 FROB"), say("* OK [X] y", "a1 BAD what?"))
    assert (reply.status, reply.text, len(reply.untagged)) == ("BAD", "what?", 1)


def test_imap_bye_is_an_answer():
    with pytest.raises(NotServed) as caught:
        imap(lambda s: s.noop(), expect("NOOP"), say("* BYE Too many bad commands"), hang_up)
    assert caught.value.reply == Reply("BYE", "", "Too many bad commands")


@pytest.mark.parametrize(
    "response",
    ["* 1 FETCH (UID 4 FLAGS", "* 1 FETCH x", "* 1 FETCH (UID x)", "* 1 FETCH " + "(" * 5000, '* 1 FETCH (A "x)'],
)
def test_imap_a_response_that_cannot_be_parsed_is_trouble(response):
    with pytest.raises(CannotAsk):
        imap(lambda s: s.fetch(4), expect("FETCH"), say(response, "a1 OK"))


def look(tag: int, uid: int | None = None) -> tuple[Step, ...]:
    head = ("* 1 FETCH (UID 3 BODY[HEADER.FIELDS (MESSAGE-ID)] {19}", "Message-ID: <o@y>", ")")
    wanted = (f"* 2 FETCH (UID {uid} BODY[HEADER.FIELDS (MESSAGE-ID)] {{19}}", "Message-ID: <x@y>", ")")
    steps = (
        expect(f'a{tag} EXAMINE "INBOX"'),
        say(f"a{tag} OK [READ-ONLY]"),
        expect(f"a{tag + 1} UID FETCH 1:* (UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])"),
        say(*head, *(wanted if uid else ()), f"a{tag + 1} OK"),
    )
    if uid is None:
        return steps
    fetched = (f"* 2 FETCH (UID {uid} FLAGS (\\Seen) BODY[] {{1}}", "x)", f"a{tag + 2} OK")
    return (*steps, expect(f"a{tag + 2} UID FETCH {uid} "), say(*fetched))


def test_imap_waits_for_a_message_with_idle():
    script = (
        *look(1),
        expect("a3 EXAMINE"),
        say("a3 OK"),
        expect("a4 IDLE"),
        say("+ idling", "* 1 EXISTS"),
        expect("DONE"),
        say("a4 OK"),
        *look(5, 4),
    )
    found = imap(lambda s: s.wait_for_message("<x@y>", 20, folders=["INBOX"]), *script)
    assert found == [Message(4, "INBOX", ("\\Seen",), b"x")]


def test_imap_waits_for_a_message_without_idle():
    async def then(session):
        session.offered = ()
        return await session.wait_for_message("<x@y>", 20, folders=["INBOX"])

    found = imap(then, *look(1), expect("a3 NOOP"), say("a3 OK"), *look(4, 4))
    assert [message.uid for message in found] == [4]


def folder_list(tag: int, *states: str) -> tuple[Step, ...]:
    names = [f'* LIST (\\HasNoChildren) "/" "{name}"' for name in ("INBOX", "Junk")]
    return (
        expect(f'a{tag} LIST "" "*" RETURN (STATUS (MESSAGES UIDNEXT UIDVALIDITY))'),
        say(*names, *(f"* STATUS {state}" for state in states), f"a{tag} OK"),
    )


def test_imap_reads_again_only_folders_that_are_not_as_they_were():
    async def then(session):
        session.offered = ("LIST-STATUS",)
        return await session.wait_for_message("<x@y>", 20)

    inbox, junk = '"INBOX" (MESSAGES 1 UIDNEXT 4 UIDVALIDITY 1)', '"Junk" (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 2)'
    script = (
        *folder_list(1, inbox, junk),
        *look(2),
        expect("a4 NOOP"),
        say("a4 OK"),
        *folder_list(5, inbox, junk),
        expect("a6 NOOP"),
        say("a6 OK"),
        *folder_list(7, inbox.replace("1 UIDNEXT 4", "2 UIDNEXT 5"), junk),
        *look(8, 4),
    )
    assert [message.uid for message in imap(then, *script)] == [4]


def test_imap_the_last_look_believes_no_figures():
    async def then(session):
        session.offered = ("LIST-STATUS",)
        return await session.wait_for_message("<x@y>", 0)

    listed = (expect('a1 LIST "" "*"\r\n'), say('* LIST () "/" "INBOX"', "a1 OK"))
    assert [message.uid for message in imap(then, *listed, *look(2, 4))] == [4]


def test_imap_a_message_that_never_comes_is_an_empty_list():
    assert imap(lambda s: s.wait_for_message("<x@y>", 0, folders=["INBOX"]), *look(1)) == []


def pop3(then, *script: Step) -> Any:
    capa = (expect("CAPA"), say("+OK", "USER", "SASL PLAIN LOGIN", "."))
    return talk(Pop3Session, then, say("+OK <1.2@mail> ready"), *capa, *script)


def test_pop3():
    assert pop3(lambda s: s.stat(), expect("STAT"), say("+OK 2 320")) == (2, 320)
    assert pop3(lambda s: s.list(), expect("LIST"), say("+OK", "1 120", "2 200", ".")) == {1: 120, 2: 200}
    assert pop3(lambda s: s.uidl(), expect("UIDL"), say("+OK", "1 abc", ".")) == {1: "abc"}
    assert (
        pop3(lambda s: s.retr(1), expect("RETR 1"), say("+OK", "A: b", "", "..", "..x", "."))
        == b"A: b\r\n\r\n.\r\n.x\r\n"
    )
    assert pop3(lambda s: s.top(1), expect("TOP 1 0"), say("+OK", "A: b", "", ".")) == b"A: b\r\n\r\n"
    assert pop3(lambda s: s.dele(1), expect("DELE 1"), say("+OK gone")) == Reply("+OK", "", "gone")
    assert pop3(lambda s: s.rset(), expect("RSET"), say("+OK")) == Reply("+OK")


@pytest.mark.parametrize("initial", [True, False])
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_pop3_auth(mechanism, initial):
    answers = [b"\0al\0secret-1"] if mechanism == "PLAIN" else [b"al", b"secret-1"]
    coded = [b64encode(answer) for answer in answers]
    script: list[Step] = [expect(f"AUTH {mechanism} ".encode() + coded.pop(0) if initial else f"AUTH {mechanism}")]
    for answer in coded:
        script += [say("+ "), expect(answer)]
    reply = pop3(
        lambda s: s.authenticate("al", "secret-1", mechanism, initial_response=initial), *script, say("+OK in")
    )
    assert reply == Reply("+OK", "", "in")


def sieve(then, *script: Step) -> Any:
    greeting = say('"IMPLEMENTATION" "x \\"y\\""', '"SASL" "PLAIN LOGIN"', 'OK (TAG "z") "ready"')
    return talk(SieveSession, then, greeting, *script)


def test_sieve():
    async def offered(session):
        return session.offered

    assert sieve(offered) == {"IMPLEMENTATION": 'x "y"', "SASL": "PLAIN LOGIN"}
    scripts = say('"one" ACTIVE', "{3}", 't"o', "OK")
    assert sieve(lambda s: s.listscripts(), expect("LISTSCRIPTS"), scripts) == {"one": True, 't"o': False}
    text = 'keep; # "x" \\\r\n'
    assert sieve(lambda s: s.getscript("one"), expect('GETSCRIPT "one"'), say(f"{{{len(text)}}}", text, "OK")) == text
    put = (expect('PUTSCRIPT "one" {5+}'), take(5), expect(), say("OK (WARNINGS) {4}", "hmm!"))
    assert sieve(lambda s: s.putscript("one", "keep;"), *put) == Reply("OK", "WARNINGS", "hmm!")
    assert sieve(lambda s: s.setactive(""), expect('SETACTIVE ""'), say("OK")) == Reply("OK")
    assert sieve(lambda s: s.deletescript("a"), expect('DELETESCRIPT "a"'), say("OK")) == Reply("OK")
    check = (expect("CHECKSCRIPT {1+}"), take(1), expect(), say('NO "line 1: error"'))
    with pytest.raises(NotServed) as caught:
        sieve(lambda s: s.checkscript("x"), *check)
    assert caught.value.reply == Reply("NO", "", "line 1: error")


@pytest.mark.parametrize("initial", [True, False])
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_sieve_authenticate(mechanism, initial):
    answers = [b"\0al\0secret-1"] if mechanism == "PLAIN" else [b"al", b"secret-1"]
    coded = [b'"' + b64encode(answer) + b'"' for answer in answers]
    first = f'AUTHENTICATE "{mechanism}"'.encode()
    script: list[Step] = [expect(first + b" " + coded.pop(0) if initial else first)]
    for answer in coded:
        script += [say("{0}", ""), expect(answer)]
    script += [say('OK "in"'), expect("CAPABILITY"), say('"SIEVE" "fileinto"', "OK")]
    reply = sieve(lambda s: s.authenticate("al", "secret-1", mechanism, initial_response=initial), *script)
    assert reply == Reply("OK", "", "in")


def test_sieve_encrypt_needed_is_not_about_the_password():
    with pytest.raises(NotServed) as caught:
        sieve(
            lambda s: s.authenticate("al", "secret-1"),
            expect("AUTHENTICATE"),
            say('NO (ENCRYPT-NEEDED) "TLS first"'),
        )
    assert (caught.value.outcome, caught.value.stage) == (Outcome.REFUSED, Stage.AUTH)
