"""What Roundcube's pages and scripts say, read without running them."""

from __future__ import annotations

import time
from typing import Any

import pytest

from pytest_mailu.probe.roundcube import is_inside
from pytest_mailu.probe.roundcube_script import MOST_CALLS, calls, environment, first_option, rows, shown
from pytest_mailu.wire.http.client import HttpReply

SITE = "https://mail.post.example"


def reply(body: str = "", status: int = 200, url: str = "/webmail/?_task=mail", location: str = "") -> HttpReply:
    headers = (("location", location),) if location else ()
    return HttpReply(status, SITE + url, headers, body.encode())


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ('f(1,{"a":"b)"},[2]);', [[1, {"a": "b)"}, [2]]]),
        ('f("x") ; f( );f("y" , false)', [["x"], [], ["y", False]]),
        ("f(new Date(), 1)", [[]]),
        ('g("f(1)");f("\\u00fc\\"")', [[1], ['ü"']]),
        ("f(", [[]]),
        ("", []),
    ],
)
def test_the_arguments_of_calls_are_read_as_far_as_they_are_json(script: str, found: list[Any]) -> None:
    assert list(calls(script, "f")) == found


def test_a_hostile_script_is_read_within_limits() -> None:
    began = time.monotonic()
    assert len(list(calls("f(" * 1_000_000, "f"))) == MOST_CALLS
    assert len(list(calls(f"f({'[' * 100_000}", "f"))) == 1
    assert time.monotonic() - began < 30


def test_what_a_page_sets_for_its_scripts_is_put_together() -> None:
    page = 'rcmail.set_env({"task":"mail","request_token":"a"});x();rcmail.set_env({"request_token":"b"});'
    assert environment(f"{page}rcmail.set_env(1)") == {"task": "mail", "request_token": "b"}


def test_rows_of_the_list_are_known_by_their_uid() -> None:
    script = 'this.set_rowcount("1");this.add_message_row(7,{"subject":"<b>Hi</b>"},{"seen":1},false);\n'
    assert rows({"exec": script}) == {"7": {"subject": "<b>Hi</b>"}}
    assert rows({"exec": "this.add_message_row(7);", "other": 1}) == {}


def test_what_a_box_says_is_told_by_its_kind() -> None:
    script = 'parent.rcmail.display_message("No.","error",0);this.display_message("Yes.","confirmation");'
    assert (shown(script, "error"), shown(script, "confirmation")) == ("No.", "Yes.")


@pytest.mark.parametrize(
    ("page", "value"),
    [
        ('<select name="_from" id="f"><option value="1">a</option><option value="2">b</option></select>', "1"),
        ('<select name="_from"><option value="1">a<option value="2" selected="selected">b</select>', "2"),
        ('<select name="_from"></select><select name="x"><option value="1">a</option></select>', ""),
        ("", ""),
    ],
)
def test_a_selection_is_sent_as_a_browser_would(page: str, value: str) -> None:
    assert first_option(page, "_from") == value


@pytest.mark.parametrize(
    ("answer", "inside"),
    [
        (reply('rcmail.set_env({"task":"mail","request_token":"a"});'), True),
        (reply('rcmail.set_env({"task":"login","request_token":"a"});'), False),
        (reply('rcmail.set_env({"task":"mail","request_token":""});'), False),
        (reply('rcmail.set_env({"task":"mail","request_token":"a"});', url="/sso/login?url=/webmail/"), False),
        (reply('rcmail.set_env({"task":"mail","request_token":"a"});', status=500), False),
        (reply(), False),
    ],
)
def test_only_the_page_of_a_mailbox_is_inside(answer: HttpReply, inside: bool) -> None:
    assert is_inside(answer) is inside
