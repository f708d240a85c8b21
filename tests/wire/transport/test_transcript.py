"""Transcripts can be printed and stored: bounded, escaped, and without secrets."""

from __future__ import annotations

import pytest

from pytest_mailu.core.text import show
from pytest_mailu.core.transcript import Connection, Kind, Queued, Speaker, Submission, Waited, connections, texts
from pytest_mailu.wire.transport.transcript import Transcript


def said_in(transcript: Transcript) -> list[str]:
    return [str(event) for event in transcript.events]


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
    assert said_in(transcript) == [shown]


def test_a_secret_is_masked_wherever_it_turns_up():
    transcript = Transcript()
    transcript.hide("secret-1")
    transcript.client("RCPT TO:<secret-1@x>")
    transcript.server(b"550 secret-1 is no recipient")
    transcript.note("secret-1")
    assert said_in(transcript) == ["C: RCPT TO:<****@x>", "S: 550 **** is no recipient", "-- ****"]


def test_lines_are_bounded_in_number_and_length():
    transcript = Transcript(max_events=2, max_length=5)
    for _ in range(4):
        transcript.server(b"x" * 1_000_000)
    assert said_in(transcript) == ["S: xxxxx…", "S: xxxxx…", "-- 2 more lines left out"]
    assert transcript.events[-1].kind is Kind.LEFT_OUT


def test_what_others_have_to_know_is_a_detail_and_not_only_words():
    transcript = Transcript()
    transcript.connecting("front", 25, "stranger")
    transcript.message("<a@b.example>")
    transcript.client("DATA")
    transcript.server(b"250 2.0.0 Ok: queued as 4ABCDEF12", queue_id="4ABCDEF12")
    transcript.waited_in_vain(12.0, "a message")
    details = [event.detail for event in transcript.events]
    assert details == [
        Connection("front", 25, "stranger"),
        Submission("<a@b.example>"),
        None,
        Queued("4ABCDEF12"),
        Waited(12.0),
    ]
    assert connections(transcript.events) == [Connection("front", 25, "stranger")]
    assert texts(transcript.events, Speaker.CLIENT) == ["DATA"]


def test_a_secret_is_masked_in_a_detail_too():
    transcript = Transcript()
    transcript.hide("secret1")
    transcript.server("250 queued as secret1", queue_id="secret1")
    assert transcript.events[0].detail == Queued("****")


def test_times_count_from_the_start_of_the_transcript():
    transcript = Transcript()
    transcript.client("NOOP")
    transcript.server("250 Ok")
    first, second = (event.seconds for event in transcript.events)
    assert first is not None
    assert second is not None
    assert 0 <= first <= second < 60


def test_nothing_unprintable_gets_through():
    transcript = Transcript()
    transcript.server(bytes(range(256)) + "\u202e\u2028\U000e0001".encode())
    assert transcript.events[0].text.isprintable()


def test_what_is_printable_stays_as_it_is():
    assert show("Grüße, 世界\nzwei".encode()) == "Grüße, 世界\nzwei"
