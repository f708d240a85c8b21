"""Conditions are waited for together; an exit ends the wait at once; a deadline names who is missing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from pytest_mailu.stack.docker.events import ContainerExit
from pytest_mailu.stack.readiness.conditions import Condition, InternalServices, NotReady, wait_for


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


class Postfix(InternalServices):
    """An inner Postfix that says what a test has it say to a command, and otherwise goes along."""

    def __init__(self, to: str, reply: bytes) -> None:
        super().__init__(proxy_port=0)
        object.__setattr__(self, "says", {"RCPT": b"250 ok", "": b"220 hi", "XCLI": b"220 hi", "DATA": b"354 go"})
        self.says[to] = reply

    says: dict[str, bytes]

    @asynccontextmanager
    async def _conversation(self, host: str, port: int) -> AsyncIterator[Callable[[str], Awaitable[bytes]]]:
        async def say(line: str) -> bytes:
            return self.says.get(line[:4], b"250 ok")

        yield say


@pytest.mark.parametrize(
    ("to", "reply", "met"),
    [
        ("From", b"554 5.7.1 Rejected (anti-spoofing)", True),
        ("From", b"250 2.0.0 Ok: queued as 1", False),
        ("From", b"451 4.7.1 Try again later", False),
        ("RCPT", b"450 4.3.2 <alice>: Recipient address rejected: Try again later", True),
        ("RCPT", b"450 4.7.1 Client host rejected: Try again later", True),
        ("RCPT", b"554 5.7.1 Sender address rejected", True),
        ("RCPT", b"451 4.3.0 Temporary lookup failure", False),
        ("MAIL", b"451 4.3.0 Temporary lookup failure", False),
    ],
)
def test_strangers_that_do_not_get_as_far_as_rspamd_are_not_waited_for(to: str, reply: bytes, met: bool) -> None:
    assert (asyncio.run(Postfix(to, reply).refuses_spoofed_mail("smtp", "192.0.2.1")()) == "") is met


class Admin(InternalServices):
    """An inner `admin` that gives one answer, or none, and keeps what it was asked."""

    asked: list[bytes]
    answer: bytes | OSError

    def __init__(self, answer: bytes | OSError) -> None:
        super().__init__(proxy_port=0)
        object.__setattr__(self, "answer", answer)
        object.__setattr__(self, "asked", [])

    async def ask(self, host: str, port: int, request: bytes, enough: bytes) -> bytes:
        self.asked.append(request)
        if isinstance(self.answer, OSError):
            raise self.answer
        return self.answer


def test_a_first_login_is_made_whatever_becomes_of_it() -> None:
    """1.9.50 answered 500 to one of two first logins that came together: the form's library was half imported."""
    for answer in (b"HTTP/1.0 302 FOUND\r\n", b"HTTP/1.0 500 INTERNAL SERVER ERROR\r\n"):
        admin = Admin(answer)
        assert asyncio.run(admin.has_handled_a_login("admin", 80)()) == ""  # type: ignore[arg-type]
        head, _, form = admin.asked[0].partition(b"\r\n\r\n")
        assert head.startswith(b"POST /sso/login HTTP/1.0\r\n")
        assert f"Content-Length: {len(form)}".encode() in head
        assert b"email=" in form
    assert "refused" in asyncio.run(Admin(OSError("refused")).has_handled_a_login("admin", 80)())  # type: ignore[arg-type]
    assert "does not answer" in asyncio.run(Admin(b"").has_handled_a_login("admin", 80)())  # type: ignore[arg-type]
