"""The DNS server, on UDP and TCP (RFC 1035, RFC 7766), in the role of a validating resolver.

AD is set only when the question carried AD or DO (RFC 6840 section 5.8): Mailu's `admin` does not start without an
answer with AD to its question for `example.org` (core/admin/start.py, 1.9 to master), and nginx throws away answers
with an AD that it did not ask for. `dns_rules` has the exceptions, from other answers to none.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import asdict
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple, cast

from dnslib import (
    AAAA,
    CNAME,
    EDNS0,
    MX,
    NS,
    PTR,
    QTYPE,
    RCODE,
    RR,
    SOA,
    SRV,
    TLSA,
    TXT,
    A,
    DNSError,
    DNSRecord,
)

from .dns_rules import SERVFAIL, SILENCE, DnsRules
from .plan import PlanError, Record
from .zones import Zones, check_type, txt_chunks

log = logging.getLogger("world.dns")
_PLAIN_LIMIT = 512
_IDLE_SECONDS = 30.0
_NEGATIVE_SECONDS = 5
_MOST_LATE = 500
"""Answers over UDP that are to come later; what is beyond it gets none."""


class Reply(NamedTuple):
    """A message to send back, so many seconds later."""

    data: bytes
    delay: float = 0.0


def _mx(value: str) -> Any:
    preference, host = value.split()
    return MX(host, int(preference))


def _srv(value: str) -> Any:
    priority, weight, port, host = value.split()
    return SRV(int(priority), int(weight), int(port), host)


def _tlsa(value: str) -> Any:
    usage, selector, matching, data = value.split()
    return TLSA(int(usage), int(selector), int(matching), bytes.fromhex(data))


def _soa(value: str) -> Any:
    master, mailbox, *times = value.split()
    return SOA(master, mailbox, tuple(int(part) for part in times))


_DATA: Dict[str, Callable[[str], Any]] = {
    "A": A,
    "AAAA": AAAA,
    "CNAME": CNAME,
    "MX": _mx,
    "NS": NS,
    "PTR": PTR,
    "SOA": _soa,
    "SRV": _srv,
    "TLSA": _tlsa,
    "TXT": lambda value: TXT(txt_chunks(value)),
}


def resource(record: Record, owner: Any = None) -> Any:
    """The record as dnslib sends it; `owner` keeps the spelling of the question. Raises PlanError."""
    check_type(record, _DATA)
    try:
        data = _DATA[record.type](record.value)
    except (ValueError, DNSError) as error:
        raise PlanError(f"not the value of {record.type}: {record.value!r}") from error
    return RR(owner if owner is not None else record.name, getattr(QTYPE, record.type), ttl=record.ttl, rdata=data)


class Dns:
    """Answers questions from `zones`, by `rules`."""

    def __init__(self, zones: Zones, rules: Optional[DnsRules] = None) -> None:
        self.zones = zones
        self.rules = rules or DnsRules()
        self._transports: List[asyncio.BaseTransport] = []
        for record in zones.all():
            resource(record)

    async def start(self, addresses: Tuple[str, ...], port: int) -> int:
        """Serve on all addresses; the port that was bound (it matters when `port` is 0)."""
        loop = asyncio.get_running_loop()
        for address in addresses:
            server = await asyncio.start_server(self._stream, address, port)
            port = server.sockets[0].getsockname()[1]
            transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), local_addr=(address, port))
            self._transports.append(transport)
        return port

    def respond(self, data: bytes, client: str, *, udp: bool) -> Optional[Reply]:
        """The reply to one message, or None where none is due: nothing that is not a question gets one."""
        if len(data) < 12 or data[2] & 0x80:
            return None
        try:
            return self._reply(DNSRecord.parse(data), udp=udp)
        except Exception:
            # Whatever a stranger sent must not end the service; FORMERR (RFC 1035 section 4.1.1) is its answer.
            log.warning("unreadable question from %s: %s", client, data[:64].hex(), exc_info=log.isEnabledFor(10))
            return Reply(data[:2] + bytes((0x80 | (data[2] & 0x79), RCODE.FORMERR, 0, 0, 0, 0, 0, 0, 0, 0)))

    def _reply(self, request: Any, *, udp: bool) -> Optional[Reply]:
        reply = request.reply(ra=1, aa=0)
        edns = next((extra for extra in request.ar if extra.rtype == QTYPE.OPT), None)
        wants_ad = bool(request.header.get_ad()) or bool(edns and edns.edns_do)
        rule = None
        if request.header.opcode or len(request.questions) != 1:
            reply.header.rcode = RCODE.NOTIMP
        else:
            name, kind = _asked(request.q)
            rule = self.rules.find(name, kind)
            if rule is not None:
                rule.use("udp" if udp else "tcp")
                if rule.answer == SILENCE:
                    return None
            if rule is not None and rule.answer == SERVFAIL:
                reply.header.rcode = RCODE.SERVFAIL
            else:
                self._answer(reply, request.q, name, kind)
        is_secure = reply.header.rcode != RCODE.SERVFAIL and (rule is None or rule.signed)
        reply.header.set_ad(1 if wants_ad and is_secure else 0)
        if edns:
            reply.add_ar(EDNS0(flags="do" if edns.edns_do else "", udp_len=1232))
        packed: bytes = reply.pack()
        too_large = len(packed) > max(_PLAIN_LIMIT, min(edns.edns_len, 1232) if edns else 0)
        if udp and (too_large or (rule is not None and rule.tcp)):
            packed = _cut(reply).pack()
        return Reply(packed, rule.delay if rule is not None else 0.0)

    def _answer(self, reply: Any, question: Any, name: str, kind: str) -> None:
        found = self.zones.find(name, kind)
        reply.header.rcode = found.rcode
        for record in found.records:
            reply.add_answer(resource(record, question.qname if record.name == name else None))
        if found.rcode or not found.records:
            soa = SOA("ns.world.example", "hostmaster.world.example", (1, 3600, 600, 86400, _NEGATIVE_SECONDS))
            reply.add_auth(RR(found.zone, QTYPE.SOA, ttl=_NEGATIVE_SECONDS, rdata=soa))

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = writer.get_extra_info("peername")[0]
        try:
            while True:
                head = await asyncio.wait_for(reader.readexactly(2), _IDLE_SECONDS)
                data = await asyncio.wait_for(reader.readexactly(int.from_bytes(head, "big")), _IDLE_SECONDS)
                reply = self.respond(data, client, udp=False)
                if reply is None:
                    break
                await asyncio.sleep(reply.delay)
                writer.write(len(reply.data).to_bytes(2, "big") + reply.data)
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.TimeoutError, ConnectionError):
            pass
        finally:
            writer.close()

    def records(self) -> List[Dict[str, Any]]:
        """All records, as the control channel tells them."""
        return [asdict(record) for record in self.zones.all()]


def _cut(reply: Any) -> Any:
    """The reply without its records, and the flag TC (RFC 2181 section 9).

    dnslib's own `truncate` leaves out the question as well, and no client takes such a reply for its own.
    """
    options = [extra for extra in reply.ar if extra.rtype == QTYPE.OPT]
    cut = DNSRecord(reply.header, questions=reply.questions, ar=options)
    cut.header.tc = 1
    return cut


def _asked(question: Any) -> Tuple[str, str]:
    """The name, in lower case and without the last dot, and the type of a question."""
    return str(question.qname).rstrip(".").lower(), str(QTYPE.get(question.qtype, f"TYPE{question.qtype}"))


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, dns: Dns) -> None:
        self._dns = dns
        self._transport: Optional[asyncio.DatagramTransport] = None
        self._late = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not isinstance: the transport of Python 3.11.2 (Debian 12) and older is no subclass of DatagramTransport.
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        reply = self._dns.respond(data, addr[0], udp=True)
        if reply is None or self._transport is None:
            return
        if not reply.delay:
            self._transport.sendto(reply.data, addr)
        elif self._late < _MOST_LATE:
            self._late += 1
            asyncio.get_running_loop().call_later(reply.delay, self._send_late, reply.data, addr)

    def _send_late(self, data: bytes, addr: Any) -> None:
        self._late -= 1
        if self._transport is not None:
            self._transport.sendto(data, addr)
