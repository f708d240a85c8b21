"""Why the web site or the API answered with an error of its own: the traceback in the log of `admin`."""

from __future__ import annotations

import traceback

import pytest

from pytest_mailu.core.model import Observation, Outcome, Stage
from pytest_mailu.stack.evidence.log_line import LogLine
from pytest_mailu.stack.evidence.logs import MOST, lines_of
from pytest_mailu.stack.evidence.tracebacks import FIRST, LAST, tracebacks
from tests.events import events

CREATE = (
    "-- connecting to front:443 as stranger",
    "C: POST https://mail.post.example/api/v1/user",
    "S: 500  (37 bytes)",
)


def a_traceback(words: str, before: int = 1) -> list[str]:
    """What Python says of an exception that was raised from other ones."""
    cause: Exception | None = None
    for error in (*(KeyError("comment") for _ in range(before)), ValueError(words)):
        try:
            raise error from cause
        except (KeyError, ValueError) as caught:
            cause = caught
    assert cause is not None
    return [line for line in "".join(traceback.format_exception(cause)).splitlines() if line.strip()]


def admin(*texts: str, when: float = 101.0) -> list[LogLine]:
    return [LogLine("admin", when + number / 1000, text) for number, text in enumerate(texts)]


def of_flask(path: str, method: str, words: str, before: int = 1) -> list[str]:
    """As Flask logs it (`Flask.log_exception`, with its default handler)."""
    return [f"[2024-06-24 10:00:00,123] ERROR in app: Exception on {path} [{method}]", *a_traceback(words, before)]


def seen(*transcript: str) -> Observation:
    return Observation(Outcome.UNANSWERED, Stage.COMMAND, transcript=events(*transcript), started=100.0, seconds=2.0)


def test_the_traceback_of_the_request_that_failed_is_evidence() -> None:
    log = [
        *admin("Login attempt from: 198.18.4.20", *of_flask("/api/v1/user", "POST", "no such thing")),
        *admin('192.168.203.3 - - [24/Jun/2024:10:00:00 +0000] "POST /api/v1/user HTTP/1.1" 500 37', when=101.5),
    ]
    found = lines_of(seen(*CREATE), log, {"198.18.4.20": "stranger"})
    assert found[0] == "admin | Login attempt from: 198.18.4.20", "what speaks of the client is there as well"
    assert "Exception on /api/v1/user [POST]" in found[1]
    assert found[-1] == "admin | ValueError: no such thing"
    assert any("KeyError: 'comment'" in line for line in found)
    assert not any("HTTP/1.1" in line for line in found), "the next record is none of it"


def test_a_warning_behind_it_is_none_of_it() -> None:
    log = admin(
        *of_flask("/api/v1/user", "POST", "this one"),
        "/app/mailu/models.py:640: SAWarning: relationship X will copy column Q to column P",
        "  if models.db.session.query(u.exists()).scalar():",
    )
    assert tracebacks(seen(*CREATE).transcript, log)[-1].text == "ValueError: this one"


def test_other_requests_of_that_moment_have_tracebacks_of_their_own() -> None:
    log = admin(
        *of_flask("/api/v1/alias", "POST", "another path"),
        *of_flask("/api/v1/user", "GET", "another method"),
        *of_flask("/api/v1/user", "POST", "this one"),
    )
    assert [line.text for line in tracebacks(seen(*CREATE).transcript, log)][-1] == "ValueError: this one"
    assert not any("another" in line.text for line in tracebacks(seen(*CREATE).transcript, log))


def test_where_the_path_is_masked_it_is_whatever_failed_at_that_moment() -> None:
    asked = events("C: DELETE https://mail.post.example/api/v1/token/****", "S: 500  (37 bytes)")
    log = admin(*of_flask("/api/v1/token/7", "DELETE", "no such token"))
    assert tracebacks(asked, log)[-1].text == "ValueError: no such token"


@pytest.mark.parametrize(
    "head", ["[2024-06-24 10:00:00 +0000] [9] [ERROR] Error handling request /admin/user/edit/a@post.example", None]
)
def test_gunicorns_own_record_and_one_without_a_head_are_found(head: str | None) -> None:
    asked = events("C: GET https://mail.post.example/admin/user/edit/a%40post.example?x=1", "S: 502  (0 bytes)")
    log = admin(*([head] if head else []), *a_traceback("worker"))
    assert tracebacks(asked, log)[-1].text == "ValueError: worker"


def test_without_an_error_of_the_server_there_is_no_traceback() -> None:
    log = admin(*of_flask("/api/v1/user", "POST", "of somebody else"))
    for transcript in (("C: POST https://front/api/v1/user", "S: 409  (9 bytes)"), ("C: EHLO x", "S: 500 what?"), ()):
        assert tracebacks(events(*transcript), log) == []
    assert tracebacks(seen(*CREATE).transcript, [LogLine("smtp", 101, line.text) for line in log]) == []


def test_a_long_traceback_is_shown_by_its_beginning_and_its_end() -> None:
    log = admin(*of_flask("/api/v1/user", "POST", "deep", before=30))
    found = tracebacks(seen(*CREATE).transcript, log)
    assert len(found) == FIRST + 1 + LAST
    assert found[FIRST].text == f"… {len(log) - FIRST - LAST} more lines"
    assert found[-1].text == "ValueError: deep"


def test_the_same_error_is_shown_once_and_others_twice_at_most() -> None:
    asked = events(*("C: POST https://front/api/v1/user", "S: 500  (37 bytes)") * 9)
    same = admin(*of_flask("/api/v1/user", "POST", "same") * 3)
    assert sum("Exception on" in line.text for line in tracebacks(asked, same)) == 1
    others = admin(*[line for number in range(9) for line in of_flask("/api/v1/user", "POST", f"number {number}")])
    assert sum("Exception on" in line.text for line in tracebacks(asked, others)) == 2
    many = [LogLine("admin", 100.5, f"from 198.18.4.20: {number}") for number in range(99)]
    shown = lines_of(seen(*CREATE[:1], *CREATE[1:] * 9), [*many, *others], {"198.18.4.20": "stranger"})
    assert len(shown) == MOST + 1
    assert shown[-1].startswith("admin | ValueError: number"), "the end of a traceback is what matters"


def test_values_of_a_statement_that_failed_are_left_out() -> None:
    log = admin(
        *of_flask("/api/v1/user", "POST", "(sqlite3.IntegrityError) UNIQUE constraint failed: user.email"),
        "[SQL: INSERT INTO user (email, password) VALUES (?, ?)]",
        "[parameters: ('a@post.example', '$bcrypt-sha256$v=2,t=2b,r=12$secret')]",
        "(Background on this error at: https://sqlalche.me/e/20/gkpj)",
    )
    found = [line.text for line in tracebacks(seen(*CREATE).transcript, log)]
    assert found[-2:] == ["[parameters: …]", "(Background on this error at: https://sqlalche.me/e/20/gkpj)"]
    assert not any("bcrypt" in text for text in found)
