"""Conditions for a stack to be ready, each on one internal service, and waiting for all of them.

A port that is under test is never a condition: a closed 465 is an observation, not a stack that is not ready.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TypeAlias

from pytest_mailu.core import population
from pytest_mailu.core.endpoints import SMTP_25, Tls
from pytest_mailu.core.model import Reply, Stage, Vantage
from pytest_mailu.core.text import show_line
from pytest_mailu.stack.docker.events import ContainerExit
from pytest_mailu.wire.http.client import HttpSession
from pytest_mailu.wire.smtp.session import SmtpSession
from pytest_mailu.wire.transport.connector import Connector
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed
from pytest_mailu.wire.transport.stream import LineStream

Condition: TypeAlias = Callable[[], Awaitable[str]]
"""Returns what is still missing; the empty string when the condition is met."""

EVERY = 0.1
"""Seconds between two checks of a condition: nothing signals that a service has begun to listen."""
_ANSWER_SECONDS = 5.0
_MAIL_SECONDS = 15.0
RSPAMD_PORT = 11334
_POLICY = re.compile(r"450|55\d")
"""Reply codes of a policy. 421 and 451 mean that something is not ready yet (RFC 5321 section 4.2.2)."""


class NotReady(Exception):
    """A service ended, or (`late`) its condition was not met in time. `own_doing` as in StackError."""

    def __init__(self, service: str, reason: str, *, own_doing: bool, late: bool = False) -> None:
        super().__init__(f"{service} {reason}")
        self.service = service
        self.reason = reason
        self.own_doing = own_doing
        self.late = late


async def wait_for(
    conditions: Mapping[str, Sequence[Condition]],
    exits: Callable[[], ContainerExit | None],
    seconds: float,
    every: float = EVERY,
) -> None:
    """Returns when every condition (service → its conditions, in order) is met.

    Raises NotReady at once when `exits` names a container that ended, and after `seconds` with the service that is
    still missing and what it said last.
    """
    missing = dict.fromkeys(conditions, "did not answer")
    watcher = asyncio.create_task(_first_exit(exits, every))
    waiter = asyncio.create_task(_all(conditions, missing, every))
    try:
        async with asyncio.timeout(seconds):
            await asyncio.wait((watcher, waiter), return_when=asyncio.FIRST_COMPLETED)
    except TimeoutError:
        service, words = next(iter(missing.items()))
        late = f"was not ready after {seconds:.0f} s: {words}"
        raise NotReady(service, late, own_doing=True, late=True) from None
    finally:
        tasks = [task for task in (watcher, waiter) if not task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if watcher.done() and not watcher.cancelled():
        end = watcher.result()
        raise NotReady(end.service, end.reason, own_doing=end.own_doing)
    waiter.result()


async def _all(conditions: Mapping[str, Sequence[Condition]], missing: dict[str, str], every: float) -> None:
    async def one(service: str, steps: Sequence[Condition]) -> None:
        for condition in steps:
            while words := await condition():
                missing[service] = words
                await asyncio.sleep(every)
        del missing[service]

    async with asyncio.TaskGroup() as group:
        for service, steps in conditions.items():
            group.create_task(one(service, steps))


async def _first_exit(exits: Callable[[], ContainerExit | None], every: float) -> ContainerExit:
    while (end := exits()) is None:  # noqa: ASYNC110 - the watch is a thread
        await asyncio.sleep(every)
    return end


@dataclass(frozen=True, slots=True)
class InternalServices:
    """Conditions on services inside Mailu's own network, asked from there through the world's SOCKS proxy."""

    connector: Connector

    def greets(self, host: str, port: int, greeting: bytes) -> Condition:
        """Met when the service sends a greeting that begins with `greeting`."""

        async def ask() -> str:
            stream = LineStream.open(self.connector, host, port, vantage=Vantage.INSIDE, timeout=_ANSWER_SECONDS)
            async with stream as opened, opened.reply(Stage.GREETING):
                line = await opened.line()
            return "" if line.startswith(greeting) else f"says {show_line(line, 80)!r}"

        return _condition(port, ask)

    def answers_http(self, host: str, port: int, path: str) -> Condition:
        """Met when GET returns a status below 400."""

        async def ask() -> str:
            async with self._http(host, port) as web:
                reply = await web.get(path, follow=False)
            return "" if reply.status < 400 else f"answers {path} with status {reply.status}"

        return _condition(port, ask)

    def has_handled_a_login(self, host: str, port: int) -> Condition:
        """Met when the web site has answered one login, whatever the answer (core/admin/mailu/sso/views/base.py).

        Concurrent first logins race a lazy import (HTTP 500; seen on 1.9.50 with idna, behind WTForms' check of the
        address): this one comes alone.
        """
        user = population.READINESS
        form = {"email": user.address, "pw": user.password, "pwned": "-1", "submitAdmin": "Sign in"}

        async def ask() -> str:
            async with self._http(host, port) as web:
                await web.post("/sso/login", data=form, follow=False)
            return ""

        return _condition(port, ask)

    def rspamd_scans(self, host: str, *, symbol: str = "") -> Condition:
        """Met when Rspamd scans a message and finds `symbol` in it.

        `IS_LOCAL_DOMAIN_H` means that Rspamd has read the list of domains from `admin`, without which anti-spoofing
        does nothing (2.0: core/rspamd/conf/multimap.conf).
        """
        message = (
            f"From: readiness@{population.DOMAIN}\r\nTo: readiness@{population.DOMAIN}\r\nSubject: ready\r\n"
            "Message-ID: <readiness@world.example>\r\nDate: Mon, 01 Jan 2024 00:00:00 +0000\r\n\r\nready\r\n"
        ).encode()
        # Only that symbol (Rspamd's protocol, `Settings`): a whole scan would have the message greylisted.
        headers = {"Settings": json.dumps({"symbols_enabled": [symbol]})} if symbol else {}

        async def ask() -> str:
            async with self._http(host, RSPAMD_PORT) as web:
                reply = await web.post("/checkv2", content=message, headers=headers, follow=False)
            if reply.status != 200:
                return f"answers /checkv2 with status {reply.status}"
            return "" if symbol.encode() in reply.body else "Rspamd has not read the list of domains from admin yet"

        return _condition(RSPAMD_PORT, ask)

    def refuses_spoofed_mail(self, host: str, stranger: str) -> Condition:
        """Met when Postfix and Rspamd refuse a stranger's message with a local user's address as its author.

        Rspamd's controller has the list of domains first, its milter up to 40 s later (measured on 2.0.43). `host`
        accepts XCLIENT from this address as it does from `front`. Each try is a new message, since Rspamd
        greylists known ones.
        """

        async def ask() -> str:
            token = secrets.token_hex(8)
            author = f"readiness-{token}@{population.DOMAIN}"
            steps = (
                (f"XCLIENT ADDR={stranger} NAME={population.STRANGER_HOST} PROTO=ESMTP", "220"),
                (f"EHLO {population.STRANGER_HOST}", "250"),
                (f"MAIL FROM:<{author}>", "250"),
                (f"RCPT TO:<{population.READINESS.address}>", "250"),
                ("DATA", "354"),
            )
            message = (
                f"From: {author}\r\nTo: {population.READINESS.address}\r\nSubject: {token}\r\n\r\n{token}\r\n.\r\n"
            )
            session = SmtpSession.open(
                self.connector,
                host,
                SMTP_25.port,
                tls=Tls.NONE,
                vantage=Vantage.INSIDE,
                timeout=_MAIL_SECONDS,
                name="front",
            )
            async with session as smtp:
                for line, expected in steps:
                    reply = await smtp.command(line)
                    if line.startswith(("MAIL", "RCPT")) and _POLICY.fullmatch(reply.code):
                        return ""  # Postfix refuses it before Rspamd sees it: the behaviours will show that
                    if reply.code != expected:
                        return f"answers {_words(reply)!r} to {line!r}"
                verdict = await smtp.payload(message.encode())
            if verdict.code.startswith("5"):
                return ""
            return f"does not refuse a stranger's message with a user's address as its author yet: {_words(verdict)!r}"

        return _condition(SMTP_25.port, ask)

    def _http(self, host: str, port: int) -> AbstractAsyncContextManager[HttpSession]:
        return HttpSession.open(
            self.connector,
            host,
            port,
            tls=Tls.NONE,
            vantage=Vantage.INSIDE,
            timeout=_ANSWER_SECONDS,
            name="localhost",
        )


def _condition(port: int, ask: Callable[[], Awaitable[str]]) -> Condition:
    """The condition that `ask` returns "": a service that cannot be asked does not meet it."""

    async def condition() -> str:
        try:
            missing = await ask()
        except (NotServed, CannotAsk) as error:
            missing = str(error)
        return f"port {port}: {missing}" if missing else ""

    return condition


def _words(reply: Reply) -> str:
    return show_line(" ".join(filter(None, (reply.code, reply.enhanced, reply.text))), 200)
