"""Conditions for a stack to be ready, each on one internal service, and waiting for all of them.

A port that is under test is never a condition: a closed 465 is an observation, not a stack that is not ready.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import urlencode

from python_socks import ProxyError, ProxyType
from python_socks.async_.asyncio import Proxy

from pytest_mailu.core import population
from pytest_mailu.core.model import Vantage
from pytest_mailu.stack.docker.events import ContainerExit

Condition: TypeAlias = Callable[[], Awaitable[str]]
"""Returns what is still missing; the empty string when the condition is met."""

EVERY = 0.1
"""Seconds between two checks of a condition: nothing signals that a service has begun to listen."""
_ANSWER_SECONDS = 5.0
_FORM = "application/x-www-form-urlencoded"
_POLICY = re.compile(rb"(?:450|55\d)[ -]")
"""Replies of a policy. 421 and 451 mean that something is not ready yet (RFC 5321 section 4.2.2)."""


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
    """Talks to inner services through the world's SOCKS proxy, from inside Mailu's own network."""

    proxy_port: int

    async def ask(self, host: str, port: int, request: bytes, enough: bytes) -> bytes:
        """Sends `request` and reads until `enough` was seen, or the end. Raises OSError when nobody is there."""
        inside = str(Vantage.INSIDE)
        proxy = Proxy(ProxyType.SOCKS5, "127.0.0.1", self.proxy_port, username=inside, password=inside, rdns=True)
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                reader, writer = await asyncio.open_connection(sock=await proxy.connect(host, port))
                try:
                    writer.write(request)
                    answer = b""
                    while enough not in answer and (more := await reader.read(65536)):
                        answer += more
                    return answer
                finally:
                    writer.close()
        except ProxyError as error:
            raise OSError(str(error)) from error
        except TimeoutError:
            raise OSError("no answer") from None

    def greets(self, host: str, port: int, greeting: bytes) -> Condition:
        """Met when the service sends a greeting that begins with `greeting`."""

        async def condition() -> str:
            try:
                answer = await self.ask(host, port, b"", b"\n")
            except OSError as error:
                return f"port {port}: {error}"
            return "" if answer.startswith(greeting) else f"port {port} says {answer[:80].decode(errors='replace')!r}"

        return condition

    def answers_http(self, host: str, port: int, path: str) -> Condition:
        """Met when GET returns a status below 400."""

        async def condition() -> str:
            request = f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode()
            try:
                answer = await self.ask(host, port, request, b"\r\n")
            except OSError as error:
                return f"port {port}: {error}"
            status = answer.split(b" ", 2)[1:2]
            return "" if status and status[0] < b"400" else f"{path} answers {answer[:80].decode(errors='replace')!r}"

        return condition

    def has_handled_a_login(self, host: str, port: int) -> Condition:
        """Met when the web site has answered one login, whatever the answer (core/admin/mailu/sso/views/base.py).

        Concurrent first logins race a lazy import (HTTP 500; seen on 1.9.50 with idna, behind WTForms' check of the
        address): this one comes alone.
        """
        user = population.READINESS
        form = urlencode({"email": user.address, "pw": user.password, "pwned": "-1", "submitAdmin": "Sign in"})
        head = f"POST /sso/login HTTP/1.0\r\nHost: localhost\r\nContent-Type: {_FORM}\r\nContent-Length: {len(form)}"
        request = f"{head}\r\n\r\n{form}".encode()

        async def condition() -> str:
            try:
                answer = await self.ask(host, port, request, b"\r\n")
            except OSError as error:
                return f"port {port}: {error}"
            return "" if answer else f"port {port} does not answer"

        return condition

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
        only = f'Settings: {{"symbols_enabled": ["{symbol}"]}}\r\n' if symbol else ""
        head = f"POST /checkv2 HTTP/1.0\r\nHost: localhost\r\n{only}Content-Length: {len(message)}\r\n\r\n"
        request = head.encode() + message

        async def condition() -> str:
            try:
                answer = await self.ask(host, 11334, request, b"\0")
            except OSError as error:
                return f"port 11334: {error}"
            if not answer.startswith(b"HTTP/1.1 200") and not answer.startswith(b"HTTP/1.0 200"):
                return f"/checkv2 answers {answer[:80].decode(errors='replace')!r}"
            return "" if symbol.encode() in answer else "Rspamd has not read the list of domains from admin yet"

        return condition

    def refuses_spoofed_mail(self, host: str, stranger: str) -> Condition:
        """Met when Postfix and Rspamd refuse a stranger's message with a local user's address as its author.

        Rspamd's controller has the list of domains first, its milter up to 40 s later (measured on 2.0.43). `host`
        accepts XCLIENT from this address as it does from `front`. Each try is a new message, since Rspamd
        greylists known ones.
        """

        async def condition() -> str:
            token = secrets.token_hex(8)
            author = f"readiness-{token}@{population.DOMAIN}"
            steps: tuple[tuple[str, bytes], ...] = (
                ("", b"220"),
                ("EHLO front", b"250"),
                (f"XCLIENT ADDR={stranger} NAME={population.STRANGER_HOST} PROTO=ESMTP", b"220"),
                (f"EHLO {population.STRANGER_HOST}", b"250"),
                (f"MAIL FROM:<{author}>", b"250"),
                (f"RCPT TO:<{population.READINESS.address}>", b"250"),
                ("DATA", b"354"),
            )
            message = f"From: {author}\r\nTo: {population.READINESS.address}\r\nSubject: {token}\r\n\r\n{token}\r\n."
            try:
                async with self._conversation(host, 25) as say:
                    for line, expected in steps:
                        reply = await say(line)
                        if line.startswith(("MAIL", "RCPT")) and _POLICY.match(reply):
                            return ""  # Postfix refuses it before Rspamd sees it: the behaviours will show that
                        if not reply.startswith(expected):
                            return f"port 25 answers {reply.decode(errors='replace').strip()!r} to {line!r}"
                    verdict = await say(message)
            except OSError as error:
                return f"port 25: {error}"
            said = verdict.decode(errors="replace").strip()
            return (
                ""
                if verdict.startswith(b"5")
                else f"a stranger's message with a user's address as its author is not refused yet: {said!r}"
            )

        return condition

    @asynccontextmanager
    async def _conversation(self, host: str, port: int) -> AsyncIterator[Callable[[str], Awaitable[bytes]]]:
        """SMTP in its simplest form: a function that sends a line (none where empty) and gives the last line back."""
        inside = str(Vantage.INSIDE)
        proxy = Proxy(ProxyType.SOCKS5, "127.0.0.1", self.proxy_port, username=inside, password=inside, rdns=True)
        try:
            async with asyncio.timeout(3 * _ANSWER_SECONDS):
                reader, writer = await asyncio.open_connection(sock=await proxy.connect(host, port))
                try:

                    async def say(line: str) -> bytes:
                        writer.write(f"{line}\r\n".encode() if line else b"")
                        reply = await reader.readline()
                        while reply[3:4] == b"-":
                            reply = await reader.readline()
                        return reply

                    yield say
                finally:
                    writer.close()
        except ProxyError as error:
            raise OSError(str(error)) from error
        except TimeoutError:
            raise OSError("no answer") from None
