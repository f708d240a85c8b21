"""HTTP: any answer is data, redirects are listed, and nothing leaves the one host."""

from __future__ import annotations

import asyncio

import pytest

from pytest_mailu.core.client_commands import Request, failed_requests
from pytest_mailu.core.endpoints import Tls
from pytest_mailu.core.model import Outcome, Stage
from pytest_mailu.wire.http.client import MAX_REDIRECTS, HttpReply, HttpSession
from pytest_mailu.wire.transport.errors import HUNG_UP, CannotAsk, NotServed
from tests.wire.direct import DirectConnector
from tests.wire.peer import (
    NAME,
    Step,
    Talk,
    drip,
    expect_until,
    flood,
    hang_up,
    peer,
    reset,
    send,
    server_context,
    silence,
)

HEAD = expect_until(b"\r\n\r\n")


def answer(status: str, body: bytes = b"", *headers: str) -> Step:
    lines = (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", "")
    return send("\r\n".join(lines).encode("latin-1") + body)


def routes(pages: dict[str, Step]) -> Step:
    """One page for each path."""

    async def step(talk: Talk) -> None:
        head = await talk.reader.readuntil(b"\r\n\r\n")
        talk.heard += head
        await pages[head.split()[1].decode()](talk)

    return step


def ask(*script: Step, path: str = "/", seconds: float = 5.0, tls: Tls = Tls.NONE, then=None):
    async def run():
        async with peer(*script, tls=server_context() if tls is Tls.IMPLICIT else None) as served:
            session = HttpSession.open(DirectConnector(), "127.0.0.1", served.port, tls=tls, name=NAME, timeout=seconds)
            async with asyncio.timeout(60), session as web:
                reply = await (then(web) if then else web.get(path))
            assert served.surprises == []
            return reply, bytes(served.heard), served

    return asyncio.run(run())


@pytest.mark.parametrize("tls", [Tls.NONE, Tls.IMPLICIT])
def test_the_name_is_asked_for_wherever_the_connection_goes(tls):
    reply, heard, _ = ask(HEAD, answer("200 OK", b"hello", "X-A: 1", "X-A: 2"), tls=tls)
    assert (reply.status, reply.body, reply.header("x-a"), reply.chain) == (200, b"hello", "1, 2", ())
    assert b"Host: mail.post.example:" in heard


@pytest.mark.parametrize("status", ["404 Not Found", "500 Oops", "204 No Content", "403 No"])
def test_any_status_is_data(status):
    assert ask(HEAD, answer(status))[0].status == int(status.split()[0])


def test_an_error_of_the_server_is_known_from_the_transcript():
    async def several(web):
        for path in ("/fine", "/broken"):
            await web.post(path, data={"name": "value"})
        return web.transcript.events

    pages = {"/fine": answer("200 OK", b"in"), "/broken": answer("500 Internal Server Error", b"out")}
    events, _, served = ask(routes(pages), hang_up, then=several)
    url = f"http://{NAME}:{served.port}/broken"
    assert failed_requests(events) == [Request("POST", url)]


def test_redirects_are_followed_and_listed_and_cookies_kept():
    pages = {
        "/": answer("302 Found", b"", "Location: /sso/login?url=x", "Set-Cookie: sid=1; Path=/; HttpOnly"),
        "/sso/login?url=x": answer("200 OK", b"in"),
    }
    reply, heard, served = ask(routes(pages))
    assert reply.body == b"in"
    assert [(hop.status, hop.location) for hop in reply.chain] == [(302, "/sso/login?url=x")]
    assert b"Cookie: sid=1" in heard
    assert served.connections == 2


def test_a_loop_ends():
    reply, _, served = ask(routes({"/": answer("302 Found", b"", "Location: /")}))
    assert reply.looped
    assert reply.status == 302
    assert served.connections == MAX_REDIRECTS + 1


@pytest.mark.parametrize("location", ["https://elsewhere.example/", "ftp://x/", "http://[", "//evil.example/x"])
def test_a_redirect_to_somewhere_else_is_not_followed(location):
    reply, _, served = ask(HEAD, answer("301 Moved", b"", f"Location: {location}"))
    assert (reply.status, reply.header("location")) == (301, location)
    assert served.connections == 1


@pytest.mark.parametrize(("status", "method"), [("302 Found", b"GET /b"), ("307 Again", b"POST /b")])
def test_a_form_and_where_it_leads(status, method):
    async def form(talk: Talk) -> None:
        talk.heard += await talk.reader.readexactly(3)
        await answer(status, b"", "Location: /b")(talk)

    _, heard, _ = ask(routes({"/a": form, "/b": answer("200 OK")}), then=lambda web: web.post("/a", data={"a": "1"}))
    assert b"POST /a HTTP/1.1" in heard
    assert b"a=1" in heard
    assert method in heard


def test_json_and_other_methods():
    async def then(web: HttpSession) -> HttpReply:
        return await web.request("PATCH", "/api", json={"a": 1}, headers={"Authorization": "Bearer x"})

    reply, heard, _ = ask(HEAD, answer("200 OK", b'{"b": 2}'), then=then)
    assert reply.json() == {"b": 2}
    assert b"PATCH /api" in heard
    assert b"Authorization: Bearer x" in heard


def test_what_is_not_json_is_trouble():
    reply, _, _ = ask(HEAD, answer("200 OK", b"<html>"))
    with pytest.raises(CannotAsk):
        reply.json()


def test_cookies_are_shown_without_their_values():
    reply, _, _ = ask(
        HEAD,
        answer("200 OK", b"", "Set-Cookie: sid=secret; Path=/; Secure; HttpOnly; SameSite=Lax", "Set-Cookie: \xff"),
    )
    assert reply.cookies == {"sid": {"path": "/", "secure": "True", "httponly": "True", "samesite": "Lax"}}


def end_of(*script: Step, seconds: float = 5.0, tls: Tls = Tls.NONE) -> NotServed | CannotAsk:
    async def run():
        async with peer(*script) as served:
            with pytest.raises((NotServed, CannotAsk)) as caught:
                async with (
                    asyncio.timeout(60),
                    HttpSession.open(DirectConnector(), "127.0.0.1", served.port, tls=tls, timeout=seconds) as web,
                ):
                    await web.get("/")
            return caught.value

    return asyncio.run(run())


def test_silence_is_unanswered():
    end = end_of(silence, seconds=0.3)
    assert isinstance(end, NotServed)
    assert (end.outcome, end.stage) == (Outcome.UNANSWERED, Stage.COMMAND)


def test_a_refused_port_is_unreachable():
    async def run():
        async with peer() as served:
            pass
        async with HttpSession.open(DirectConnector(), "127.0.0.1", served.port, tls=Tls.NONE) as web:
            await web.get("/")

    with pytest.raises(NotServed) as caught:
        asyncio.run(run())
    assert (caught.value.outcome, caught.value.stage) == (Outcome.UNREACHABLE, Stage.CONNECT)


def test_a_tls_failure():
    end = end_of(answer("400 Bad Request"), silence, tls=Tls.IMPLICIT)
    assert isinstance(end, NotServed)
    assert (end.outcome, end.stage) == (Outcome.TLS_FAILED, Stage.TLS)


@pytest.mark.parametrize("close", [hang_up, reset])
def test_a_connection_closed_where_an_answer_was_due_is_unanswered(close):
    end = end_of(HEAD, close)
    assert isinstance(end, NotServed)
    assert (end.outcome, end.stage, end.reply) == (Outcome.UNANSWERED, Stage.COMMAND, HUNG_UP)


@pytest.mark.parametrize(
    "script",
    [
        pytest.param((HEAD, send(b"HTTP/1.1 200 OK\r\n"), reset), id="reset"),
        pytest.param((HEAD, send(b"HTTP/1.1 200 OK\r\n"), silence), id="half-a-head"),
        pytest.param((HEAD, send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"), silence), id="half-a-body"),
        pytest.param((HEAD, send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"), hang_up), id="cut-off"),
        pytest.param((HEAD, drip(b"HTTP/1.1 200 OK\r\n" + b"x" * 1000)), id="drip"),
        pytest.param((HEAD, flood(b"x" * 65536)), id="rubbish"),
        pytest.param((HEAD, send(b"220 mail ESMTP\r\n"), silence), id="smtp"),
        pytest.param((HEAD, send(b"HTTP/1.1 200 \x00\xff\r\n\x01: \x02\r\n\r\n"), silence), id="control-characters"),
        pytest.param((HEAD, send(b"HTTP/1.1 200 OK\r\n\r\n"), flood(b"x" * 65536)), id="endless-body"),
    ],
)
def test_what_is_no_answer_is_trouble(script):
    end = end_of(*script, seconds=0.6)
    assert isinstance(end, CannotAsk)
    assert end.reason.isprintable()


def test_a_session_that_brings_the_cookies_of_another_is_known_to_the_server() -> None:
    login = HEAD, answer("200 OK", b"", "Set-Cookie: session=abc; Path=/; HttpOnly")

    async def run() -> bytes:
        async with peer(*login) as first, peer(HEAD, answer("200 OK")) as second:
            async with HttpSession.open(
                DirectConnector(), "127.0.0.1", first.port, tls=Tls.NONE, name=NAME, timeout=5.0
            ) as web:
                await web.get("/login")
                cookies = web.cookies
            async with HttpSession.open(
                DirectConnector(), "127.0.0.1", second.port, tls=Tls.NONE, name=NAME, timeout=5.0
            ) as other:
                other.bring(cookies)
                await other.get("/inside")
            return bytes(second.heard)

    assert b"\r\ncookie: session=abc\r\n" in asyncio.run(run()).lower()
