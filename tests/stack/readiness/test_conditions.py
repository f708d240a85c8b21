"""Conditions are waited for together; an exit ends the wait at once; a deadline names who is missing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from pytest_mailu.stack.docker.events import ContainerExit
from pytest_mailu.stack.readiness.conditions import Condition, InternalServices, NotReady, wait_for
from tests.wire.direct import LocalConnector
from tests.wire.peer import Served, Step, expect, expect_until, hang_up, peer, say


def after(looks: int, words: str = "not yet", seen: list[str] | None = None, name: str = "") -> Condition:
    left = looks

    async def condition() -> str:
        nonlocal left
        if seen is not None:
            seen.append(name)
        left -= 1
        return words if left >= 0 else ""

    return condition


def nobody() -> ContainerExit | None:
    return None


def wait(
    conditions: dict[str, list[Condition]], exits: Callable[[], ContainerExit | None] = nobody, seconds: float = 30
) -> None:
    async def run() -> Awaitable[None] | None:
        return await wait_for(conditions, exits, seconds, every=0.001)

    asyncio.run(run())  # type: ignore[arg-type]


def test_all_conditions_are_met_in_the_end() -> None:
    wait({"admin": [after(3)], "smtp": [after(0)], "imap": []})
    wait({})


def test_the_conditions_of_one_service_are_asked_in_order() -> None:
    seen: list[str] = []
    wait({"admin": [after(2, seen=seen, name="first"), after(1, seen=seen, name="second")]})
    assert seen == ["first", "first", "first", "second", "second"]


def test_a_container_that_ends_ends_the_wait_at_once() -> None:
    looks = 0

    def exits() -> ContainerExit | None:
        nonlocal looks
        looks += 1
        return ContainerExit("imap", 89, True, "exited with status 89") if looks > 3 else None

    started = time.monotonic()
    with pytest.raises(NotReady) as caught:
        wait({"admin": [after(10**9)]}, exits, seconds=600)
    assert time.monotonic() - started < 300
    assert (caught.value.service, caught.value.own_doing) == ("imap", True)
    assert "89" in caught.value.reason


def test_one_that_was_killed_from_outside_is_not_blamed() -> None:
    with pytest.raises(NotReady) as caught:
        wait({"admin": [after(10**9)]}, lambda: ContainerExit("smtp", 137, False, "was stopped from outside"))
    assert not caught.value.own_doing


def test_the_deadline_names_the_service_and_what_it_said_last() -> None:
    with pytest.raises(NotReady) as caught:
        wait({"smtp": [after(0)], "antispam": [after(10**9, "port 11334: refused")]}, seconds=0.2)
    assert caught.value.service == "antispam"
    assert "port 11334: refused" in caught.value.reason
    assert caught.value.own_doing


def test_a_condition_that_hangs_is_cut_off_by_the_deadline() -> None:
    async def never() -> str:
        await asyncio.Event().wait()
        return ""

    with pytest.raises(NotReady, match="admin"):
        wait({"admin": [never]}, seconds=0.1)


def test_a_mistake_in_a_condition_is_not_swallowed() -> None:
    async def broken() -> str:
        raise ZeroDivisionError

    with pytest.raises(ExceptionGroup) as caught:
        wait({"admin": [broken]})
    assert caught.group_contains(ZeroDivisionError)


def looked(of: Callable[[InternalServices], Condition], port: int, *script: Step) -> tuple[str, Served]:
    """What a condition misses on a service that follows a script at this port."""

    async def run() -> tuple[str, Served]:
        async with peer(*script) as served:
            missing = await of(InternalServices(LocalConnector({port: served.port})))()
            await served.left.wait()
            return missing, served

    return asyncio.run(run())


def postfix(to: str, reply: str) -> tuple[Step, ...]:
    """Postfix, which says `reply` to one step of the conversation, and otherwise goes along."""
    says = {
        "EHLO": "250 hi",
        "XCLIENT": "220 hi",
        "EHLO ": "250 hi",
        "MAIL": "250 ok",
        "RCPT": "250 ok",
        "DATA": "354 go",
    }
    steps: list[Step] = [say("220 hi")]
    for verb, usual in says.items():
        steps += [expect(verb), say(reply if verb == to else usual)]
        if verb == to:
            break
    if to == ".":
        steps += [expect_until(b"\r\n.\r\n"), say(reply)]
    return (*steps, expect("QUIT"), say("221 bye"))


@pytest.mark.parametrize(
    ("to", "reply", "met"),
    [
        (".", "554 5.7.1 Rejected (anti-spoofing)", True),
        (".", "250 2.0.0 Ok: queued as 1", False),
        (".", "451 4.7.1 Try again later", False),
        ("RCPT", "450 4.3.2 <alice>: Recipient address rejected: Try again later", True),
        ("RCPT", "450 4.7.1 Client host rejected: Try again later", True),
        ("RCPT", "554 5.7.1 Sender address rejected", True),
        ("RCPT", "451 4.3.0 Temporary lookup failure", False),
        ("MAIL", "451 4.3.0 Temporary lookup failure", False),
        ("XCLIENT", "503 5.5.1 Error: access denied", False),
    ],
)
def test_strangers_that_do_not_get_as_far_as_rspamd_are_not_waited_for(to: str, reply: str, met: bool) -> None:
    missing, _ = looked(lambda inner: inner.refuses_spoofed_mail("smtp", "192.0.2.1"), 25, *postfix(to, reply))
    assert (missing == "") is met, missing


def web(*lines: str, end: bytes = b"\r\n\r\n") -> tuple[Step, ...]:
    """A web server that gives one answer, once it has read `end`."""
    return expect_until(end), say(*lines, "Connection: close", "", ""), hang_up


@pytest.mark.parametrize("status", ["302 FOUND", "500 INTERNAL SERVER ERROR"])
def test_a_first_login_is_made_whatever_becomes_of_it(status: str) -> None:
    """1.9.50 answered 500 to one of two first logins that came together: the form's library was half imported."""
    script = web(f"HTTP/1.1 {status}", end=b"submitAdmin=Sign+in")
    missing, served = looked(lambda inner: inner.has_handled_a_login("admin", 80), 80, *script)
    assert missing == ""
    assert served.heard.startswith(b"POST /sso/login HTTP/1.1\r\n")
    assert b"email=" in served.heard


def test_a_web_site_that_hangs_up_has_handled_no_login() -> None:
    missing, _ = looked(lambda inner: inner.has_handled_a_login("admin", 80), 80, hang_up)
    assert missing.startswith("port 80: ")


def test_a_service_that_does_not_listen_is_missing() -> None:
    inner = InternalServices(LocalConnector({}))
    for condition in (inner.greets("imap", 2525, b"220 "), inner.answers_http("admin", 80, "/health")):
        assert "refused" in asyncio.run(condition())


def test_a_greeting_is_compared_with_the_one_that_is_due() -> None:
    assert looked(lambda inner: inner.greets("imap", 2525, b"220 "), 2525, say("220 hi"), hang_up)[0] == ""
    for greeting, words in (
        ("554 no", "says '554 no'"),
        ("x" * 5000, "says 'xxx"),
        ("x" * 70_000, "a line of more than"),
    ):
        missing, _ = looked(lambda inner: inner.greets("imap", 2525, b"220 "), 2525, say(greeting), hang_up)
        assert missing.startswith(f"port 2525: {words}")
        assert len(missing) < 200


@pytest.mark.parametrize(
    ("status", "met"), [("200 OK", True), ("302 Found", True), ("404 No", False), ("502 No", False)]
)
def test_a_status_below_400_is_an_answer(status: str, met: bool) -> None:
    missing, _ = looked(lambda inner: inner.answers_http("admin", 80, "/health"), 80, *web(f"HTTP/1.1 {status}"))
    assert (missing == "") is met


def test_rspamd_is_ready_when_it_finds_the_symbol() -> None:
    def scanned(body: str) -> tuple[str, Served]:
        reply = say("HTTP/1.1 200 OK", f"Content-Length: {len(body)}", "", body)
        answer = (expect_until(b"ready\r\n"), reply, hang_up)
        return looked(lambda inner: inner.rspamd_scans("antispam", symbol="LOCAL"), 11334, *answer)

    missing, served = scanned('{"symbols": {"LOCAL": {}}}')
    assert missing == ""
    assert b'{"symbols_enabled": ["LOCAL"]}' in served.heard
    assert "not read the list of domains" in scanned("{}")[0]
