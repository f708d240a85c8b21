"""Which log lines belong to an observation."""

from __future__ import annotations

from dataclasses import replace

from pytest_mailu.core.model import Observation, Outcome, Reply, Stage
from pytest_mailu.stack.evidence.log_line import LogLine
from pytest_mailu.stack.evidence.logs import MOST, lines_of, parse
from tests.events import events

PLACES = {"198.18.4.20": "stranger", "198.18.5.20": "relaynet"}


def seen(*transcript: str, reply: Reply | None = None) -> Observation:
    return Observation(Outcome.REFUSED, Stage.RCPT, reply, transcript=events(*transcript), started=100.0, seconds=2.0)


def smtp(when: float, text: str) -> LogLine:
    return LogLine("smtp", when, text)


def test_a_line_has_the_time_that_the_engine_gave_it() -> None:
    [line] = parse("smtp", ["1970-01-01T00:01:40.123456789Z postfix/smtpd[3]: connect", "no time stamp"])
    assert line == smtp(100.123456, "postfix/smtpd[3]: connect")


def test_a_letter_is_followed_from_its_message_id_to_its_queue_id() -> None:
    logs = [
        smtp(101, "postfix/cleanup[9]: 4ABCDEF12: message-id=<a1@x.example>"),
        smtp(101, "postfix/qmgr[8]: 4ABCDEF12: from=<a@x.example>"),
        smtp(101, "postfix/qmgr[8]: 4FFFFFF34: from=<b@x.example>"),
    ]
    found = lines_of(seen("-- message <a1@x.example>"), logs, PLACES)
    assert found == ("smtp | " + logs[0].text, "smtp | " + logs[1].text)


def test_what_was_logged_at_another_moment_belongs_to_another_observation() -> None:
    logs = [smtp(50, "<a1@x.example>"), smtp(200, "<a1@x.example>")]
    assert lines_of(seen("-- message <a1@x.example>"), logs, PLACES) == ()


def test_what_was_shared_with_others_before_is_looked_for_where_it_happened() -> None:
    logs = [smtp(50, "<a1@x.example>"), smtp(81, "<a1@x.example>"), smtp(200, "<a1@x.example>")]
    asked = seen("-- message <a1@x.example>")
    shared = replace(asked, transcript=(replace(asked.transcript[0], seconds=-20.0),))
    assert lines_of(shared, logs, PLACES) == ("smtp | <a1@x.example>",)


def test_without_a_letter_it_is_the_client_of_the_vantage() -> None:
    logs = [smtp(101, "connect from [198.18.4.20]"), smtp(101, "connect from [198.18.5.20]")]
    found = lines_of(seen("-- connecting to front:25 as stranger"), logs, PLACES)
    assert found == ("smtp | connect from [198.18.4.20]",)


def test_of_one_client_only_the_lines_of_the_port_that_was_asked() -> None:
    logs = [
        LogLine("front", 101, "*2 client 198.18.4.20:511 connected to 0.0.0.0:110"),
        LogLine("front", 101, "*3 client 198.18.4.20:512 connected to 0.0.0.0:587"),
        LogLine("admin", 101, "Login attempt for: a@x.example/pop3/110 from: 198.18.4.20/511"),
        LogLine("admin", 101, "Login attempt for: a@x.example/imap/993 from: 198.18.4.20/513"),
        LogLine("admin", 101, "no port, from 198.18.4.20"),
        LogLine("imap", 101, "pop3-login: rip=198.18.4.20"),
        LogLine("imap", 101, "imap-login: rip=198.18.4.20"),
        LogLine("front", 101, "submission-login: rip=198.18.4.20"),
        LogLine("antispam", 101, "milter: got connection from 198.18.4.20"),
    ]
    found = lines_of(seen("-- connecting to front:110 as stranger"), logs, PLACES)
    assert found == tuple(str(logs[number]) for number in (0, 2, 4, 5))


def test_who_never_got_in_is_in_no_log() -> None:
    logs = [LogLine("antispam", 101, "milter: got connection from 198.18.4.20")]
    closed = replace(seen("-- connecting to front:587 as stranger"), outcome=Outcome.UNREACHABLE)
    assert lines_of(closed, logs, PLACES) == ()


def test_a_refusal_is_found_by_its_words_among_the_lines_of_one_client() -> None:
    logs = [smtp(101, "connect from [198.18.4.20]"), smtp(101, "reject: [198.18.4.20]: Relay access denied")]
    refused = seen("-- connecting to front:25 as stranger", reply=Reply("554", "5.7.1", "Relay access denied"))
    assert lines_of(refused, logs, PLACES) == ("smtp | reject: [198.18.4.20]: Relay access denied",)


def test_no_observation_gets_the_whole_log() -> None:
    logs = [smtp(101, f"[198.18.4.20] {number}") for number in range(MOST + 5)]
    found = lines_of(seen("-- connecting to front:25 as stranger"), logs, PLACES)
    assert len(found) == MOST + 1
    assert found[-1] == "… and 5 more lines"
