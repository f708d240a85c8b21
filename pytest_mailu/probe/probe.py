"""What a behaviour works with: one side's server, reached from where it wants, and proof of what became of things."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from testinfra.host import Host

from pytest_mailu.core.endpoints import SMTP_25_OPPORTUNISTIC, Endpoint, Tls
from pytest_mailu.core.model import Facts, Observation, Outcome, Reply, Stage, Vantage
from pytest_mailu.core.population import ELSEWHERE, HOSTNAME, User
from pytest_mailu.core.releases import Release
from pytest_mailu.probe.messages import Letter, header_names, letter
from pytest_mailu.stack.world.control import Arrival, World
from pytest_mailu.stack.world.dkim import sign
from pytest_mailu.wire.imap.session import ImapSession
from pytest_mailu.wire.pop3.session import Pop3Session
from pytest_mailu.wire.sieve.session import SieveSession
from pytest_mailu.wire.smtp.session import SmtpSession
from pytest_mailu.wire.transport.connector import Connector, ProxyProtocolConnector
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed
from pytest_mailu.wire.transport.transcript import Transcript

Value = TypeVar("Value")

ARRIVAL_SECONDS = 12.0
"""How long a letter may take to where it belongs: both sides share the machine, and Rspamd alone may take seconds."""
SLOW_SECONDS = 10.0
"""How much longer, while Postfix is still at it: slow is not deferred."""
REPLY_SECONDS = 15.0
"""How long a server may take for one reply. Dovecot delays a failed login by 2 s and more, Mailu's limiter as well."""
FRONT = "front"


class Ran(Protocol):
    """A command that ended inside a container."""

    @property
    def code(self) -> int:
        """Exit status."""

    @property
    def output(self) -> str:
        """Standard output."""

    @property
    def errors(self) -> str:
        """Standard error."""


class Ground(Protocol):
    """What a side gives to those who ask it."""

    @property
    def release(self) -> Release:
        """What is under test."""

    @property
    def connector(self) -> Connector:
        """The way in."""

    @property
    def world(self) -> World:
        """The world's control."""

    @property
    def places(self) -> Mapping[str, str]:
        """Addresses of this stack by what they are called in observations: `198.18.4.10` is `stranger`."""

    async def run(self, service: str, *command: str) -> Ran:
        """Run a command in a service's container."""

    def environment(self, service: str) -> Mapping[str, str]:
        """A service's environment, as commands in its container find it."""

    async def host(self, service: str) -> Host:
        """A service's container as testinfra sees it."""

    async def log(self, service: str, since: float) -> list[str]:
        """The lines a service has logged since a moment (seconds since the epoch)."""

    async def log_at_start(self, service: str) -> list[str]:
        """The lines a service had logged when the stack was ready and nobody had asked anything."""

    async def ended(self, service: str) -> tuple[str, tuple[str, ...]]:
        """How a service ended by its own doing, with its last log lines; two empty values while it runs."""

    def without(self, service: str, *, gone: bool = False) -> AbstractAsyncContextManager[None]:
        """Hold a service still, or with `gone` stop it, and bring it back at the end."""


class Probe:
    """Asks one behaviour of one side, once. Everything said on its connections ends up in one transcript."""

    def __init__(self, ground: Ground, started: float) -> None:
        self._ground = ground
        self._started = started
        self._tokens: list[str] = []
        self.transcript = Transcript()

    @property
    def release(self) -> Release:
        """What is under test."""
        return self._ground.release

    @property
    def world(self) -> World:
        """The world's control: scripted replies, arrivals, DNS."""
        return self._ground.world

    @property
    def connector(self) -> Connector:
        """For the functions of `wire` that are no session, such as `wire.tls.handshake`."""
        return self._ground.connector

    def address(self, place: str) -> str:
        """The address of a service, or of the world where a client with this vantage comes from."""
        return next(address for address, name in self._ground.places.items() if name == place)

    # Sessions ----------------------------------------------------------------------------------------------------

    def smtp(
        self, endpoint: Endpoint, vantage: Vantage = Vantage.STRANGER, *, host: str = FRONT, **more: Any
    ) -> AbstractAsyncContextManager[SmtpSession]:
        """An SMTP session that has said EHLO and, where `way` has it, begun TLS."""
        return SmtpSession.open(self.connector, host, endpoint.port, **{**self._common(endpoint, vantage), **more})

    def imap(
        self, endpoint: Endpoint, vantage: Vantage = Vantage.STRANGER, *, host: str = FRONT, **more: Any
    ) -> AbstractAsyncContextManager[ImapSession]:
        """An IMAP session before its login."""
        return ImapSession.open(self.connector, host, endpoint.port, **{**self._common(endpoint, vantage), **more})

    def pop3(
        self, endpoint: Endpoint, vantage: Vantage = Vantage.STRANGER, *, host: str = FRONT, **more: Any
    ) -> AbstractAsyncContextManager[Pop3Session]:
        """A POP3 session before its login."""
        return Pop3Session.open(self.connector, host, endpoint.port, **{**self._common(endpoint, vantage), **more})

    def sieve(
        self, endpoint: Endpoint, vantage: Vantage = Vantage.STRANGER, *, host: str = FRONT, **more: Any
    ) -> AbstractAsyncContextManager[SieveSession]:
        """A ManageSieve session before its login."""
        return SieveSession.open(self.connector, host, endpoint.port, **{**self._common(endpoint, vantage), **more})

    @asynccontextmanager
    async def mailbox(self, user: User) -> AsyncIterator[ImapSession]:
        """The user's mailbox at the `imap` service itself, logged in: what is in it, whatever ports `front` serves.

        Dovecot there believes whoever comes from `SUBNET`, since only `front` does; the password does not matter
        (Mailu core/dovecot/conf/auth.conf, 1.9 to master).
        """
        # A conversation of ours and not of the behaviour: it stays out of the transcript.
        async with ImapSession.open(self._connector_to_imap, "imap", 143, **self._own(Transcript())) as session:
            await session.login(user.address, "from-inside")
            self.transcript.note(f"looking into the mailbox of {user.address}")
            yield session

    @asynccontextmanager
    async def filters(self, user: User) -> AsyncIterator[SieveSession]:
        """The user's filters at the `imap` service itself, logged in as for `mailbox`, whatever `front` serves."""
        async with SieveSession.open(self._connector_to_imap, "imap", 4190, **self._own(self.transcript)) as session:
            await session.authenticate(user.address, "from-inside")
            yield session

    @property
    def _connector_to_imap(self) -> Connector:
        if not self.release.mailboxes_want_proxy_protocol:
            return self.connector
        return ProxyProtocolConnector(self.connector, self.address(Vantage.INSIDE))

    @staticmethod
    def _own(transcript: Transcript) -> dict[str, Any]:
        return {"tls": Tls.NONE, "vantage": Vantage.INSIDE, "transcript": transcript, "timeout": REPLY_SECONDS}

    def _common(self, endpoint: Endpoint, vantage: Vantage) -> dict[str, Any]:
        common = {"tls": endpoint.tls, "vantage": vantage, "transcript": self.transcript, "timeout": REPLY_SECONDS}
        return common | {"sni": HOSTNAME}

    # Letters -----------------------------------------------------------------------------------------------------

    def letter(self, *, signed: bool = True, **how: Any) -> Letter:
        """A letter as `letters.letter` makes it; one from `ELSEWHERE` bears that domain's signature if `signed`."""
        made = letter(**how)
        self._tokens.append(made.token)
        self.transcript.note(f"letter {made.message_id}")
        if signed and made.message_id.endswith(f"@{ELSEWHERE}>"):
            made = replace(made, content=sign(made.content, ELSEWHERE))
        return made

    def word(self) -> str:
        """A word that nothing else has, for what a behaviour makes and names; observations show it as `<token>`."""
        word = secrets.token_hex(6)
        self._tokens.append(word)
        return word

    async def submit(self, sent: Letter, endpoint: Endpoint, user: User) -> Reply:
        """Log in as `user` and send, as a mail program does; the reply to DATA. Raises NotServed where that fails."""
        async with self.smtp(endpoint) as smtp:
            await smtp.login(user.address, user.password)
            return (await smtp.send(sent.sender, sent.recipients, sent.content)).reply

    async def deliver(
        self, sent: Letter, endpoint: Endpoint = SMTP_25_OPPORTUNISTIC, vantage: Vantage = Vantage.STRANGER
    ) -> Reply:
        """Send without a login, as another mail server does; the reply to DATA. Raises NotServed where that fails."""
        async with self.smtp(endpoint, vantage) as smtp:
            return (await smtp.send(sent.sender, sent.recipients, sent.content)).reply

    async def at_world(self, sent: Letter, reply: Reply | None, *, wait: float = ARRIVAL_SECONDS) -> Observation:
        """What became of a letter that has to arrive at a mail server of the world."""
        arrivals, entry = await self._awaited(
            sent, reply, lambda seconds: self.world.arrivals(token=sent.token, wait=seconds), wait
        )
        if not arrivals:
            return self._not_arrived(entry, reply)
        return self.seen(Outcome.DELIVERED, Stage.DELIVERY, reply, arrival=self.arrival_facts(arrivals[0], sent))

    async def in_mailbox(
        self,
        sent: Letter,
        user: User,
        reply: Reply | None,
        *,
        wait: float = ARRIVAL_SECONDS,
        headers: bool = False,
    ) -> Observation:
        """What became of a letter that has to arrive in a mailbox: in which folder, unaltered?

        With `headers` their names, where these are the question: every release adds its own, and once told is enough.
        """
        async with self.mailbox(user) as mailbox:
            found, entry = await self._awaited(
                sent, reply, lambda seconds: mailbox.wait_for_message(sent.message_id, seconds), wait
            )
        if not found:
            return self._not_arrived(entry, reply)
        message = found[0]
        whole = message.content.partition(b"\r\n\r\n")[2] == sent.body
        facts: dict[str, Any] = {
            "copies": len(found),
            "folder": message.folder,
            "flags": sorted(flag for flag in message.flags if flag != "\\Recent"),
        }
        if headers:
            facts["headers"] = header_names(message.content)
        return self.seen(Outcome.DELIVERED if whole else Outcome.ALTERED, Stage.DELIVERY, reply, **facts)

    async def notice(self, sent: Letter, user: User, *, wait: float = 2 * ARRIVAL_SECONDS) -> bytes | None:
        """What a mail server wrote into a mailbox about a letter (it holds the letter's token), or None after `wait`.

        Reads every message of the mailbox: for users that few others write to.
        """
        found: list[bytes] = []
        unread = {"INBOX": 1, "Junk": 1}
        async with self.mailbox(user) as mailbox:

            async def look() -> bool:
                for folder, first in unread.items():
                    await mailbox.select(folder, read_only=True)
                    # `*` is the newest message, even where it is older than `first` (RFC 9051 section 9, seq-range).
                    for uid, message in (await mailbox.fetch(f"{first}:*", "(UID BODY.PEEK[])")).items():
                        unread[folder] = max(unread[folder], uid + 1)
                        content = message.get("BODY[]") or b""
                        head = content.partition(b"\r\n\r\n")[0]
                        if sent.token.encode() in content and sent.message_id.encode() not in head:
                            found.append(content)
                return bool(found)

            await eventually(look, wait)
        return found[0] if found else None

    def arrival_facts(self, arrival: Arrival, sent: Letter) -> Facts:
        """What the world saw of a letter that is worth comparing."""
        content = arrival.content or b""
        return {
            "listener": arrival.listener,
            "tls": bool(arrival.tls),
            "login": arrival.user,
            "helo": arrival.helo,
            "sender": settled_srs(arrival.sender),
            "recipients": [recipient.address for recipient in arrival.recipients],
            "headers": header_names(content),
            "body_kept": content.partition(b"\r\n\r\n")[2] == sent.body,
        }

    async def _awaited(
        self, sent: Letter, reply: Reply | None, look: Callable[[float], Awaitable[Sequence[Value]]], wait: float
    ) -> tuple[Sequence[Value], dict[str, Any] | None]:
        """What `look` finds within `wait` seconds, or a while longer while Postfix is at work on the letter.

        Together with the letter's entry in the queue where nothing was found; None there as well means that it is lost.
        """
        found, entry = await look(wait), None
        if not found:
            entry = await self.queued(sent, reply)
        if wait and entry is not None and entry["queue_name"] in ("incoming", "active"):
            found = await look(SLOW_SECONDS)
            entry = None if found else await self.queued(sent, reply)
        if not found and entry is None:
            # Since the last look it may have gone from the queue to where it belongs.
            found = await look(0.0)
        return found, entry

    def _not_arrived(self, entry: Mapping[str, Any] | None, reply: Reply | None) -> Observation:
        """Still in the queue is deferred, with the reason that Postfix gives (postqueue(1)); nowhere is lost."""
        if entry is None:
            return self.seen(Outcome.LOST, Stage.DELIVERY, reply)
        reasons = [to.get("delay_reason", "") for to in entry["recipients"]]
        words = Reply(text=next(filter(None, reasons), f"in the {entry['queue_name']} queue"))
        return self.seen(Outcome.DEFERRED, Stage.DELIVERY, words)

    async def queued(self, sent: Letter, reply: Reply | None) -> dict[str, Any] | None:
        """The entry of Postfix's queue (postqueue(1), -j) that holds the letter, or None.

        It is known by the queue id in the reply to DATA where there is one, or else by sender and time.
        """
        number = queue_id(reply) if reply else ""
        ran = await self._ground.run("smtp", "postqueue", "-j")
        for line in ran.output.splitlines():
            entry: dict[str, Any] = json.loads(line)
            ours = entry["sender"] == sent.sender and entry["arrival_time"] >= self._started - 2
            if entry["queue_id"] == number if number else ours:
                return entry
        return None

    async def leaves_queue(self, sent: Letter, reply: Reply, *, wait: float = ARRIVAL_SECONDS) -> bool:
        """Whether Postfix lets go of a letter within `wait` seconds: it was taken, or sent back."""

        async def gone() -> bool:
            return await self.queued(sent, reply) is None

        return await eventually(gone, wait)

    # Inside ------------------------------------------------------------------------------------------------------

    async def run(self, service: str, *command: str) -> Ran:
        """Run a command in a service's container."""
        return await self._ground.run(service, *command)

    def environment(self, service: str) -> Mapping[str, str]:
        """A service's environment, as commands in its container find it: the settings, and what its image sets."""
        return self._ground.environment(service)

    async def ended(self, service: str) -> tuple[str, tuple[str, ...]]:
        """How a service ended by its own doing, with its last log lines; two empty values while it runs."""
        return await self._ground.ended(service)

    def without(self, service: str, *, gone: bool = False) -> AbstractAsyncContextManager[None]:
        """Hold a service still while the block runs: its name and address stay, and nobody answers.

        With `gone` it is stopped, and its name leaves the engine's DNS. It is back and ready when the block is over.
        Only for behaviours that are asked `alone`.
        """
        return self._ground.without(service, gone=gone)

    async def testinfra(self, service: str, look: Callable[[Host], Value]) -> Value:
        """What `look` sees of a service's container through testinfra; it may block."""
        host = await self._ground.host(service)
        return await asyncio.to_thread(look, host)

    async def client_seen_by_postfix(self, word: str) -> str:
        """The client address in the line of Postfix's log that has `word` in it, by the name of its vantage.

        `word` has to be unique to this probe: a letter's token where it was refused, its queue id where it was taken.
        Raises CannotAsk where no such line turns up.
        """
        pattern = re.compile(r"(?:from |client=)[^\s\[]*\[([0-9a-f.:]+)\]")

        async def find() -> str | None:
            for line in await self._ground.log("smtp", self._started - 1):
                if word in line and (match := pattern.search(line)):
                    return match[1]
            return None

        address = await until(find, 5.0, f"Postfix logged no line with {word}")
        return self._ground.places.get(address, address)

    async def log(self, service: str, since: float) -> list[str]:
        """The lines a service has logged since a moment (seconds since the epoch)."""
        return await self._ground.log(service, since)

    async def log_at_start(self, service: str) -> list[str]:
        """The lines a service had logged when the stack was ready and nobody had asked anything."""
        return await self._ground.log_at_start(service)

    async def logged(self, service: str, *words: str, seconds: float = ARRIVAL_SECONDS) -> bool:
        """Whether a service logs a line with all these words, within so many seconds from now."""

        async def find() -> bool | None:
            lines = await self._ground.log(service, self._started - 1)
            return True if any(all(word in line for word in words) for line in lines) else None

        try:
            return await until(find, seconds, "not logged")
        except CannotAsk:
            return False

    async def from_vantage(self, vantage: Vantage, word: str) -> str:
        """Make sure that Postfix saw this client where it is meant to stand, since all else would prove nothing.

        Gives the name of the vantage; raises CannotAsk where it was seen elsewhere.
        """
        seen = await self.client_seen_by_postfix(word)
        if seen != vantage:
            raise CannotAsk(f"Mailu saw this client as {seen}, which is not {vantage}")
        return seen

    # Observations ------------------------------------------------------------------------------------------------

    def seen(self, outcome: Outcome, stage: Stage, reply: Reply | None = None, **facts: Any) -> Observation:
        """An observation of what this probe was asked. What is this stack's or this letter's own gets a common name."""
        settled = None if reply is None else replace(reply, text=self.settle(reply.text))
        return Observation(outcome, stage, settled, self.settle(facts))

    def with_facts(self, seen: Observation, **facts: Any) -> Observation:
        """The observation with more facts."""
        return replace(seen, facts={**seen.facts, **self.settle(facts)})

    def stopped(self, end: NotServed) -> Observation:
        """The observation that a server's refusal, or its silence, amounts to."""
        return self.seen(end.outcome, end.stage, end.reply)

    def settle(self, value: Any) -> Any:
        """The value with this stack's addresses and this probe's tokens under the names that both sides share."""
        if isinstance(value, str):
            for address, name in self._ground.places.items():
                value = re.sub(rf"(?<![\d.]){re.escape(address)}(?![\d]|\.\d)", f"<{name}>", value)
            for token in self._tokens:
                value = value.replace(token, "<token>")
            return value
        if isinstance(value, Mapping):
            return {str(self.settle(key)): self.settle(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.settle(inner) for inner in value]
        return value


async def eventually(condition: Callable[[], Awaitable[bool]], seconds: float = ARRIVAL_SECONDS) -> bool:
    """Whether a condition is met within `seconds`; it is looked at again and again, and once at the end."""
    loop = asyncio.get_running_loop()
    deadline, pause = loop.time() + seconds, 0.1
    while not await condition():
        left = deadline - loop.time()
        if left <= 0:
            return False
        await asyncio.sleep(min(pause, left))
        pause = min(pause * 2, 1.0)
    return True


def queue_id(reply: Reply) -> str:
    """The name that Postfix gave to a letter in its reply to DATA, or the empty string."""
    number = re.search(r"queued as (\w+)", reply.text)
    return number[1] if number else ""


def settled_srs(sender: str) -> str:
    """An envelope sender without the hash and the day that SRS puts in (Mailu core/admin, srslib): its form remains."""
    return re.sub(r"(?i)^(SRS[01][=+-])[^=@]+=[^=@]+=", r"\1<hash>=<day>=", sender)


async def until(condition: Callable[[], Awaitable[Value | None]], seconds: float, reason: str) -> Value:
    """The first value that `condition` gives; raises CannotAsk with `reason` when there is none after `seconds`."""
    pause = 0.05
    try:
        async with asyncio.timeout(seconds):
            while True:
                value = await condition()
                if value is not None:
                    return value
                await asyncio.sleep(pause)
                pause = min(pause * 2, 1.0)
    except TimeoutError:
        raise CannotAsk(f"{reason} within {seconds:g} s") from None
