"""Sending a message, and proving what became of it."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from pytest_mailu.core.endpoints import SMTP_25_OPPORTUNISTIC, Endpoint
from pytest_mailu.core.model import Facts, Observation, Outcome, Reply, Stage, Vantage
from pytest_mailu.core.population import ELSEWHERE, User
from pytest_mailu.probe.messages import Message, compose_message, header_names
from pytest_mailu.probe.observations import Observations
from pytest_mailu.probe.sessions import Sessions
from pytest_mailu.probe.waiting import ARRIVAL_SECONDS, eventually
from pytest_mailu.stack.world.control import Arrival

Value = TypeVar("Value")

SLOW_SECONDS = 30.0
"""How much longer to wait while Postfix is still delivering: slow is not deferred."""


class Mail:
    """Messages of one probe. `started` is when it began (seconds since the epoch)."""

    def __init__(self, sessions: Sessions, observations: Observations, started: float) -> None:
        self._sessions = sessions
        self._observations = observations
        self._started = started

    def since(self, moment: float) -> None:
        """What was sent since this moment, if it is an earlier one, belongs to the probe as well."""
        self._started = min(self._started, moment)

    def compose(self, *, signed: bool = True, **how: Any) -> Message:
        """A message as `messages.compose_message` makes it; with `signed` one from `ELSEWHERE` bears its signature."""
        message = compose_message(**how)
        self._observations.hide_token(message.token)
        self._sessions.transcript.message(message.message_id)
        if signed and message.message_id.endswith(f"@{ELSEWHERE}>"):
            message = message.signed()
        return message

    async def submit(self, message: Message, endpoint: Endpoint, user: User) -> Reply:
        """Log in as `user` and send, as a mail program does; the reply to DATA. Raises NotServed where that fails."""
        async with self._sessions.smtp(endpoint) as smtp:
            await smtp.login(user.address, user.password)
            return (await smtp.send(message.sender, message.recipients, message.content)).reply

    async def deliver(
        self,
        message: Message,
        endpoint: Endpoint = SMTP_25_OPPORTUNISTIC,
        vantage: Vantage = Vantage.STRANGER,
    ) -> Reply:
        """Send without a login, as another mail server does; the reply to DATA. Raises NotServed where that fails."""
        async with self._sessions.smtp(endpoint, vantage) as smtp:
            return (await smtp.send(message.sender, message.recipients, message.content)).reply

    async def at_world(self, message: Message, reply: Reply | None, *, wait: float = ARRIVAL_SECONDS) -> Observation:
        """What became of a message that has to arrive at a mail server of the world."""
        world = self._sessions.stack.world
        arrivals, entry = await self._awaited(
            message, reply, lambda seconds: world.arrivals(token=message.token, wait=seconds), wait
        )
        if not arrivals:
            return self._not_arrived(entry, reply)
        facts = arrival_facts(arrivals[0], message)
        return self._observations.seen(Outcome.DELIVERED, Stage.DELIVERY, reply, arrival=facts)

    async def in_mailbox(
        self,
        message: Message,
        user: User,
        reply: Reply | None,
        *,
        wait: float = ARRIVAL_SECONDS,
        headers: bool = False,
    ) -> Observation:
        """What became of a message that has to arrive in a mailbox: in which folder, and whether unaltered.

        `headers` adds their names and counts to the facts; every release adds its own.
        """
        return (await self.landed(message, user, reply, wait=wait, headers=headers))[0]

    async def landed(
        self,
        message: Message,
        user: User,
        reply: Reply | None,
        *,
        wait: float = ARRIVAL_SECONDS,
        headers: bool = False,
    ) -> tuple[Observation, bytes]:
        """The same together with the message as it lies in the mailbox; empty where it did not arrive."""
        async with self._sessions.mailbox(user) as mailbox:
            found, entry = await self._awaited(
                message, reply, lambda seconds: mailbox.wait_for_message(message.message_id, seconds), wait
            )
        if not found:
            return self._not_arrived(entry, reply), b""
        arrived = found[0]
        unaltered = arrived.content.partition(b"\r\n\r\n")[2] == message.body
        facts: dict[str, Any] = {
            "copies": len(found),
            "folder": arrived.folder,
            "flags": sorted(flag for flag in arrived.flags if flag != "\\Recent"),
        }
        if headers:
            facts["headers"] = header_names(arrived.content)
        outcome = Outcome.DELIVERED if unaltered else Outcome.ALTERED
        return self._observations.seen(outcome, Stage.DELIVERY, reply, **facts), arrived.content

    async def notification(self, message: Message, user: User, *, wait: float = 2 * ARRIVAL_SECONDS) -> bytes | None:
        """The delivery status notification about a message in a user's mailbox, or None after `wait` seconds.

        It is known by the message's token. Reads every message of the mailbox: for users with few other messages.
        """
        found: list[bytes] = []
        unread = {"INBOX": 1, "Junk": 1}
        async with self._sessions.mailbox(user) as mailbox:

            async def look() -> bool:
                for folder, first in unread.items():
                    await mailbox.select(folder, read_only=True)
                    # `*` is the newest message, even where it is older than `first` (RFC 9051 section 9, seq-range).
                    for uid, fetched in (await mailbox.fetch(f"{first}:*", "(UID BODY.PEEK[])")).items():
                        unread[folder] = max(unread[folder], uid + 1)
                        content = fetched.get("BODY[]") or b""
                        head = content.partition(b"\r\n\r\n")[0]
                        if message.token.encode() in content and message.message_id.encode() not in head:
                            found.append(content)
                return bool(found)

            await eventually(look, wait)
        return found[0] if found else None

    async def queue_entry(self, message: Message, reply: Reply | None) -> dict[str, Any] | None:
        """The entry of Postfix's queue (postqueue(1), -j) that holds the message, or None.

        It is known by the queue id in the reply to DATA where there is one, or else by sender and time.
        """
        number = queue_id(reply) if reply else ""
        listed = await self._sessions.stack.services.exec("smtp", "postqueue", "-j")
        for line in listed.output.splitlines():
            entry: dict[str, Any] = json.loads(line)
            ours = entry["sender"] == message.sender and entry["arrival_time"] >= self._started - 2
            if entry["queue_id"] == number if number else ours:
                return entry
        return None

    async def leaves_queue(self, message: Message, reply: Reply, *, wait: float = ARRIVAL_SECONDS) -> bool:
        """Whether a message leaves Postfix's queue within `wait` seconds: it was taken, or sent back."""

        async def gone() -> bool:
            return await self.queue_entry(message, reply) is None

        return await eventually(gone, wait)

    async def _awaited(
        self,
        message: Message,
        reply: Reply | None,
        look: Callable[[float], Awaitable[Sequence[Value]]],
        wait: float,
    ) -> tuple[Sequence[Value], dict[str, Any] | None]:
        """What `look` finds within `wait` seconds, or a while longer while Postfix is delivering the message.

        Together with its entry in the queue where nothing was found; None there as well means that it is lost.
        """
        found, entry = await look(wait), None
        if not found:
            entry = await self.queue_entry(message, reply)
        if wait and entry is not None and entry["queue_name"] in ("incoming", "active"):
            found = await look(SLOW_SECONDS)
            entry = None if found else await self.queue_entry(message, reply)
        if not found and entry is None:
            # It may have left the queue and arrived since the last look.
            found = await look(0.0)
        return found, entry

    def _not_arrived(self, entry: Mapping[str, Any] | None, reply: Reply | None) -> Observation:
        """Still in the queue is deferred, with the reason that Postfix gives (postqueue(1)); nowhere is lost."""
        if entry is None:
            return self._observations.seen(Outcome.LOST, Stage.DELIVERY, reply)
        reasons = [to.get("delay_reason", "") for to in entry["recipients"]]
        reason = Reply(text=next(filter(None, reasons), f"in the {entry['queue_name']} queue"))
        return self._observations.seen(Outcome.DEFERRED, Stage.DELIVERY, reason)


def arrival_facts(arrival: Arrival, message: Message) -> Facts:
    """What is compared of a message that arrived at the world."""
    content = arrival.content or b""
    return {
        "listener": arrival.listener,
        "tls": bool(arrival.tls),
        "login": arrival.user,
        "helo": arrival.helo,
        "sender": settled_srs(arrival.sender),
        "recipients": [recipient.address for recipient in arrival.recipients],
        "headers": header_names(content),
        "body_kept": content.partition(b"\r\n\r\n")[2] == message.body,
    }


def queue_id(reply: Reply) -> str:
    """The queue id that Postfix gave to a message in its reply to DATA, or the empty string."""
    number = re.search(r"queued as (\w+)", reply.text)
    return number[1] if number else ""


def settled_srs(sender: str) -> str:
    """An envelope sender without the hash and the day that SRS puts in (Mailu core/admin, srslib)."""
    return re.sub(r"(?i)^(SRS[01][=+-])[^=@]+=[^=@]+=", r"\1<hash>=<day>=", sender)
