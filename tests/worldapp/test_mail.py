from __future__ import annotations

import asyncio
import base64
import smtplib
import socket
import ssl
import uuid
from typing import Any

import pytest

from pytest_mailu.core import population as people
from pytest_mailu.stack.world.certificates import authority


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=authority().pem)
    context.check_hostname = False
    return context


def session(here: Any, listener: str) -> smtplib.SMTP:
    kind, more = (smtplib.SMTP_SSL, {"context": trusting()}) if listener == "relay-tls" else (smtplib.SMTP, {})
    return kind(here.address, here.ports[listener], local_hostname="mail.post.example", timeout=20, **more)  # type: ignore[arg-type]


def letter(token: str, body: str = "hello\r\n") -> bytes:
    return (
        f"From: <a@post.example>\r\nSubject: {token}\r\nMessage-ID:\r\n <{token}@post.example>\r\n\r\n{body}".encode()
    )


def arrived(here: Any, **conditions: Any) -> list[Any]:
    found: list[Any] = asyncio.run(here.world.arrivals(**{"wait": 20.0, **conditions}))
    return found


@pytest.fixture
def token() -> str:
    return uuid.uuid4().hex


def test_a_letter_is_recorded_with_its_envelope_and_byte_for_byte(here: Any, token: str) -> None:
    content = letter(token, "one\r\n.leading dot\r\n..two dots\r\nbare\nline feed\r\n\u00fc " + "x" * 5000 + "\r\n")
    with session(here, "mx") as smtp:
        smtp.ehlo()
        smtp.docmd("MAIL FROM:<a@post.example> BODY=8BITMIME RET=HDRS ENVID=QQ314")
        smtp.docmd("RCPT TO:<B@elsewhere.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;B@elsewhere.example")
        smtp.docmd(f"RCPT TO:<c-{token}@elsewhere.example>")
        smtp.docmd("DATA")
        smtp.send(b"".join(b"." + x if x[:1] == b"." else x for x in content.splitlines(keepends=True)) + b".\r\n")
        assert smtp.getreply()[0] == 250
    [arrival] = arrived(here, message_id=f"<{token}@post.example>")
    assert arrival.content == content
    assert (arrival.sender, arrival.sender_params) == ("a@post.example", ("BODY=8BITMIME", "RET=HDRS", "ENVID=QQ314"))
    assert [to.address for to in arrival.recipients] == ["B@elsewhere.example", f"c-{token}@elsewhere.example"]
    assert arrival.recipients[0].params == ("NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;B@elsewhere.example")
    assert (arrival.listener, arrival.peer, arrival.helo) == ("mx", "127.0.0.1", "mail.post.example")
    assert (arrival.tls, arrival.user, arrival.accepted) == ("", "", True)
    assert arrival.message["Subject"] == token


def test_starttls_shows_a_certificate_of_our_authority_and_is_recorded(here: Any, token: str) -> None:
    with session(here, "mx") as smtp:
        assert smtp.ehlo()[0] == 250
        assert smtp.has_extn("starttls")
        assert not smtp.has_extn("auth")
        smtp.starttls(context=trusting())
        smtp.sendmail("", ["b@elsewhere.example"], letter(token))
    [arrival] = arrived(here, token=token)
    assert arrival.tls.startswith("TLSv1.")
    assert arrival.cipher
    assert arrival.sender == ""


@pytest.mark.parametrize("listener", ["relay-starttls", "relay-tls", "relay-insecure"])
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_the_relay_host_takes_mail_after_login(here: Any, token: str, listener: str, mechanism: str) -> None:
    with session(here, listener) as smtp:
        if listener == "relay-starttls":
            smtp.starttls(context=trusting())
        smtp.ehlo()
        smtp.user, smtp.password = people.RELAY_USER, people.RELAY_PASSWORD  # type: ignore[attr-defined]
        smtp.auth(mechanism, getattr(smtp, f"auth_{mechanism.lower()}"))
        smtp.sendmail("a@post.example", ["b@elsewhere.example"], letter(token))
    [arrival] = arrived(here, token=token)
    assert (arrival.listener, arrival.user) == (listener, people.RELAY_USER)
    assert bool(arrival.tls) == (listener != "relay-insecure")


@pytest.mark.parametrize("listener", ["relay-starttls", "relay-tls", "relay-insecure"])
def test_the_relay_host_wants_a_login(here: Any, listener: str) -> None:
    with session(here, listener) as smtp:
        smtp.ehlo()
        assert smtp.docmd("MAIL FROM:<a@post.example>")[0] == 530


def test_starttls_comes_before_login_on_587(here: Any) -> None:
    with session(here, "relay-starttls") as smtp:
        smtp.ehlo()
        assert not smtp.has_extn("auth")
        assert smtp.docmd("AUTH PLAIN AGEAYg==")[0] == 538


def test_a_wrong_login_is_refused_and_recorded(here: Any, token: str) -> None:
    with session(here, "relay-tls") as smtp:
        smtp.ehlo()
        wrong = base64.b64encode(f"\0{token}\0wrong".encode()).decode()
        assert smtp.docmd(f"AUTH PLAIN {wrong}")[0] == 535
        assert smtp.docmd("MAIL FROM:<a@post.example>")[0] == 530
    attempts = arrived(here, listener="relay-tls", accepted=False, count=1)
    assert [(one.stage, one.reply[:3]) for one in attempts if one.user == token] == [("auth", "535")]


def test_non_ascii_addresses_are_taken_with_smtputf8(here: Any, token: str) -> None:
    with session(here, "relay-plain") as smtp:
        smtp.ehlo()
        assert smtp.has_extn("smtputf8")
        smtp.sendmail("gr\u00fc\u00dfe@post.example", ["\u03b1@elsewhere.example"], letter(token), ["SMTPUTF8"])
    [arrival] = arrived(here, token=token)
    assert (arrival.sender, arrival.recipients[0].address) == (
        "gr\u00fc\u00dfe@post.example",
        "\u03b1@elsewhere.example",
    )


def test_a_long_envelope_is_no_trouble_while_others_connect(here: Any, token: str) -> None:
    sender = "SRS0=" + "x" * 700 + "@post.example"
    with session(here, "mx") as smtp:
        smtp.ehlo()
        with session(here, "mx"):
            assert smtp.docmd(f"MAIL FROM:<{sender}>")[0] == 250


@pytest.mark.parametrize(("name", "stage", "code"), [("rcpt-451", "rcpt", 451), ("data-550", "data", 550)])
def test_an_address_can_carry_its_own_reply(here: Any, token: str, name: str, stage: str, code: int) -> None:
    recipient = f"{name}-{token}@elsewhere.example"
    with session(here, "mx") as smtp, pytest.raises((smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError)) as refused:
        smtp.sendmail("a@post.example", [recipient], letter(token))
    assert str(code) in str(refused.value)
    [attempt] = arrived(here, recipient=recipient, accepted=False)
    assert (attempt.stage, attempt.reply[:3]) == (stage, str(code))
    assert (attempt.content is None) == (stage == "rcpt")
    assert arrived(here, recipient=recipient, wait=0) == []


def test_greylisting_turns_away_the_first_tries_of_each_recipient(here: Any, token: str) -> None:
    codes = {}
    with session(here, "mx") as smtp:
        smtp.ehlo()
        smtp.docmd("MAIL FROM:<a@post.example>")
        for name in ("one", "other"):
            to = f"RCPT TO:<greylist-2-{name}{token}@elsewhere.example>"
            codes[name] = [smtp.docmd(to)[0] for _ in range(4)]
    assert codes == {"one": [451, 451, 250, 250], "other": [451, 451, 250, 250]}


def test_scripts_set_at_run_time_hold_for_as_often_as_they_say(here: Any, token: str) -> None:
    async def order() -> int:
        return await here.world.script(
            "rcpt", recipient=f"*{token}*", code=452, enhanced="4.2.2", text="full", times=1, delay=0.01
        )

    number = asyncio.run(order())
    with session(here, "mx") as smtp:
        smtp.ehlo()
        smtp.docmd("MAIL FROM:<a@post.example>")
        first = smtp.docmd(f"RCPT TO:<{token}@elsewhere.example>")
        assert first == (452, b"4.2.2 full")
        assert smtp.docmd(f"RCPT TO:<{token}@elsewhere.example>")[0] == 250
    asyncio.run(here.world.unscript(number))


def test_a_script_for_the_sender_works_at_mail(here: Any, token: str) -> None:
    asyncio.run(here.world.script("mail", sender=f"{token}@*", code=421, enhanced="4.3.2", text="closing"))
    with session(here, "mx") as smtp:
        smtp.ehlo()
        assert smtp.docmd(f"MAIL FROM:<{token}@post.example>")[0] == 421
        with pytest.raises(smtplib.SMTPServerDisconnected):
            smtp.docmd("NOOP")
        smtp.close()
    [attempt] = arrived(here, sender=f"{token}@*", accepted=False)
    assert attempt.stage == "mail"


@pytest.mark.parametrize("listener", ["mx", "relay-plain", "relay-starttls", "relay-tls"])
def test_rubbish_is_survived(here: Any, token: str, listener: str) -> None:
    for rubbish in (
        b"\0\xff" * 2000 + b"\r\n",
        b"\r\n\r\n",
        b"STARTTLS\r\n" + b"\x16\x03" + b"\0" * 99,
        b"A" * 3_000_000,
    ):
        with socket.create_connection((here.address, here.ports[listener]), timeout=20) as sock:
            sock.sendall(rubbish)
    with session(here, "relay-plain") as smtp:
        smtp.sendmail("a@post.example", [f"{token}@elsewhere.example"], letter(token))
    assert len(arrived(here, token=token)) == 1
