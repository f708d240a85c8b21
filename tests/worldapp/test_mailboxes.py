"""The world's mailboxes, by IMAP and POP3 with real clients: what they get, what is left, and what is too much."""

from __future__ import annotations

import asyncio
import imaplib
import poplib
import shutil
import socket
import ssl
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pytest_mailu.core.population import IMPOSTOR_HOST, MAILBOX_HOST
from pytest_mailu.stack.world.certificates import authority
from pytest_mailu.stack.world.control import WorldAccount
from pytest_mailu.wire.transport.errors import CannotAsk
from pytest_mailu.worldapp import mailbox_server, mailboxes
from pytest_mailu.worldapp.imap_words import Bad, bounds, items, words
from pytest_mailu.worldapp.mailboxes import Full, Mailboxes

PASSWORD = 'with "quotes" and \\ in it'
FIRST = b"From: a@x.example\r\nSubject: first\r\nMessage-ID: <1@x.example>\r\n\r\nText.\r\n.dotted\r\n..\r\n"
SECOND = b"From: b@x.example\r\nMessage-ID: <2@x.example>\r\n\r\nGr\xc3\xbc\xc3\x9fe without a last line end"
KINDS = ("plain", "starttls", "tls")


@pytest.fixture
def account(here: Any) -> str:
    """An account at the world with two messages."""
    name = f"user-{uuid.uuid4().hex}"
    asyncio.run(here.world.deposit(name, PASSWORD, FIRST, SECOND))
    return name


def seen(here: Any, name: str, ended: int = 0) -> WorldAccount:
    found: WorldAccount = asyncio.run(here.world.account(name, ended=ended, wait=20))
    return found


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=authority().pem)
    context.check_hostname = False  # clients of the tests name an address
    return context


@contextmanager
def imap(here: Any, kind: str, name: str) -> Iterator[imaplib.IMAP4]:
    port = here.ports[f"imap-{kind}"]
    if kind == "tls":
        client: imaplib.IMAP4 = imaplib.IMAP4_SSL(here.address, port, ssl_context=trusting(), timeout=20)
    else:
        client = imaplib.IMAP4(here.address, port, timeout=20)
    if kind == "starttls":
        client.starttls(trusting())
    client.login(name, PASSWORD)
    yield client
    client.logout()


@contextmanager
def pop3(here: Any, kind: str, name: str) -> Iterator[poplib.POP3]:
    port = here.ports[f"pop3-{kind}"]
    if kind == "tls":
        client: poplib.POP3 = poplib.POP3_SSL(here.address, port, context=trusting(), timeout=20)
    else:
        client = poplib.POP3(here.address, port, timeout=20)
    if kind == "starttls":
        client.stls(trusting())
    client.user(name)
    client.pass_(PASSWORD)
    yield client
    client.quit()


def encrypted(kind: str) -> bool:
    return kind != "plain"


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_is_fetched_and_deleted_by_imap(here: Any, account: str, kind: str) -> None:
    with imap(here, kind, account) as client:
        assert client.select() == ("OK", [b"2"])
        assert client.search(None, "UNSEEN", "NOT", "DELETED") == ("OK", [b"1 2"])
        _, sizes = client.fetch("1:*", "(RFC822.SIZE)")
        assert sizes == [f"{n} (RFC822.SIZE {len(c)})".encode() for n, c in ((1, FIRST), (2, SECOND))]
        header: Any = client.fetch("1", "(RFC822.HEADER)")[1][0]
        text: Any = client.fetch("1", "(BODY.PEEK[TEXT])")[1][0]
        assert header[1] + text[1] == FIRST
        client.store("1", "+FLAGS.SILENT", "(\\Seen \\Deleted)")
        assert client.search(None, "UNSEEN") == ("OK", [b"2"])
        assert client.expunge() == ("OK", [b"1"])
        assert client.uid("search", "ALL") == ("OK", [b"2"])  # type: ignore[arg-type]
    found = seen(here, account, ended=1)
    first, second = found.folders["INBOX"]
    assert (first.message_id, first.reads, first.there) == ("1@x.example", 1, False)
    assert (second.message_id, second.reads, second.there, second.flags) == ("2@x.example", 0, True, ())
    (visit,) = found.visits
    assert (visit.listener, bool(visit.tls), visit.accepted, visit.ended) == (
        f"imap-{kind}",
        encrypted(kind),
        True,
        True,
    )
    assert not any("quotes" in command for command in visit.commands)


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_is_fetched_and_deleted_by_pop3(here: Any, account: str, kind: str) -> None:
    with pop3(here, kind, account) as client:
        assert client.stat() == (2, len(FIRST) + len(SECOND))
        assert client.list()[1] == [f"1 {len(FIRST)}".encode(), f"2 {len(SECOND)}".encode()]
        assert client.uidl()[1] == [b"1 world-1", b"2 world-2"]
        assert b"\r\n".join([*client.retr(1)[1], b""]) == FIRST
        assert client.top(2, 0)[1] == [b"From: b@x.example", b"Message-ID: <2@x.example>", b""]
        client.dele(1)
        with pytest.raises(poplib.error_proto):
            client.retr(1)
        assert seen(here, account).folders["INBOX"][0].there  # until QUIT (RFC 1939 section 6)
    found = seen(here, account, ended=1)
    assert [(message.reads, message.there) for message in found.folders["INBOX"]] == [(1, False), (0, True)]
    (visit,) = found.visits
    assert (visit.listener, bool(visit.tls), visit.ended) == (f"pop3-{kind}", encrypted(kind), True)
    assert not any("quotes" in command for command in visit.commands)


def test_a_whole_message_is_read_by_top_and_a_lost_connection_deletes_nothing(here: Any, account: str) -> None:
    client = poplib.POP3(here.address, here.ports["pop3-plain"], timeout=20)
    client.user(account)
    client.pass_(PASSWORD)
    assert b"\r\n".join(client.top(2, 99_999_999)[1]) == SECOND
    client.dele(2)
    client.close()
    assert [(one.reads, one.there) for one in seen(here, account, ended=1).folders["INBOX"]] == [(0, True), (1, True)]


def test_folders_have_the_names_of_the_wire_and_no_others(here: Any, account: str) -> None:
    asyncio.run(here.world.deposit(account, PASSWORD, FIRST, folder="Entw&APw-rfe"))
    with imap(here, "plain", account) as client:
        assert client.select("Entw&APw-rfe") == ("OK", [b"1"])
        assert client.status("INBOX", "(MESSAGES UNSEEN)") == ("OK", [b'"INBOX" (MESSAGES 2 UNSEEN 2)'])
        assert client.list()[1] == [b'() "/" "INBOX"', b'() "/" "Entw&APw-rfe"']
        client._encoding = "utf-8"
        assert client.select('"Entwürfe"')[0] == "NO"
        assert client.select("INBOX")[0] == "OK"


def test_a_folder_that_is_only_looked_at_stays_as_it_is(here: Any, account: str) -> None:
    with imap(here, "plain", account) as client:
        client.select(readonly=True)
        client.fetch("1", "(BODY[])")
        assert client.store("1", "+FLAGS", "\\Deleted")[0] == "NO"
    assert {message.flags for message in seen(here, account).folders["INBOX"]} == {()}


def test_two_sessions_of_one_account_go_on_side_by_side(here: Any, account: str) -> None:
    with imap(here, "plain", account) as one, imap(here, "tls", account) as two:
        one.select()
        two.select()
        one.store("1", "+FLAGS.SILENT", "\\Deleted")
        one.expunge()
        fetched: Any = two.fetch("2", "(BODY[HEADER.FIELDS (MESSAGE-ID)])")[1][0]
        assert fetched[1] == b"Message-ID: <2@x.example>\r\n\r\n"
        asyncio.run(here.world.deposit(account, PASSWORD, FIRST))
        two.noop()
        assert two.response("EXISTS")[1][-1] == b"3"


def test_a_wrong_login_is_refused_and_kept_in_mind(here: Any, account: str) -> None:
    client = imaplib.IMAP4(here.address, here.ports["imap-plain"], timeout=20)
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        client.login(account, "wrong")
    client.shutdown()
    pop = poplib.POP3(here.address, here.ports["pop3-plain"], timeout=20)
    pop.user(account)
    with pytest.raises(poplib.error_proto, match="wrong login"):
        pop.pass_("wrong")
    pop.close()
    found = seen(here, account)
    assert ([visit.accepted for visit in found.visits], found.ended) == ([False, False], 0)


def test_an_account_that_is_not_there_is_said_to_be_missing(here: Any) -> None:
    with pytest.raises(CannotAsk, match="no account 'nobody'"):
        asyncio.run(here.world.account("nobody"))


def said(here: Any, listener: str, *sent: bytes) -> bytes:
    """What a server answers to these very bytes until it hangs up."""
    with socket.create_connection((here.address, here.ports[listener]), timeout=20) as client:
        answer = b""
        try:
            client.sendall(b"".join(sent))
            while data := client.recv(65536):
                answer += data
        except ConnectionError:
            pass
        return answer


@pytest.mark.parametrize("listener", ["imap-plain", "pop3-plain"])
@pytest.mark.parametrize(
    "sent",
    [
        b"x" * 50_000 + b"\r\n",
        b"a LOGIN {999999999}\r\n",
        b"a NOOP\r\n" * (mailbox_server.MOST_COMMANDS + 10),
        b"\x00\xff\r\n\r\n  \r\na\r\n" + b"QUIT\r\n" + b"a LOGOUT\r\n",
    ],
    ids=["line", "literal", "commands", "rubbish"],
)
def test_a_client_that_goes_beyond_a_bound_is_hung_up_on(here: Any, listener: str, sent: bytes) -> None:
    if listener == "pop3-plain" and b"{" in sent:
        sent += b"QUIT\r\n"
    said(here, listener, sent)  # it ends
    assert b"+OK" in said(here, "pop3-plain", b"QUIT\r\n")
    assert b"* BYE" in said(here, "imap-plain", b"a LOGOUT\r\n")


def test_what_makes_no_sense_is_answered(here: Any, account: str) -> None:
    login = f'a LOGIN {account} "with \\"quotes\\" and \\\\ in it"\r\n'.encode()
    answer = said(
        here,
        "imap-plain",
        b'a SELECT INBOX\r\nb STARTTLS\r\nc LOGIN x\r\nd LOGIN "x\r\n',
        login,
        b"e FETCH 1 ALL\r\nf SELECT INBOX\r\ng FETCH 1:x FLAGS\r\nh FETCH 1 BODY[1.2]\r\ni SEARCH TEXT x\r\n",
        b"j UID COPY 1 x\r\nk SELECT nowhere\r\nl LOGOUT\r\n",
    )
    tagged = [line.split()[:2] for line in answer.splitlines() if line[1:2] == b" " and line[:1] not in (b"*", b"+")]
    assert [state for _, state in tagged] == [*[b"BAD"] * 4, b"OK", b"BAD", b"OK", *[b"BAD"] * 4, b"NO", b"OK"]
    answer = said(here, "pop3-plain", b"STAT\r\nSTLS\r\nXYZ\r\nUSER a\r\nPASS b\r\nQUIT\r\n")
    assert [line[:4] for line in answer.splitlines()] == [b"+OK ", b"-ERR", b"-ERR", b"-ERR", b"+OK", b"-ERR", b"+OK "]


def test_a_password_that_comes_as_a_literal_is_taken(here: Any, account: str) -> None:
    literal = f"a LOGIN {account} {{{len(PASSWORD)}+}}\r\n{PASSWORD}\r\nb LOGOUT\r\n".encode()
    assert b"a OK" in said(here, "imap-plain", literal)


def test_what_stands_behind_starttls_is_thrown_away(here: Any) -> None:
    with socket.create_connection((here.address, here.ports["imap-starttls"]), timeout=20) as client:
        client.recv(100)
        client.sendall(b"a STARTTLS\r\nb CAPABILITY\r\n")
        assert client.recv(100) == b"a OK begin TLS\r\n"
        with trusting().wrap_socket(client) as secured:
            secured.sendall(b"c NOOP\r\n")
            assert secured.recv(100) == b"c OK NOOP\r\n"


@pytest.mark.parametrize(
    ("limit", "value"),
    [("MOST_ACCOUNTS", 1), ("MOST_FOLDERS", 1), ("MOST_MESSAGES", 1), ("MOST_BYTES", len(FIRST) + 1)],
)
def test_the_world_keeps_no_more_mail_than_it_may(monkeypatch: pytest.MonkeyPatch, limit: str, value: int) -> None:
    monkeypatch.setattr(mailboxes, limit, value)

    async def fill() -> None:
        own = Mailboxes()
        own.deposit("a", "p", "INBOX", [FIRST])
        full = 0
        for account, folder in (("a", "INBOX"), ("a", "other"), ("b", "INBOX")):
            try:
                own.deposit(account, "p", folder, [FIRST])
            except Full:
                full += 1
        assert full > 0

    asyncio.run(fill())


def test_sets_and_strings_are_read_within_bounds() -> None:
    assert bounds("1:3,5,7:*", 9) == [(1, 3), (5, 5), (7, 9)]
    assert bounds("*:2", 1) == [(1, 2)]
    assert words('a "b c" ("d\\"e")') == ["a", "b c", 'd"e']
    assert items("(UID RFC822.SIZE BODY.PEEK[HEADER.FIELDS (DATE FROM)])")[2] == "BODY.PEEK[HEADER.FIELDS (DATE FROM)]"
    for wrong in ("", "x", "1,,2", ",".join("1" * 101)):
        with pytest.raises(Bad):
            bounds(wrong, 1)
    with pytest.raises(Bad):
        words('"' + '\\"' * 100_000)  # and at once
    with pytest.raises(Bad):
        items("FLAGS " * 60)


FETCHMAIL = shutil.which("fetchmail")


@pytest.mark.skipif(FETCHMAIL is None, reason="the program fetchmail is not on this machine")
@pytest.mark.parametrize("keep", [False, True], ids=["not-keep", "keep"])
@pytest.mark.parametrize(
    "listener", ["imap-plain", "imap-starttls", "imap-tls", "pop3-plain", "pop3-starttls", "pop3-tls"]
)
def test_fetchmail_itself_fetches(here: Any, account: str, listener: str, keep: bool, tmp_path: Path) -> None:
    """Twice, as Mailu calls it (optional/fetchmail/fetchmail.py of master); but a program takes what it delivers."""
    protocol, _, kind = listener.partition("-")
    trusted, inbox = tmp_path / "authority.pem", tmp_path / "inbox"
    trusted.write_text(authority().pem)
    password = "".join(f"\\x{ord(letter):02x}" for letter in PASSWORD)
    options = ["sslcommonname", MAILBOX_HOST, *(["ssl"] if kind == "tls" else []), "keep" if keep else "fetchall"]
    options += ["sslproto", "''"] if kind == "plain" else []
    rc = tmp_path / "fetchmailrc"
    rc.write_text(
        f'poll "{here.address}" proto {protocol} port {here.ports[listener]}\nuser "{account}" password "{password}"\n'
        f'is "{account}" mda "cat >> {inbox}" {" ".join(options)}\n'
    )
    rc.chmod(0o700)
    home = {"HOME": str(tmp_path), "FETCHMAILHOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    command = [str(FETCHMAIL), "-N", "--uidl", "--sslcertck", "--sslcertfile", str(trusted), "-f", str(rc)]
    ends = [
        subprocess.run(command, check=False, capture_output=True, text=True, env=home, timeout=60) for _ in range(2)
    ]
    assert [end.returncode for end in ends] == [0, 1], ends  # 1: no mail
    content = inbox.read_bytes()
    assert (content.count(b"Message-ID: <1@"), content.count(b"Message-ID: <2@"), content.count(b"\n.dotted")) == (
        1,
        1,
        1,
    )
    found = seen(here, account, ended=2)
    assert [(message.there, message.reads) for message in found.folders["INBOX"]] == [(keep, 1)] * 2
    assert {bool(visit.tls) for visit in found.visits} == {encrypted(kind)}


def test_the_authority_is_found_in_a_folder_by_its_file_name(here: Any, tmp_path: Path) -> None:
    """As fetchmail's container looks for it (--sslcertpath)."""
    (tmp_path / authority().file_name).write_text(authority().pem)
    context = ssl.create_default_context(capath=str(tmp_path))
    address = (here.address, here.ports["pop3-tls"])
    with socket.create_connection(address, timeout=20) as raw, context.wrap_socket(raw, server_hostname=MAILBOX_HOST):
        pass


def test_the_certificate_is_for_one_of_the_names_only(here: Any) -> None:
    context = ssl.create_default_context(cadata=authority().pem)
    address = (here.address, here.ports["imap-tls"])
    with socket.create_connection(address, timeout=20) as raw, context.wrap_socket(raw, server_hostname=MAILBOX_HOST):
        pass
    with socket.create_connection(address, timeout=20) as raw, pytest.raises(ssl.SSLCertVerificationError):
        context.wrap_socket(raw, server_hostname=IMPOSTOR_HOST)
