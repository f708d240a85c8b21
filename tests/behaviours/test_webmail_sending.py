"""What is sent in web mail, judged by what arrives."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from pytest_mailu.behaviours import webmail_sending
from pytest_mailu.behaviours.webmail_mailbox import Found
from pytest_mailu.behaviours.webmail_sending import Files
from pytest_mailu.core.model import Observation, Outcome
from pytest_mailu.core.population import ALICE
from pytest_mailu.core.setups import WEB_MAILS
from pytest_mailu.core.web_mails import WebMailKind
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.web_mail import Draft
from pytest_mailu.probe.web_mails import open_web_mail
from tests.behaviours.fake_rainloop import FakeRainloop
from tests.behaviours.fake_roundcube import FakeRoundcube
from tests.behaviours.fake_snappymail import FakeSnappymail
from tests.behaviours.fake_web_mail import FakeWebMail, Fault
from tests.behaviours.web_mail import WebMail, asked, found_in


@pytest.mark.parametrize("mail", WEB_MAILS)
@pytest.mark.parametrize(
    ("behaviour", "given", "fault", "found", "expected"),
    [
        (webmail_sending.send, ("plain",), Fault.NONE, [found_in()], Outcome.DELIVERED),
        (webmail_sending.send, ("plain",), Fault.NONE, [], Outcome.LOST),
        (webmail_sending.send, ("plain",), Fault.SAYS_NO, [found_in()], Outcome.REFUSED),
        (webmail_sending.send_files, (Files.SEVERAL,), Fault.NONE, [found_in()], Outcome.DELIVERED),
        (webmail_sending.send_files, (Files.SEVERAL,), Fault.ONE_FILE, [found_in()], Outcome.REFUSED),
        (webmail_sending.send_files, (Files.ONE,), Fault.ONE_FILE, [found_in()], Outcome.DELIVERED),
        (webmail_sending.reply, (), Fault.NONE, [], Outcome.LOST),
        (webmail_sending.reply, (), Fault.NONE, [found_in()], Outcome.DELIVERED),
    ],
)
def test_what_it_does_is_read_back_by_imap(
    web_mail: WebMail,
    mail: WebMailKind,
    behaviour: Any,
    given: tuple[str, ...],
    fault: Fault,
    found: list[Found],
    expected: Outcome,
) -> None:
    assert web_mail.outcome(behaviour, mail, *given, fault=fault, found=found) is expected


def _sent_by(site: FakeWebMail, tmp_path: Path, mail: WebMailKind, draft: Draft) -> dict[str, Any]:
    async def ask(probe: Probe) -> Observation:
        async with open_web_mail(mail, probe, ALICE) as box:
            await box.send(draft)
        return probe.seen(Outcome.ACCEPTED, None)  # type: ignore[arg-type]

    asyncio.run(asked(site, tmp_path, ask))
    assert site.user == ALICE.address
    return site.sent


def test_roundcube_gets_a_message_with_the_fields_of_its_form(tmp_path: Path) -> None:
    draft = Draft("bob@post.example", "Hi", "Grüße", files={"a.txt": b"content"})
    sent = _sent_by(FakeRoundcube(), tmp_path, WebMailKind.ROUNDCUBE, draft)
    wanted = {"_to": "bob@post.example", "_message": "Grüße", "_from": "3", "_id": "1", "_token": "abc"}
    assert sent.items() >= wanted.items()


def test_snappymail_gets_a_message_under_the_first_identity_with_a_copy_for_the_sent_messages(tmp_path: Path) -> None:
    draft = Draft("bob@post.example", "Hi", "Grüße", bcc="carol@post.example", files={"a.txt": b"content"})
    sent = _sent_by(FakeSnappymail(), tmp_path, WebMailKind.SNAPPYMAIL, draft)
    wanted = {
        "to": "bob@post.example",
        "bcc": "carol@post.example",
        "plain": "Grüße",
        "from": f'"Me" <{ALICE.address}>',
        "saveFolder": "Gesendet",
    }
    assert sent.items() >= wanted.items()
    assert sent["attachments"]["upload-1"]["name"] == "a.txt"


def test_snappymail_answers_the_sender_and_names_what_it_answers(tmp_path: Path) -> None:
    site = FakeSnappymail()

    async def ask(probe: Probe) -> Observation:
        async with open_web_mail(WebMailKind.SNAPPYMAIL, probe, ALICE) as box:
            answer = await box.answer("7", "Yes.")
        return probe.seen(Outcome.ACCEPTED, None, to=answer.to, quotation=answer.quotation)  # type: ignore[arg-type]

    seen = asyncio.run(asked(site, tmp_path, ask))
    assert dict(seen.facts) == {"to": "bob@post.example", "quotation": None}
    wanted = {"subject": "Re: S", "inReplyTo": "<1@x>", "references": "<1@x>", "draftInfo": ["reply", 7, "INBOX"]}
    assert site.sent.items() >= wanted.items()


def test_rainloop_gets_a_message_as_a_form_and_answers_the_sender(tmp_path: Path) -> None:
    draft = Draft("bob@post.example", "Hi", "Grüße", bcc="carol@post.example", files={"a.txt": b"content"})
    site = FakeRainloop()
    sent = _sent_by(site, tmp_path, WebMailKind.RAINLOOP, draft)
    wanted = {"To": "bob@post.example", "Bcc": "carol@post.example", "Text": "Grüße", "SentFolder": "Sent"}
    assert sent.items() >= {**wanted, "Attachments[upload-1][0]": "a.txt"}.items()

    async def ask(probe: Probe) -> Observation:
        async with open_web_mail(WebMailKind.RAINLOOP, probe, ALICE) as box:
            answer = await box.answer("7", "Yes.")
            folders = await box.folders()
        return probe.seen(Outcome.ACCEPTED, None, to=answer.to, folders=folders)  # type: ignore[arg-type]

    seen = asyncio.run(asked(site, tmp_path, ask))
    assert dict(seen.facts) == {"to": "bob@post.example", "folders": ["INBOX", "INBOX/Deep"]}
    wanted = {"Subject": "Re: S", "InReplyTo": "<1@x>", "References": "<1@x>", "DraftInfo[0]": "reply"}
    assert site.sent.items() >= wanted.items()
