from __future__ import annotations

import asyncio

import pytest

from pytest_mailu.core.model import Outcome, Stage
from pytest_mailu.core.setups import setup_named
from pytest_mailu.probe.admin_site import Site, flash, form, local, said
from pytest_mailu.wire.http.client import HttpReply
from pytest_mailu.wire.transport.errors import NotServed
from tests.behaviours.local_stack import local_probe

PAGE = """
<div class="alert alert-danger alert-dismissible" role="alert">
 <button type="button" class="close"><span>&times;</span></button> Wrong e-mail <b>or</b> password </div>
<form><input type="hidden" name="csrf_token" value="abc"><input name="localpart" value="">
<input type="checkbox" name="enabled" value="y" checked><input type="checkbox" name="allow_spoofing" value="y">
<select name="admin"><option value="a">A</option><option value="b" selected>B</option></select>
<textarea name="reply_body">Away &amp; gone</textarea><input type="submit" name="submit" value="Save"></form>
"""


class Http:
    """Answers in turn."""

    def __init__(self, *replies: HttpReply) -> None:
        self.replies = list(replies)
        self.sent: list[dict[str, str]] = []

    async def post(self, url: str, *, data: dict[str, str], follow: bool = True) -> HttpReply:
        self.sent.append(data)
        return self.replies.pop(0)

    async def get(self, url: str, **more: object) -> HttpReply:
        return self.replies.pop(0)


def reply(status: int, text: str = "", **headers: str) -> HttpReply:
    return HttpReply(status, "https://mail.post.example/", tuple(headers.items()), text.encode())


def test_a_form_is_read_as_a_browser_would_send_it() -> None:
    assert form(PAGE) == {
        "csrf_token": "abc",
        "localpart": "",
        "enabled": "y",
        "admin": "b",
        "reply_body": "Away & gone",
    }


def test_what_a_page_says_is_told_without_markup() -> None:
    assert flash(PAGE) == "Wrong e-mail or password"
    assert flash("<p>nothing</p>") == ""


def test_a_login_page_that_comes_back_is_a_failed_login() -> None:
    site = Site(Http(reply(200, PAGE)), "/admin")  # type: ignore[arg-type]
    with pytest.raises(NotServed) as stopped:
        asyncio.run(site.login("a@post.example", "wrong"))
    assert (stopped.value.outcome, stopped.value.stage) == (Outcome.AUTH_FAILED, Stage.AUTH)
    assert stopped.value.reply is not None
    assert stopped.value.reply.text == "Wrong e-mail or password"


def test_a_redirect_is_a_login() -> None:
    site = Site(Http(reply(302, location="/admin")), "/admin")  # type: ignore[arg-type]
    assert asyncio.run(site.login("a@post.example", "right")).header("location") == "/admin"


def test_a_form_is_sent_with_its_own_values_and_without_what_is_left_out() -> None:
    http = Http(reply(200, PAGE), reply(302))
    site = Site(http, "/admin")  # type: ignore[arg-type]
    asyncio.run(site.send_form("/user/create/x", {"localpart": "new"}, leave_out=("csrf_token",)))
    assert http.sent == [{"localpart": "new", "enabled": "y", "admin": "b", "reply_body": "Away & gone"}]


def test_a_form_that_is_not_shown_cannot_be_sent() -> None:
    site = Site(Http(reply(403)), "/admin")  # type: ignore[arg-type]
    with pytest.raises(NotServed) as stopped:
        asyncio.run(site.save("/user/create/x", {}))
    assert stopped.value.outcome is Outcome.REFUSED


def test_what_the_rest_interface_says_is_its_message() -> None:
    assert said(reply(404, '{"code": 404, "message": "not there"}')) == "not there"
    assert said(reply(500, "<html>")) == ""


def test_a_redirect_is_told_without_the_own_name() -> None:
    probe = local_probe({})
    assert local(probe, "https://mail.post.example/admin") == "/admin"
    assert local(probe, "https://mail.post.example:443/admin") == "/admin"
    assert local(probe, "https://mail.post.example.evil.example/") == "https://mail.post.example.evil.example/"
    assert local(probe, "http://mail.post.example/admin") == "http://mail.post.example/admin"


def test_without_tls_the_own_name_is_that_of_a_site_without_it() -> None:
    probe = local_probe({})
    probe.stack.setup = setup_named("notls")  # type: ignore[misc]
    assert (
        local(probe, "http://mail.post.example/admin") == local(probe, "http://mail.post.example:80/admin") == "/admin"
    )
    assert local(probe, "https://mail.post.example/admin") == "https://mail.post.example/admin"
    probe.stack.setup = setup_named("mail")  # type: ignore[misc]
    assert local(probe, "https://mail.post.example/admin") == "/admin"
