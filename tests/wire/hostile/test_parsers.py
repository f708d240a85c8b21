"""Parsers over what servers write: every text gives a limited value or one of the two errors, and in linear time."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from email.message import EmailMessage
from functools import cache
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from pytest_mailu.core.text import TEXT_LIMIT, show, show_line, whole_number
from pytest_mailu.probe.admin_site import flash, form
from pytest_mailu.probe.dsn import dsn_facts
from pytest_mailu.wire.http.client import HttpReply
from pytest_mailu.wire.imap import session as imap_session
from pytest_mailu.wire.imap.reply import Untagged, fetched, state
from pytest_mailu.wire.pop3 import session as pop3_session
from pytest_mailu.wire.sieve import session as sieve_session
from pytest_mailu.wire.smtp.reply import keywords
from pytest_mailu.wire.tls import handshake
from pytest_mailu.wire.transport.transcript import MAX_EVENTS, Transcript
from pytest_mailu.worldapp.control import Control
from pytest_mailu.worldapp.dns import Dns
from pytest_mailu.worldapp.journal import Journal
from pytest_mailu.worldapp.mailboxes import Mailboxes
from pytest_mailu.worldapp.scripts import Scripts
from pytest_mailu.worldapp.zones import Zones

from .material import check, fuzzed, outcome, texts

IMAP = texts(
    (
        b"OK ",
        b"NO ",
        b"[",
        b"] ",
        b"(",
        b")",
        b" ",
        b'"a"',
        b"{2}",
        b"12 ",
        b"FETCH ",
        b"UID 3 ",
        b"FLAGS ",
        b"BODY[] ",
        b"ENVELOPE ",
        b"BODYSTRUCTURE ",
        b"INTERNALDATE ",
        b'"01-Jan-2024 00:00:00 +0000"',
        b"STATUS ",
        b"(MESSAGES 1)",
        b"CAPABILITY ",
        b"UIDNEXT 4",
        b"LIST ",
        b"\\Seen ",
    )
)
SIEVE = texts((b"OK", b"NO", b"BYE", b" (", b") ", b'"', b"\\", b'"a b"', b"TAG ", b"ACTIVE", b"SASL"))


@fuzzed(150)
@given(IMAP, st.lists(IMAP, max_size=3))
def test_imap_responses(line: bytes, literals: list[bytes]) -> None:
    response = Untagged((*((line + b"{3}", literal) for literal in literals), line))
    check(outcome(lambda: state(response.chunks)))
    check([response.word, response.number])
    outcome(response.parsed)
    outcome(lambda: fetched([Untagged((b"12 FETCH " + line,)), response]))
    check(imap_session._code_facts(show_line(line, TEXT_LIMIT)))
    check(imap_session._name(line))


@fuzzed(150)
@given(SIEVE)
def test_managesieve_lines(line: bytes) -> None:
    check(outcome(lambda: sieve_session._status(line, [])))
    check([show_line(word, TEXT_LIMIT) for word in sieve_session._words(line)])


@fuzzed(100)
@given(st.lists(texts((b"1 ", b"2 120", b" abc", b"SASL PLAIN")), max_size=20))
def test_pop3_lists(lines: list[bytes]) -> None:
    check(pop3_session._numbered(pop3_session.Pop3Reply(pop3_session.Reply("+OK"), tuple(lines))))


@fuzzed(100)
@given(texts((b"250-", b"SIZE 1000", b"AUTH=PLAIN", b"AUTH PLAIN LOGIN", b"\n")))
def test_ehlo_keywords(text: bytes) -> None:
    check(keywords(pop3_session.Reply("250", "", show(text, TEXT_LIMIT))))


@fuzzed(150)
@given(texts((b"a=b", b"; ", b"Path=/", b"Expires=", b'"', b"\\", b"\\054", b"Secure", b"=", b",")))
def test_cookies(text: bytes) -> None:
    reply = HttpReply(200, "https://x/", (("set-cookie", show_line(text, TEXT_LIMIT)),), b"")
    check(reply.cookies)


@fuzzed(150)
@given(texts((b"{", b"}", b"[", b"]", b'"a"', b":", b",", b"null", b"1", b"NaN")))
def test_json_answers(body: bytes) -> None:
    outcome(HttpReply(200, "https://x/", (), body).json)


@fuzzed(150)
@given(
    texts(
        (
            b'<div class="alert',
            b">",
            b"</div>",
            b"<button",
            b"</button>",
            b"&lt;",
            b"&#",
            b"<!--",
            b"<![CDATA[",
            b"<textarea name=a>",
            b"<select name=b>",
            b"<option selected value=",
            b"<input name=c value='",
            b"checked",
        ),
        size=30,
    )
)
def test_pages_of_the_admin_site(page: bytes) -> None:
    text = page.decode("utf-8", "backslashreplace")
    assert len(flash(text)) <= TEXT_LIMIT + 1
    outcome(lambda: form(text))


@fuzzed(150)
@given(
    texts(
        (
            b"Content-Type: multipart/report; report-type=delivery-status; boundary=a\r\n",
            b"\r\n",
            b"--a\r\n",
            b"Content-Type: message/delivery-status\r\n",
            b"Action: failed\r\n",
            b"Status: 5.1.1\r\n",
            b"--a--\r\n",
            b"Content-Type: message/rfc822\r\n",
            b"report-type*0*=utf-8''",
            b"Diagnostic-Code: smtp; ",
            b"Auto-Submitted: =?x?q?",
        ),
        size=20,
    )
)
def test_delivery_status_notifications(content: bytes) -> None:
    check(outcome(lambda: dsn_facts(content)))


@fuzzed(150)
@given(st.binary(max_size=2000), st.integers(1, 600))
def test_text_that_is_shown(data: bytes, limit: int) -> None:
    for text in (show_line(data, limit), show_line(data.decode("utf-8", "surrogateescape"), limit)):
        assert text.isprintable()
        assert len(text) <= limit * 2 + 1
    assert show_line(b"x" * (limit + 1), limit) == "x" * limit + "…"


@fuzzed(150)
@given(st.one_of(st.text(max_size=30), st.integers().map(str), st.just("9" * 5000), st.just("٣")))
def test_numbers_of_servers(text: str) -> None:
    number = whole_number(text)
    assert number is None or (0 <= number < 10**18 and int(text) == number)


@fuzzed(100)
@given(st.binary(max_size=600))
def test_dns_questions(data: bytes) -> None:
    dns = Dns(Zones(("post.example",), ()))
    answer = dns.respond(data, "198.18.0.1", udp=True)
    assert answer is None or len(answer) <= 65_535
    dns.respond(data[:2] + b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + data[2:], "198.18.0.1", udp=False)


@fuzzed(100)
@given(
    st.one_of(
        st.binary(max_size=200),
        texts((b'{"do": "arrivals"', b', "wait": ', b', "count": ', b"-1", b"}", b'"x"')),
        texts((b'{"do": "deposit"', b'{"do": "account"', b', "name": ', b', "messages": [', b"]", b"-1", b"}", b'"x"')),
    )
)
def test_requests_on_the_control_channel(line: bytes) -> None:
    control = Control(Journal(), Scripts(), Dns(Zones((), ())), Mailboxes())
    request = line.replace(b"wait", b"w")
    assert asyncio.run(control.answer(request))["ok"] in (True, False)


@fuzzed(100)
@given(texts((b"rcpt-", b"451", b"data-", b"greylist-", b"9", b"delay-", b"@x", b"+")))
def test_local_parts_that_script_a_reply(address: bytes) -> None:
    scripts = Scripts()
    assert scripts.verdict("rcpt", "mx", "a@b", address.decode("utf-8", "replace")).delay <= 600


@fuzzed(60)
@given(st.data())
def test_certificates(data: st.DataObject) -> None:
    """A well-formed certificate with some bytes changed: nobody checks its signature here."""
    der = bytearray(_certificate())
    for _ in range(data.draw(st.integers(1, 6))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    check(outcome(lambda: handshake._facts(Tls(bytes(der)), None)))  # type: ignore[arg-type]


@cache
def _certificate() -> bytes:
    issued = trustme.CA().issue_cert("mail.post.example", "198.18.0.1", "*.example")
    return x509.load_pem_x509_certificate(issued.cert_chain_pems[0].bytes()).public_bytes(Encoding.DER)


class Tls:
    """A finished handshake with this certificate."""

    def __init__(self, der: bytes) -> None:
        self._der = der

    def getpeercert(self, *, binary_form: bool) -> bytes:
        return self._der

    def version(self) -> str:
        return "TLSv1.3"

    def cipher(self) -> tuple[str, str, int]:
        return "TLS_AES_256_GCM_SHA384", "TLSv1.3", 256

    def selected_alpn_protocol(self) -> None:
        return None


def deep(levels: int) -> bytes:
    message = EmailMessage()
    message.set_content("x")
    content = bytes(message)
    for level in range(levels):
        content = b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n%b\r\n--b%d--\r\n' % (
            level,
            level,
            content,
            level,
        )
    return content


def cookies(line: bytes) -> Any:
    return HttpReply(200, "", (("set-cookie", line.decode()),), b"").cookies


SECONDS = 8.0
"""Far more than a linear walk takes on a busy machine, far less than a quadratic one."""


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (sieve_session._words, b'"' + b'\\"' * 500_000),
        (sieve_session._words, b'" ' * 500_001),
        (lambda line: sieve_session._status(line, []), b"OK " + b"(" * 1_000_000),
        (lambda line: sieve_session._status(line, []), b"OK" + b" " * 1_000_000 + b"x"),
        (lambda line: state((line,)), b"OK [" + b"[" * 1_000_000),
        (lambda line: Untagged((b"LIST " + line,)).parsed(), b"(" * 64_000),
        (lambda line: Untagged((b"LIST " + line,)).parsed(), b'"\\' * 32_000),
        (lambda line: Untagged((b"SEARCH " + line,)).parsed(), b"9" * 64_000),
        (lambda line: fetched([Untagged((b"1 FETCH (UID 1 BODY " + line,))]), b"(" * 30 + b"NIL " * 15_000),
        (lambda line: flash(line.decode()), b'<div class="alert">' * 200_000),
        (lambda line: flash(line.decode()), b'<div class="alert">' + b"<" * 4_000_000 + b"</div>"),
        (lambda line: flash(line.decode()), b'<div class="alert"><button' * 150_000 + b"</div>"),
        (lambda line: flash(line.decode()), b'<div class="alert">&#' + b"9" * 4000 + b";</div>"),
        (lambda line: form(line.decode()), b"<input " + b"a=" * 500_000),
        (lambda line: form(line.decode()), b"<!--" * 250_000),
        (lambda line: form(line.decode()), b"<a " * 300_000),
        (dsn_facts, b"Diagnostic-Code: " + b"a+" * 500_000),
        (dsn_facts, deep(400)),
        (dsn_facts, b"Content-Type: multipart/report" + b"; a=" * 200_000 + b"\r\n\r\nx"),
        (cookies, b'a="' + b"\\" * 100_000 + b'"'),
        (lambda line: HttpReply(200, "", (), line).json(), b"[" * 4_000_000),
        (lambda line: HttpReply(200, "", (), line).json(), b"9" * 4_000_000),
        (lambda line: Transcript().server(line), b"\x00" * 4_000_000),
        (show, b"\x00" * 1_000_000),
        (lambda line: Scripts().verdict("rcpt", "mx", "", line.decode() + "@x"), b"rcpt-" * 200_000),
    ],
)
def test_no_text_takes_more_than_a_walk_over_it(parse: Callable[[bytes], Any], text: bytes) -> None:
    start = time.perf_counter()
    outcome(lambda: parse(text))
    assert time.perf_counter() - start < SECONDS


def test_a_transcript_that_is_full_does_no_work() -> None:
    transcript = Transcript()
    start = time.perf_counter()
    for _ in range(200_000):
        transcript.server(b"\x00" * 1000)
    assert time.perf_counter() - start < SECONDS
    assert len(transcript.events) == MAX_EVENTS + 1
    assert json.dumps([str(event) for event in transcript.events])
