"""What SnappyMail's answers say, and that hostile ones are read within limits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from pytest_mailu.core.model import Outcome, Stage
from pytest_mailu.core.population import ALICE
from pytest_mailu.probe.json_answer import MOST_ENTRIES
from pytest_mailu.probe.snappymail import Snappymail
from pytest_mailu.wire.http.client import HttpReply
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed

DATA = {"Auth": True, "Email": ALICE.address, "accountHash": "hash", "System": {"token": "abc"}}


class Browser:
    """A browser whose every request is answered with the same document."""

    def __init__(self, answer: Any, status: int = 200) -> None:
        self._answer = answer
        self._status = status
        self.cookies: tuple[tuple[str, str], ...] = ()
        self.asked: list[dict[str, Any]] = []

    def bring(self, cookies: tuple[tuple[str, str], ...]) -> None:
        self.cookies += cookies

    async def get(self, url: str, **_: Any) -> HttpReply:
        return HttpReply(self._status, f"https://mail.post.example{url}", (), json.dumps(self._answer).encode())

    async def post(self, url: str, *, json: Any = None, **_: Any) -> HttpReply:
        self.asked.append(json)
        return await self.get(url)


def session(answer: Any, status: int = 200) -> Snappymail:
    browser: Any = Browser(answer, status)
    return Snappymail(browser, "/webmail", HttpReply(200, "", (), b""), DATA)


def result(value: Any) -> Snappymail:
    return session({"Result": value})


def ask(made: Snappymail, what: Callable[[Snappymail], Any]) -> Any:
    return asyncio.run(what(made))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"Result": False, "ErrorCode": 102, "ErrorMessage": "Auth error"}, "102 Auth error"),
        (
            {"Result": False, "code": 302, "message": "Cannot send", "messageAdditional": "550 no"},
            "302 Cannot send 550 no",
        ),
        ({"Result": False}, ""),
        ({}, ""),
        ({"Result": None, "ErrorMessage": "x\n" * 10_000}, None),
    ],
)
def test_an_error_of_any_release_is_told(answer: dict[str, Any], said: str | None) -> None:
    with pytest.raises(NotServed) as caught:
        ask(session(answer), lambda box: box.run("Folders"))
    end = caught.value
    assert (end.outcome, end.stage) == (Outcome.REFUSED, Stage.COMMAND)
    assert end.reply is not None
    if said is not None:
        assert end.reply.text == said
    assert len(end.reply.text) < 20_000
    assert "\n" not in end.reply.text


@pytest.mark.parametrize("answer", [[], "text", 7, None])
def test_an_answer_that_is_no_object_tells_nothing(answer: Any) -> None:
    with pytest.raises(CannotAsk):
        ask(session(answer), lambda box: box.run("Folders"))


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ({"@Collection": [{"uid": 7, "subject": "Hi"}, "rubbish", None, {"uid": 8}]}, {"7": "Hi", "8": ""}),
        ({"@Collection": {"3": {"uid": 7, "subject": "Hi"}}}, {"7": "Hi"}),
        ({"@Collection": None}, {}),
        ([], {}),
        ([{"uid": "7", "subject": ["no", "text"]}], {"7": "['no', 'text']"}),
    ],
)
def test_the_list_of_messages_is_read_whatever_form_php_gives_it(answer: Any, found: dict[str, str]) -> None:
    assert ask(result(answer), lambda box: box.subjects()) == found


def test_lists_are_read_up_to_a_limit() -> None:
    rows = {"@Collection": [{"uid": number} for number in range(MOST_ENTRIES * 2)]}
    assert len(ask(result(rows), lambda box: box.subjects())) == MOST_ENTRIES
    assert len(ask(result([["a@b.example", ""]] * MOST_ENTRIES * 2), lambda box: box.suggested("a"))) == MOST_ENTRIES


@pytest.mark.parametrize("answer", [{"@Collection": "text"}, {"@Collection": 7}, "text"])
def test_a_list_that_is_none_tells_nothing(answer: Any) -> None:
    with pytest.raises(CannotAsk):
        ask(result(answer), lambda box: box.subjects())


def test_names_and_addresses_are_suggested_as_people_type_them() -> None:
    answer = [["a@b.example", "Ann"], ["c@d.example", ""], ["e@f.example"], [], "rubbish", None]
    wanted = ["Ann <a@b.example>", "c@d.example", "e@f.example"]
    assert ask(result(answer), lambda box: box.suggested("a")) == wanted
    assert ask(result({"0": "x"}), lambda box: box.suggested("a")) == []


@pytest.mark.parametrize("value", [None, "many", [], {}])
def test_a_setting_that_is_no_number_tells_nothing(value: Any) -> None:
    with pytest.raises(CannotAsk):
        ask(session({"Auth": True, "MessagesPerPage": value}), lambda box: box.page_size())


def test_what_is_not_offered_is_lost() -> None:
    shown = ask(result({"subject": "S", "attachments": {"@Collection": []}}), lambda box: box.show("7"))
    with pytest.raises(NotServed) as caught:
        ask(result({}), lambda box: box.save_file(shown, "2"))
    assert caught.value.outcome is Outcome.LOST
    with pytest.raises(NotServed) as caught:
        ask(result({"Identities": []}), lambda box: box.write_as("Me"))
    assert caught.value.outcome is Outcome.LOST


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [(DATA, 502, ""), ({"Auth": False}, 200, "nobody is logged in"), ({}, 200, "nobody is logged in")],
)
def test_a_page_without_a_mailbox_is_no_way_in(answer: Any, status: int, said: str) -> None:
    browser: Any = Browser(answer, status)
    with pytest.raises(NotServed) as caught:
        asyncio.run(Snappymail.enter(browser, "/webmail"))
    assert (caught.value.outcome, caught.value.stage) == (Outcome.REFUSED, Stage.AUTH)
    assert caught.value.reply is not None
    assert said in caught.value.reply.text


def test_each_browser_has_a_cookie_of_its_own_and_keeps_it() -> None:
    browser: Any = Browser(DATA)
    box = asyncio.run(Snappymail.enter(browser, "/webmail"))
    assert box.is_of(ALICE)
    asyncio.run(Snappymail.enter(browser, "/webmail"))
    assert [name for name, _ in browser.cookies] == ["smctoken"]
    other: Any = Browser(DATA)
    asyncio.run(Snappymail.enter(other, "/webmail"))
    assert other.cookies != browser.cookies
