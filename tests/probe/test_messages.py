"""Letters: well-formed, each one unmistakable, and read back from what a server delivers."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from pytest_mailu.core.population import ALICE, ELSEWHERE
from pytest_mailu.probe.messages import BODY, Message, compose_message, header_names
from pytest_mailu.stack.world.dkim import public_record, strangers_key, verify


def parsed(made: Message) -> EmailMessage:
    message = message_from_bytes(made.content, policy=policy.SMTP)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


def test_a_letter_has_what_rfc_5322_wants_and_its_token_where_people_look() -> None:
    made = compose_message(to=ALICE.address)
    message = parsed(made)
    assert message["From"] == f"stranger-{made.token}@{ELSEWHERE}"
    assert message["To"] == ALICE.address
    assert message["Date"].datetime is not None
    assert message["Message-ID"] == made.message_id == f"<{made.token}@{ELSEWHERE}>"
    assert made.token in message["Subject"]
    assert (made.sender, made.recipients) == (f"stranger-{made.token}@{ELSEWHERE}", (ALICE.address,))


def test_no_two_letters_share_a_token_or_a_body() -> None:
    made = [compose_message(to=ALICE.address) for _ in range(50)]
    assert len({one.token for one in made}) == len({one.body for one in made}) == 50


def test_the_body_is_sent_as_it_is_with_crlf_and_without_dot_stuffing() -> None:
    made = compose_message(to=ALICE.address)
    assert made.body == BODY.encode() + made.token.encode() + b"\r\n"
    assert b"\r\n.dotted\r\n" in made.content
    assert made.content.replace(b"\r\n", b"").count(b"\n") == 0


def test_several_recipients_are_in_the_envelope_and_in_the_header() -> None:
    made = compose_message(to=["a@b.example", "c@d.example"])
    assert made.recipients == ("a@b.example", "c@d.example")
    assert [str(address) for address in parsed(made)["To"].addresses] == list(made.recipients)


def test_the_header_from_may_differ_from_the_envelope() -> None:
    made = compose_message(to=ALICE.address, sender=ALICE.address, header_from="boss@other.example")
    assert made.sender == ALICE.address
    assert parsed(made)["From"] == "boss@other.example"


def test_an_empty_sender_makes_a_bounce_with_an_author() -> None:
    made = compose_message(to=ALICE.address, sender="")
    assert made.sender == ""
    assert parsed(made)["From"] == f"postmaster@{ELSEWHERE}"
    assert made.message_id.endswith(f"@{ELSEWHERE}>")


def test_headers_can_be_added_and_left_out() -> None:
    made = compose_message(to=ALICE.address, headers={"List-Id": "<list.example>"}, without=["Date", "Message-ID"])
    names = header_names(made.content)
    assert names["list-id"] == 1
    assert "date" not in names
    assert "message-id" not in names


@pytest.mark.parametrize("body", ["Grüße\r\n", "€ und пароль\r\n", "漢字\r\n"])
def test_a_body_beyond_ascii_arrives_as_it_was(body: str) -> None:
    made = compose_message(to=ALICE.address, body=body)
    assert parsed(made).get_content() == f"{body}{made.token}\r\n"


def test_addresses_beyond_ascii_are_written_as_utf_8() -> None:
    made = compose_message(to="grüße@post.example", sender="пароль@elsewhere.example")
    assert "grüße@post.example".encode() in made.content
    assert "пароль@elsewhere.example".encode() in made.content


def test_header_names_counts_headers_and_not_lines_of_the_body() -> None:
    content = b"Received: a\r\n\tby: b\r\nReceived: c\r\nX-Spam: no\r\n\r\nTo: nobody\r\n"
    assert header_names(content) == {"received": 2, "x-spam": 1}
    assert header_names(b"") == {}


def test_a_signature_holds_for_the_content_as_it_is_then() -> None:
    message = compose_message(to=ALICE.address).with_body(b"another body\r\n").signed()
    record = public_record(strangers_key())
    assert [each.valid for each in verify(message.content, lambda name: record)] == [True]
    assert [each.valid for each in verify(message.with_body(b"changed\r\n").content, lambda name: record)] == [False]
