"""IMAP when all goes well: what the server says becomes plain data."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from pytest_mailu.core.model import Outcome, Reply, Stage
from pytest_mailu.wire.imap.session import Folder, ImapSession, Message
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed
from pytest_mailu.wire.transport.transcript import Transcript
from tests.wire.peer import Step, expect, hang_up, say, send, take
from tests.wire.talk import talk

GREETING = say("* OK [CAPABILITY IMAP4rev1 IDLE SASL-IR AUTH=PLAIN] ready")


def imap(then, *script: Step, transcript: Transcript | None = None) -> Any:
    return talk(ImapSession, then, GREETING, *script, transcript=transcript)


def test_select():
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


def test_folders_with_special_use_and_names_in_literals():
    answer = imap(
        lambda s: s.folders(),
        expect('a1 LIST "" "*"'),
        say(r'* LIST (\HasNoChildren \Junk) "/" Junk', r"* LIST (\Noselect) NIL {5}", 'a"b\\c', "a1 OK done"),
    )
    assert answer == [Folder("Junk", ("\\HasNoChildren", "\\Junk"), "/"), Folder('a"b\\c', ("\\Noselect",), None)]


def test_folder_names_are_text_on_this_side_and_modified_utf_7_on_the_wire():
    script = (expect('a1 CREATE "Entw&APw-rfe & co"'.replace(" & ", " &- ")), say("a1 OK"))
    imap(lambda s: s.create("Entwürfe & co"), *script)
    answer = imap(lambda s: s.folders(), expect("LIST"), say('* LIST () "/" "Entw&APw-rfe &- co"', "a1 OK"))
    assert [folder.name for folder in answer] == ["Entwürfe & co"]


@pytest.mark.parametrize("response", ["* FLAGS", "* LIST", "* LIST () NIL", "* ID", "* QUOTA", "* STATUS", "* QUOTA x"])
def test_a_response_that_says_too_little_is_trouble(response):
    async def then(session):
        for ask in (session.select, session.folders, session.id, session.quota, lambda: session.status("x")):
            await ask()

    script = [step for number in range(1, 6) for step in (expect(), say(response, f"a{number} OK"))]
    with pytest.raises(CannotAsk):
        imap(then, *script)


def test_fetch_with_literals():
    answer = imap(
        lambda s: s.fetch(4),
        expect("a1 UID FETCH 4 (UID FLAGS BODY.PEEK[])"),
        send(b"* 1 FETCH (UID 4 FLAGS (\\Seen) BODY[] {12}\r\nab\r\n)\r\na1 OK INTERNALDATE NIL)\r\na1 OK done\r\n"),
    )
    assert answer == {4: {"SEQ": 1, "FLAGS": ("\\Seen",), "BODY[]": b"ab\r\n)\r\na1 OK", "INTERNALDATE": None}}


def test_append_sends_a_literal_and_tells_the_uid():
    message = b"Subject: x\r\n\r\ny\r\n"
    script = (
        expect(rf'a1 APPEND "INBOX" (\Seen) {{{len(message)}}}'),
        say("+ go"),
        take(len(message)),
        expect(),
        say("a1 OK [APPENDUID 7 9] done"),
    )
    assert imap(lambda s: s.append("INBOX", message, ["\\Seen"]), *script) == 9


def test_append_refused_before_its_literal():
    with pytest.raises(NotServed) as caught:
        imap(lambda s: s.append("INBOX", b"x"), expect("APPEND"), say("a1 NO [OVERQUOTA] full"))
    assert (caught.value.outcome, caught.value.stage) == (Outcome.REFUSED, Stage.COMMAND)
    assert caught.value.reply == Reply("NO", "OVERQUOTA", "full")


def test_lists_and_numbers():
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


def test_a_password_outside_ascii_goes_as_a_literal():
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
def test_authenticate_shows_no_password(initial):
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


def test_raw_commands_do_not_raise():
    reply = imap(lambda s: s.command("FROB"), expect("a1 FROB"), say("* OK [X] y", "a1 BAD what?"))
    assert (reply.status, reply.text, len(reply.untagged)) == ("BAD", "what?", 1)


@pytest.mark.parametrize("word", ["BYE", "BAD"])
def test_a_last_word_is_an_answer(word):
    """nginx says BAD where the server behind it hangs up: 2.0.43 on clients with IPv6, for example."""
    with pytest.raises(NotServed) as caught:
        imap(lambda s: s.noop(), expect("NOOP"), say(f"* {word} internal server error"), hang_up)
    assert (caught.value.outcome, caught.value.reply) == (Outcome.REFUSED, Reply(word, "", "internal server error"))


@pytest.mark.parametrize(
    "response",
    ["* 1 FETCH (UID 4 FLAGS", "* 1 FETCH x", "* 1 FETCH (UID x)", "* 1 FETCH " + "(" * 5000, '* 1 FETCH (A "x)'],
)
def test_a_response_that_cannot_be_parsed_is_trouble(response):
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


def folder_list(tag: int, *states: str) -> tuple[Step, ...]:
    names = [f'* LIST (\\HasNoChildren) "/" "{name}"' for name in ("INBOX", "Junk")]
    return (
        expect(f'a{tag} LIST "" "*" RETURN (STATUS (MESSAGES UIDNEXT UIDVALIDITY))'),
        say(*names, *(f"* STATUS {state}" for state in states), f"a{tag} OK"),
    )


def test_waits_for_a_message_with_idle():
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


def test_waits_for_a_message_without_idle():
    async def then(session):
        session.offered = ()
        return await session.wait_for_message("<x@y>", 20, folders=["INBOX"])

    found = imap(then, *look(1), expect("a3 NOOP"), say("a3 OK"), *look(4, 4))
    assert [message.uid for message in found] == [4]


def test_reads_again_only_folders_that_are_not_as_they_were():
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


def test_the_last_look_believes_no_figures():
    async def then(session):
        session.offered = ("LIST-STATUS",)
        return await session.wait_for_message("<x@y>", 0)

    listed = (expect('a1 LIST "" "*"\r\n'), say('* LIST () "/" "INBOX"', "a1 OK"))
    assert [message.uid for message in imap(then, *listed, *look(2, 4))] == [4]


def test_a_message_that_never_comes_is_an_empty_list():
    assert imap(lambda s: s.wait_for_message("<x@y>", 0, folders=["INBOX"]), *look(1)) == []
