"""The world from the plugin's side: the plan it is started with, and the client of its control channel."""

from __future__ import annotations

import asyncio
import base64
import email
import email.policy
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from email.message import EmailMessage
from typing import Any

from python_socks import ProxyError, ProxyType
from python_socks.async_.asyncio import Proxy

from pytest_mailu.core import population as people
from pytest_mailu.core.model import Vantage
from pytest_mailu.stack.world.certificates import Certificate, certificate
from pytest_mailu.stack.world.zones import RELAYED_HOST, DnsRecord, NetworkAddresses, records, txt_lookup, zones
from pytest_mailu.wire.transport.errors import CannotAsk

PROXY_PORT = 1080
"""Where the SOCKS proxy listens inside the container: the one port to publish, on 127.0.0.1."""
PORTS: Mapping[str, int] = {
    "dns": 53,
    "proxy": PROXY_PORT,
    "mx": 25,
    "relayed": 2526,
    "relay-plain": 2525,
    "relay-starttls": 587,
    "relay-tls": 465,
    "relay-insecure": 2587,
}
"""What listens inside the container; `listeners` says what each is."""
SERVICES = ("admin", "antispam", "imap", "redis", "resolver", "smtp", "webmail")
"""Names that the SOCKS proxy looks up in the engine's own DNS; only the vantage `inside` can reach them."""

_ANSWER_LIMIT = 1 << 30
"""Longest answer in bytes: a whole mailbox of large messages may come in one line."""


def listeners(address: str, ports: Mapping[str, int] = PORTS) -> list[dict[str, Any]]:
    """The mail servers of the world on one address. Names are what `Arrival.listener` says.

    `mx` takes mail for every domain; `relayed` is the next hop of the relayed domain; `relay-plain` a relay host
    without TLS and login; `relay-starttls`, `relay-tls` (implicit) and `relay-insecure` (no TLS) want the login of
    `population.RELAY_USER`.
    """
    kinds = {
        "mx": (people.MX_HOST, "starttls", "none"),
        "relayed": (RELAYED_HOST, "starttls", "none"),
        "relay-plain": (people.RELAY_HOST, "plain", "none"),
        "relay-starttls": (people.RELAY_HOST, "starttls", "required"),
        "relay-tls": (people.RELAY_HOST, "tls", "required"),
        "relay-insecure": (people.RELAY_HOST, "plain", "required"),
    }
    return [
        {"name": name, "addresses": [address], "port": ports[name], "hostname": host, "tls": tls, "auth": auth}
        for name, (host, tls, auth) in kinds.items()
    ]


def relayhost(listener: str, ports: Mapping[str, int] = PORTS) -> str:
    """Mailu's RELAYHOST for one of the listeners, by name and without MX look-up: `[relay.elsewhere.example]:587`."""
    return f"[{people.RELAY_HOST}]:{ports[listener]}"


def make_plan(
    places: Mapping[Vantage, NetworkAddresses],
    *,
    hostnames: Sequence[str] = (people.HOSTNAME,),
    domains: Sequence[str] = (people.DOMAIN, people.ALTERNATIVE),
    services: Mapping[str, str | None] | None = None,
    ports: Mapping[str, int] = PORTS,
    proxy_address: str = "0.0.0.0",
    extra: Iterable[DnsRecord] = (),
    scripts: Iterable[Mapping[str, Any]] = (),
    identity: Certificate | None = None,
    sealed: bool = False,
) -> dict[str, Any]:
    """The world's plan, ready for `json.dumps`.

    `services` maps a name to its address, or to None for the engine's DNS; `extra` records come on top of the zones;
    `sealed` makes it give up its machine's way out, so it is for a container of its own; `identity` is the certificate
    of all mail servers (default: one of this run's authority).
    """
    inside = str(places[Vantage.INSIDE].world)
    shown = identity or certificate(people.MX_HOST, people.RELAY_HOST, RELAYED_HOST)
    return {
        "places": {
            str(vantage): {"network": str(place.network), "address": str(place.client), "front": str(place.front)}
            for vantage, place in places.items()
        },
        "services": dict.fromkeys(SERVICES) if services is None else dict(services),
        "zones": list(zones(domains, hostnames)),
        "records": [asdict(record) for record in (*records(places, hostnames, domains), *extra)],
        "listeners": listeners(inside, ports),
        "users": {people.RELAY_USER: people.RELAY_PASSWORD},
        "certificate": shown.certificate,
        "key": shown.key,
        "dns": {"addresses": [inside], "port": ports["dns"]},
        "proxy": {"address": proxy_address, "port": ports["proxy"]},
        "scripts": [dict(script) for script in scripts],
        "sealed": sealed,
    }


@dataclass(frozen=True, slots=True)
class Recipient:
    """An address of the envelope with its parameters, such as `NOTIFY=NEVER`."""

    address: str
    params: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message that reached the world, or (`accepted` False) an attempt that the world turned away at `stage`.

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
class Query:
    """A question that one client asked the DNS `count` times; `first` and `last` are seconds since the epoch."""

    name: str
    type: str
    client: str
    count: int
    rcode: str
    first: float
    last: float


@dataclass(frozen=True, slots=True)
class World:
    """A running world. `proxy_port` is the published port of its SOCKS proxy on 127.0.0.1.

    Every method makes a connection of its own, so they may be called at the same time, and a world that was restarted
    is found again. All raise `CannotAsk` when the world does not answer or says no.
    """

    proxy_port: int
    host: str = "127.0.0.1"

    async def ready(self, wait: float = 20.0) -> None:
        """Return as soon as the world answers, at the latest after `wait` seconds with CannotAsk."""
        try:
            async with asyncio.timeout(wait):
                while not await self._answers():  # noqa: ASYNC110 - nothing announces a port that is not there yet
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise CannotAsk(f"the world did not answer on {self.host}:{self.proxy_port} within {wait:g} s") from None

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
        """What came in and fits every condition: at once when `count` fit, else what there is after `wait` seconds.

        `recipient` and `sender` are globs; `token` is looked for in the content and the addresses; `accepted` False
        asks for attempts that were turned away, None for both. With `wait` 0 it only looks.
        """
        conditions = {"message_id": message_id, "recipient": recipient, "sender": sender, "token": token}
        request = {"listener": listener, "accepted": accepted, "since": since, "count": count, "wait": wait}
        answer = await self._ask({"do": "arrivals", **conditions, **request}, wait)
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
        """Have the mail servers answer so at stage `mail`, `rcpt` or `data`; the rule's number, for `unscript`.

        Globs choose whom it meets (at `mail` only the sender is known). `times` None is for ever; `code` 0 keeps the
        usual answer, for a mere `delay` in seconds; 421 also hangs up.
        """
        rule = {"stage": stage, "recipient": recipient, "sender": sender, "listener": listener, "code": code}
        more = {"enhanced": enhanced, "text": text, "times": times, "delay": delay}
        return int((await self._ask({"do": "script", **rule, **more}))["id"])

    async def unscript(self, number: int) -> None:
        """Take a rule out of force; it may be gone already."""
        await self._ask({"do": "unscript", "id": number})

    async def queries(self, name: str = "*", type: str = "", client: str = "") -> list[Query]:
        """What the DNS was asked; `name` is a glob."""
        answer = await self._ask({"do": "queries", "name": name, "type": type, "client": client})
        return [Query(**document) for document in answer["queries"]]

    async def records(
        self, replace: Iterable[DnsRecord] = (), remove: Iterable[tuple[str, str]] = ()
    ) -> list[DnsRecord]:
        """All records, after `replace` took the place of those with the same names and types, and `remove` went."""
        fresh = [asdict(record) for record in replace]
        answer = await self._ask({"do": "records", "replace": fresh, "remove": [list(key) for key in remove]})
        return [DnsRecord(**document) for document in answer["records"]]

    async def txt(self, name: str) -> str | None:
        """The TXT record that the world serves for a name now."""
        return txt_lookup(await self.records())(name.rstrip(".").lower())

    async def forget(self, *what: str, token: str = "", recipient: str = "") -> int:
        """Drop `arrivals`, `scripts` or `queries` (default: all three); conditions are for arrivals; how many went."""
        request: dict[str, Any] = {"do": "forget", "token": token, "recipient": recipient}
        return int((await self._ask({**request, "what": list(what)} if what else request))["forgotten"])

    async def _answers(self) -> bool:
        try:
            await self.ping()
        except CannotAsk:
            return False
        return True

    async def _ask(self, request: Mapping[str, Any], wait: float = 0.0) -> dict[str, Any]:
        verb = request["do"]
        try:
            async with asyncio.timeout(wait + 15.0):
                line = await self._exchange(json.dumps(request).encode() + b"\n")
            answer = json.loads(line)
        except TimeoutError:
            raise CannotAsk(f"the world did not answer `{verb}` in time") from None
        except (OSError, ProxyError, ValueError) as error:
            raise CannotAsk(f"the world on {self.host}:{self.proxy_port} did not answer `{verb}`: {error!r}") from error
        if not isinstance(answer, dict) or not answer.pop("ok", False):
            raise CannotAsk(
                f"the world refused `{verb}`: {answer.get('error') if isinstance(answer, dict) else answer!r}"
            )
        return answer

    async def _exchange(self, line: bytes) -> bytes:
        proxy = Proxy(ProxyType.SOCKS5, self.host, self.proxy_port, username="control", password="-", rdns=True)  # noqa: S106
        sock = await proxy.connect(dest_host="control", dest_port=1)
        reader, writer = await asyncio.open_connection(sock=sock, limit=_ANSWER_LIMIT)
        try:
            writer.write(line)
            return await reader.readline()
        finally:
            writer.close()


__all__ = ["PORTS", "PROXY_PORT", "Arrival", "Query", "Recipient", "World", "listeners", "make_plan", "relayhost"]
