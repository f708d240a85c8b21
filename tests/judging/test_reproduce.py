from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from pytest_mailu.behaviours import built_in
from pytest_mailu.core.endpoints import HTTPS_443
from pytest_mailu.core.model import Comparison, Observation, Outcome, Stage, Verdict
from pytest_mailu.core.population import users
from pytest_mailu.core.transcript import Connection, Event, Kind, Speaker
from pytest_mailu.judging.reproduce import by_hand, reproduce
from tests.events import events
from tests.questions import asked

LOGIN = events("S: 220 x", "C: EHLO x", "C: AUTH PLAIN ****", "S: 235 OK")
MESSAGE = (
    *LOGIN,
    *events("C: MAIL FROM:<alice@post.example> SIZE=9", "C: RCPT TO:<someone@elsewhere.example>", "C: DATA"),
)
STRANGER = events("C: EHLO x", "C: MAIL FROM:<>", "C: RCPT TO:<sales@post.example>", "S: 554 5.7.1 Relay access denied")


@pytest.mark.parametrize(
    ("behaviour", "talk", "expected"),
    [
        (
            "submission/587-starttls/external",
            MESSAGE,
            "swaks --server mail.example.org --port 587 --tls --auth PLAIN --auth-user you@example.org "
            "--from you@example.org --to someone@elsewhere.example",
        ),
        (
            "submission/465-tls/external",
            MESSAGE,
            "swaks --server mail.example.org --port 465 --tls-on-connect --auth PLAIN --auth-user you@example.org "
            "--from you@example.org --to someone@elsewhere.example",
        ),
        (
            "access/465-tls/plain",
            LOGIN,
            "swaks --server mail.example.org --port 465 --tls-on-connect --auth PLAIN --auth-user you@example.org "
            "--quit-after AUTH",
        ),
        (
            "relay/25-plain/null-sender",
            STRANGER,
            "swaks --server mail.example.org --port 25 --from '<>' --to sales@example.org --quit-after RCPT",
        ),
        ("surface/25/served", (), "swaks --server mail.example.org --port 25 --quit-after EHLO"),
        (
            "tls/443-tls/versions",
            (),
            "openssl s_client -crlf -connect mail.example.org:443 -servername mail.example.org",
        ),
        ("surface/25/ehlo", events("C: EHLO x"), "swaks --server mail.example.org --port 25 --quit-after EHLO"),
        ("access/143-starttls/login", (), "curl -v --ssl-reqd --user you@example.org imap://mail.example.org:143/"),
        (
            "mailbox/993-tls/append",
            events("C: a1 LOGIN alice ****"),
            "curl -v --user you@example.org imaps://mail.example.org:993/",
        ),
        ("access/995-tls/login", (), "curl -v --user you@example.org pop3s://mail.example.org:995/"),
        (
            "tls/587-starttls/certificate",
            (),
            "openssl s_client -crlf -connect mail.example.org:587 -servername mail.example.org -starttls smtp",
        ),
        (
            "sieve/4190-starttls/upload",
            (),
            "openssl s_client -crlf -connect mail.example.org:4190 -servername mail.example.org -starttls sieve",
        ),
        ("surface/143-plain/greeting", (), "curl -v telnet://mail.example.org:143"),
        ("web/admin", events("C: GET /admin/ui/"), "curl -v https://mail.example.org/admin/ui/"),
        ("web/80-plain/redirect", events("C: HEAD /"), "curl -v --head http://mail.example.org/"),
        (
            "api/users",
            events("C: DELETE /api/v1/user"),
            'curl -v --request DELETE https://mail.example.org/api/v1/user --header "Authorization: Bearer $API_TOKEN"',
        ),
        ("api/users", events("C: POST /api/v1/user"), ""),
        ("web/session/disabled", events("C: POST /sso/login", "C: GET /admin/token/create"), ""),
        ("surface/465-tls/noise", LOGIN, ""),
        (
            "inbound/25-plain/away",
            events("C: MAIL FROM:<>", *("C: RCPT TO:<away@post.example>",) * 2, "C: DATA"),
            "swaks --server mail.example.org --port 25 --from '<>' --to away@example.org",
        ),
        (
            "relay/relayhost/login-and-tls",
            (*events("-- connecting to front:587 as stranger", "C: EHLO x", "C: STARTTLS"), *MESSAGE),
            "swaks --server mail.example.org --port 587 --tls --auth PLAIN --auth-user you@example.org "
            "--from you@example.org --to someone@elsewhere.example",
        ),
        (
            "mailbox/143/append",
            events("C: a1 STARTTLS", "C: a2 LOGIN alice ****"),
            "curl -v --ssl-reqd --user you@example.org imap://mail.example.org:143/",
        ),
        (
            "sieve/4190/manage",
            (),
            "openssl s_client -crlf -connect mail.example.org:4190 -servername mail.example.org -starttls sieve",
        ),
        ("relay/mx/by-mx", (), ""),
        ("inside/smtp/postconf", (), ""),
    ],
)
def test_the_line_asks_the_same_question(behaviour: str, talk: tuple[Event, ...], expected: str) -> None:
    assert by_hand(asked(behaviour), talk) == expected


@pytest.mark.parametrize("port", ["587-starttls", "465-tls", "587-plain"])
def test_a_submission_without_a_transcript_is_taken_to_log_in(port: str) -> None:
    words = shlex.split(by_hand(asked(f"submission/{port}/external")))
    assert {"--auth", "--auth-user", "you@example.org", "someone@elsewhere.example"} <= set(words)


def test_mail_from_outside_goes_to_the_reader() -> None:
    words = shlex.split(by_hand(asked("inbound/25-plain/mailbox")))
    assert words[words.index("--to") + 1] == "you@example.org"
    assert "--auth" not in words


def test_the_longer_of_both_conversations_is_followed() -> None:
    question = asked("submission/587-starttls/external")
    old = Observation(Outcome.DELIVERED, Stage.DELIVERY, transcript=MESSAGE)
    new = Observation(Outcome.UNREACHABLE, Stage.CONNECT, transcript=events("-- connection refused"))
    assert "--auth PLAIN" in reproduce(Comparison(question, Verdict.REGRESSED, (old,), (new,)))
    assert reproduce(Comparison(question, Verdict.INCONCLUSIVE, (), ())).startswith("swaks ")


def test_no_password_and_no_address_of_the_test_gets_into_a_line() -> None:
    talk = events(*(f"C: MAIL FROM:<{user.address}>" for user in users()))
    for port in ("25-plain", "465-tls", "587-starttls", "143-starttls", "993-tls", "4190-starttls", "443-tls"):
        line = by_hand(asked(f"access/{port}/login"), talk)
        assert "post.example" not in line
        assert not any(user.password in line for user in users())


def test_an_own_mailbox_of_the_test_is_the_readers_own() -> None:
    for name, shown in (("box-senders-writer", "you"), ("box-senders-writer+shop", "you+shop")):
        line = by_hand(
            asked("submission/465-tls/own-detail"),
            events(f"C: MAIL FROM:<{name}@post.example>", "C: RCPT TO:<a@elsewhere.example>", "C: DATA"),
        )
        assert f"--from {shown}@example.org" in line


def test_what_a_client_said_is_quoted_for_the_shell() -> None:
    line = by_hand(
        asked("submission/587-starttls/x"), events("C: MAIL FROM:<$(reboot)@x>", "C: RCPT TO:<a`b`;c@x>", "C: DATA")
    )
    assert {"$(reboot)@x", "a`b`;c@x"} <= set(shlex.split(line))
    web = by_hand(asked("web/443-tls/x"), events("C: GET /?a=$(reboot);b"))
    assert shlex.split(web)[-1] == "https://mail.example.org/?a=$(reboot);b"
    assert "'" in web


def test_every_built_in_behaviour_asked_on_a_mail_port_has_a_line_but_for_noise() -> None:
    questions = [behaviour.question for behaviour in built_in()]
    without = {question.id for question in questions if question.endpoint and not by_hand(question)}
    assert without == {question.id for question in questions if question.id.endswith("/noise")} != set()


@pytest.mark.parametrize(
    ("name", "header"), [("without-token", ""), ("wrong-token", "--header 'Authorization: Bearer wrong' ")]
)
def test_a_request_that_was_let_through_is_the_one_to_try_and_gets_no_right_token(name: str, header: str) -> None:
    """The line asked for the document of the API, with the right token."""
    talk = events("C: GET /api/v1/swagger.json", "C: PATCH /api/v1/user/x", "C: PATCH /api/v1/token/999999")
    old = Observation(Outcome.REFUSED, Stage.AUTH, facts={"past": []}, transcript=talk)
    new = Observation(Outcome.ACCEPTED, Stage.AUTH, facts={"past": ["PATCH /token/{token_id}"]}, transcript=talk)
    question = replace(asked(f"admin/api/{name}"), endpoint=HTTPS_443)
    line = reproduce(Comparison(question, Verdict.REGRESSED, (old,), (new,)))
    address = "https://mail.example.org/api/v1/token/999999"
    assert line == f"curl -v --request PATCH --json '{{}}' {header}{address}"


def test_tls_on_port_25_is_asked_for_with_starttls() -> None:
    talk = (*connecting(25), *events("S: 220 x", "C: EHLO x", "S: 250 x"))
    line = by_hand(asked("tls/certificate/missing"), talk)
    assert line.endswith("-connect mail.example.org:25 -servername mail.example.org -starttls smtp")


def test_a_client_that_fell_back_to_another_port_is_followed_there() -> None:
    """The line showed port 587, which is closed, and not the refusal on port 25."""
    question = asked("surface/client-setup/fallback-to-25")
    tries = (*connecting(587), *events("-- unreachable at connect"), *connecting(25), *STRANGER)
    old = Observation(Outcome.DELIVERED, Stage.DELIVERY, transcript=(*connecting(587), *MESSAGE))
    new = Observation(Outcome.REFUSED, Stage.RCPT, transcript=tries)
    line = reproduce(Comparison(question, Verdict.REGRESSED, (old,), (new,)))
    assert "--port 25 " in line
    assert "--auth" not in line


def connecting(port: int) -> tuple[Event, ...]:
    return (Event(Speaker.PROBE, Kind.CONNECT, "connecting", None, Connection("front", port, "stranger")),)


def test_what_was_said_elsewhere_before_is_not_part_of_the_line() -> None:
    """A token is made at the web site first; where the port is closed then, only the web site was asked on new."""
    site = events("-- connecting to front:443 as stranger", "C: POST /admin/token/create", "S: 302 /admin")
    port = events("-- connecting to front:587 as stranger")
    old = Observation(Outcome.ACCEPTED, Stage.AUTH, transcript=(*site, *port, *LOGIN))
    new = Observation(Outcome.UNREACHABLE, Stage.CONNECT, transcript=(*site, *site, *port))
    line = reproduce(Comparison(asked("access/587-starttls/token"), Verdict.REGRESSED, (old,), (new,)))
    assert "--auth PLAIN --auth-user you@example.org" in line
    assert line.endswith("--quit-after AUTH")
