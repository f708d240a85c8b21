"""The client of the world's control channel: what arrived at its mail servers, their replies, the DNS records."""

from __future__ import annotations

import asyncio
import base64
import email
import email.policy
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from email.message import EmailMessage
from typing import Any

from pytest_mailu.stack.world.zones import DnsRecord
from pytest_mailu.wire.transport.connector import SocksConnector
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed

_ANSWER_LIMIT = 1 << 28
"""Longest answer in bytes: a whole mailbox of large messages may come in one line."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """An address of the envelope with its parameters, such as `NOTIFY=NEVER`."""

    address: str
    params: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message that reached the world, or (`accepted` False) an attempt that the world refused at `stage`.

    `content` is byte for byte what came after DATA, without dot stuffing; None where there was no DATA. `tls` is the
    version or "", `user` the AUTH login or "", `sender` "" for the null sender, `time` seconds since the epoch.
    """

    id: int
    time: float
    listener: str
    peer: str
    helo: str
    tls: str
    cipher: str
    user: str
    sender: str
    sender_params: tuple[str, ...]
    recipients: tuple[Recipient, ...]
    stage: str
    reply: str
    accepted: bool
    content: bytes | None

    @property
    def message(self) -> EmailMessage:
        """The content, parsed."""
        return email.message_from_bytes(self.content or b"", policy=email.policy.default)

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Arrival:
        """From the control channel's JSON."""
        content = document["content"]
        return cls(
            **{
                **document,
                "sender_params": tuple(document["sender_params"]),
                "recipients": tuple(Recipient(to["address"], tuple(to["params"])) for to in document["recipients"]),
                "content": None if content is None else base64.b64decode(content),
            }
        )


@dataclass(frozen=True, slots=True)
class DepositedMessage:
    """A message in an account at the world. `reads` counts how often its text was sent, `there` says if it is left."""

    uid: int
    message_id: str
    flags: tuple[str, ...]
    reads: int
    there: bool


@dataclass(frozen=True, slots=True)
class Visit:
    """A session that named an account at the world; `accepted` where its login was right. `tls` is a version or ""."""

    listener: str
    tls: str
    accepted: bool
    commands: tuple[str, ...]
    ended: bool


@dataclass(frozen=True, slots=True)
class WorldAccount:
    """What is known of an account at the world: its folders, by the names on the wire, and who came for them.

    `ended` is how many sessions logged in and have ended.
    """

    folders: Mapping[str, tuple[DepositedMessage, ...]]
    visits: tuple[Visit, ...]
    ended: int

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> WorldAccount:
        """From the control channel's JSON."""
        return cls(
            {
                name: tuple(DepositedMessage(**{**found, "flags": tuple(found["flags"])}) for found in messages)
                for name, messages in document["folders"].items()
            },
            tuple(Visit(**{**visit, "commands": tuple(visit["commands"])}) for visit in document["visits"]),
            document["ended"],
        )


@dataclass(frozen=True, slots=True)
class World:
    """A running world, reached through its SOCKS proxy.

    Every method makes a connection of its own, so they may be called at the same time, and a world that was restarted
    is found again. All raise `CannotAsk` when the world does not answer or refuses.
    """

    proxy: SocksConnector

    async def ping(self) -> dict[str, Any]:
        """`last`: a mark for `arrivals(since=…)`; `ports`: what listens."""
        return await self._ask({"do": "ping"})

    async def arrivals(
        self,
        *,
        message_id: str = "",
        recipient: str = "",
        sender: str = "",
        token: str = "",
        listener: str = "",
        accepted: bool | None = True,
        since: int = 0,
        count: int = 1,
        wait: float = 10.0,
    ) -> list[Arrival]:
        """The arrivals that match every condition: at once when there are `count`, else after `wait` seconds.

        `recipient` and `sender` are globs; `token` is searched for in the content and the addresses; `accepted` False
        means attempts that were refused, None means both. With `wait` 0 it does not wait.
        """
        conditions = {"message_id": message_id, "recipient": recipient, "sender": sender, "token": token}
        request = {"listener": listener, "accepted": accepted, "since": since, "count": count, "wait": wait}
        answer = await self._ask({"do": "arrivals", **conditions, **request}, wait)
        if answer["dropped"] and not answer["complete"]:
            raise CannotAsk(f"the world's journal was full: {answer['dropped']} of the oldest messages are gone")
        return [Arrival.read(document) for document in answer["arrivals"]]

    async def script(
        self,
        stage: str,
        *,
        recipient: str = "*",
        sender: str = "*",
        listener: str = "",
        code: int = 0,
        enhanced: str = "",
        text: str = "by order of the test",
        times: int | None = None,
        delay: float = 0.0,
    ) -> int:
        """Sets the mail servers' reply at stage `mail`, `rcpt` or `data`. Returns the rule's number, for `unscript`.

        Globs choose the addresses that it applies to (at `mail` only the sender is known). `times` None means always;
        `code` 0 keeps the usual reply, for a `delay` in seconds only; 421 also closes the connection.
        """
        rule = {"stage": stage, "recipient": recipient, "sender": sender, "listener": listener, "code": code}
        more = {"enhanced": enhanced, "text": text, "times": times, "delay": delay}
        return int((await self._ask({"do": "script", **rule, **more}))["id"])

    async def unscript(self, number: int) -> None:
        """Removes a rule; it may be gone already."""
        await self._ask({"do": "unscript", "id": number})

    async def records(
        self, replace: Iterable[DnsRecord] = (), remove: Iterable[tuple[str, str]] = ()
    ) -> list[DnsRecord]:
        """Replaces records of the same name and type, and removes others by (name, type). Returns all records."""
        fresh = [asdict(record) for record in replace]
        answer = await self._ask({"do": "records", "replace": fresh, "remove": [list(key) for key in remove]})
        return [DnsRecord(**document) for document in answer["records"]]

    async def dns_rule(
        self,
        name: str,
        type: str = "",
        *,
        signed: bool = True,
        tcp: bool = False,
        delay: float = 0.0,
        answer: str = "",
        times: int | None = None,
    ) -> int:
        """Changes what the DNS answers to questions for `name` (a glob) and `type` (empty: all); the rule's number.

        Without `signed` there is no AD; `tcp` cuts answers over UDP; `delay` is in seconds; `answer` is `servfail` or
        `silence`; `times` None means always. Of several rules for a question, the oldest decides.
        """
        rule = {"name": name, "type": type, "signed": signed, "tcp": tcp, "delay": delay, "answer": answer}
        return int((await self._ask({"do": "dns_rule", **rule, "times": times}))["id"])

    async def dns_unrule(self, number: int) -> dict[str, int]:
        """Removes a rule, which may be gone already; how many answers it made, by `udp` and `tcp`."""
        uses: dict[str, int] = (await self._ask({"do": "dns_unrule", "id": number}))["uses"]
        return uses

    async def deposit(self, account: str, password: str, *messages: bytes, folder: str = "INBOX") -> None:
        """Puts messages into a folder of an account at the world, which is made where it is not there yet.

        `folder` is its name on the wire (modified UTF-7).
        """
        contents = [base64.b64encode(message).decode() for message in messages]
        names = {"account": account, "password": password, "folder": folder}
        await self._ask({"do": "deposit", **names, "messages": contents})

    async def account(self, name: str, *, ended: int = 0, wait: float = 0.0) -> WorldAccount:
        """What is known of an account: at once when `ended` sessions of it have ended, else after `wait` seconds."""
        answer = await self._ask({"do": "account", "account": name, "ended": ended, "wait": wait}, wait)
        return WorldAccount.read(answer)

    async def _ask(self, request: Mapping[str, Any], wait: float = 0.0) -> dict[str, Any]:
        verb = request["do"]
        try:
            async with asyncio.timeout(wait + 15.0):
                line = await self._exchange(json.dumps(request).encode() + b"\n")
            answer = json.loads(line)
        except TimeoutError:
            raise CannotAsk(f"the world did not answer `{verb}` in time") from None
        except (OSError, ValueError, NotServed) as error:
            raise CannotAsk(f"the world did not answer `{verb}`: {error!r}") from error
        if not isinstance(answer, dict) or not answer.pop("ok", False):
            raise CannotAsk(
                f"the world refused `{verb}`: {answer.get('error') if isinstance(answer, dict) else answer!r}"
            )
        return answer

    async def _exchange(self, line: bytes) -> bytes:
        connection = await self.proxy.connect_control()
        reader, writer = await asyncio.open_connection(sock=connection, limit=_ANSWER_LIMIT)
        try:
            writer.write(line)
            return await reader.readline()
        finally:
            writer.close()
