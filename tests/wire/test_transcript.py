"""Transcripts can be printed and stored: bounded, escaped, and without secrets."""

from __future__ import annotations

import pytest

from pytest_mailu.core.text import show
from pytest_mailu.wire.transport.transcript import Transcript


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("AUTH PLAIN AGFsAHNlY3JldA==", "C: AUTH PLAIN ****"),
        ("auth login YWw=", "C: auth login ****"),
        ("AUTH PLAIN", "C: AUTH PLAIN"),
        ("a1 AUTHENTICATE PLAIN AGFs", "C: a1 AUTHENTICATE PLAIN ****"),
        ('AUTHENTICATE "PLAIN" "AGFs"', 'C: AUTHENTICATE "PLAIN" ****'),
        ('a1 LOGIN "al ice" "pa ss"', 'C: a1 LOGIN "al ice" ****'),
        ("a1 LOGIN alice pass", "C: a1 LOGIN alice ****"),
        ("PASS two words", "C: PASS ****"),
        ("EHLO LOGIN.example", "C: EHLO LOGIN.example"),
        ("MAIL FROM:<pass@auth.example>", "C: MAIL FROM:<pass@auth.example>"),
    ],
)
def test_credentials_are_masked(said, shown):
    transcript = Transcript()
    transcript.client(said)
    assert transcript.lines == (shown,)


def test_a_secret_is_masked_wherever_it_turns_up():
    transcript = Transcript()
    transcript.hide("secret-1")
    transcript.client("RCPT TO:<secret-1@x>")
    transcript.server(b"550 secret-1 is no recipient")
    transcript.note("secret-1")
    assert transcript.lines == ("C: RCPT TO:<****@x>", "S: 550 **** is no recipient", "-- ****")


def test_lines_are_bounded_in_number_and_length():
    transcript = Transcript(max_lines=2, max_length=5)
    for _ in range(4):
        transcript.server(b"x" * 1_000_000)
    assert transcript.lines == ("S: xxxxx…", "S: xxxxx…", "-- 2 more lines left out")


def test_nothing_unprintable_gets_through():
    transcript = Transcript()
    transcript.server(bytes(range(256)) + "\u202e\u2028\U000e0001".encode())
    assert transcript.lines[0].isprintable()


def test_what_is_printable_stays_as_it_is():
    assert show("Grüße, 世界\nzwei".encode()) == "Grüße, 世界\nzwei"
