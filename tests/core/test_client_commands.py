from __future__ import annotations

import pytest

from pytest_mailu.core.client_commands import (
    ClientCommand,
    Content,
    Login,
    Other,
    Recipient,
    Request,
    Sender,
    StartTls,
    client_commands,
    failed_requests,
    parse,
)
from tests.events import events


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("MAIL FROM:<a@b.example> SIZE=9", Sender("a@b.example")),
        ("mail from: <>", Sender("")),
        ("RCPT TO:<a@b.example> NOTIFY=NEVER", Recipient("a@b.example")),
        ("DATA", Content()),
        ("BDAT 12 LAST", Content()),
        ("STARTTLS", StartTls()),
        ("a1 STARTTLS", StartTls()),
        ("STLS", StartTls()),
        ("STARTTLS now", Other()),
        ("AUTH plain ****", Login("PLAIN")),
        ("AUTH SCRAM-SHA-256 ****", Login("SCRAM-SHA-256")),
        ("AUTH", Login()),
        ("a1 AUTHENTICATE XOAUTH2", Login("XOAUTH2")),
        ("c AUTHENTICATE PLAIN", Login("PLAIN")),
        ('AUTHENTICATE "PLAIN" ****', Login("PLAIN")),
        ("a1 LOGIN alice ****", Login()),
        ("USER alice", Login()),
        ("PASS ****", Login()),
        ("GET /admin/ui/?a=b", Request("GET", "/admin/ui/?a=b")),
        ("EHLO auth.example", Other()),
        ("a1 SELECT INBOX", Other()),
        ("", Other()),
    ],
)
def test_a_line_is_the_command_of_its_protocol(line: str, command: ClientCommand) -> None:
    assert parse(line) == command


def test_only_the_client_commands() -> None:
    talk = events("S: 220 STARTTLS", "C: EHLO x", "-- TLS: TLSv1.3", "C: AUTH PLAIN ****", "S: 235 OK")
    assert client_commands(talk) == [Other(), Login("PLAIN")]


def test_requests_that_a_server_answered_with_an_error_of_its_own() -> None:
    transcript = events(
        *(
            "C: GET https://front/a",
            "S: 200  (9 bytes)",
            "C: POST https://front/b?x=1",
            "C: (230 bytes)",
            "C: (9 bytes)",
        ),
        *("S: 500  (9 bytes)", "C: GET https://front/mail", "-- unanswered at command", "C: MAIL FROM:<>", "S: 550 no"),
        *("C: GET https://front/c", "-- a note", "S: 503  (9 bytes)", "S: 500 not an answer to anything"),
        *("C: EHLO client.example", "S: 500 what?", "C: GET https://front/d", "S: 5000 is no status"),
    )
    assert failed_requests(transcript) == [Request("POST", "https://front/b?x=1"), Request("GET", "https://front/c")]
