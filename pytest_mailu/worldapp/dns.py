"""The DNS server, on UDP and TCP (RFC 1035, RFC 7766), in the role of a validating resolver.

AD is set only when the question carried AD or DO (RFC 6840 section 5.8): Mailu's `admin` does not start without an
answer with AD to its question for `example.org` (core/admin/start.py, 1.9 to master), and nginx throws away answers
with an AD that it did not ask for.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import asdict
from typing import Any, Callable, Dict, List, Optional, Tuple, cast

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
    TXT,
    A,
    DNSError,
    DNSRecord,
)

from .plan import PlanError, Record
from .zones import Zones, check_type, txt_chunks

log = logging.getLogger("world.dns")
_PLAIN_LIMIT = 512
_IDLE_SECONDS = 30.0
_NEGATIVE_SECONDS = 5
_MOST_QUERIES = 20_000
"""Questions that are remembered; then the oldest go."""


def _mx(value: str) -> Any:
    preference, host = value.split()
    return MX(host, int(preference))


def _srv(value: str) -> Any:
    priority, weight, port, host = value.split()
    return SRV(int(priority), int(weight), int(port), host)


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
    """Answers questions from `zones`."""

    def __init__(self, zones: Zones) -> None:
        self.zones = zones
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

    def respond(self, data: bytes, client: str, *, udp: bool) -> Optional[bytes]:
        """The reply to one message, or None where none is due: nothing that is not a question gets one."""
        if len(data) < 12 or data[2] & 0x80:
            return None
        try:
            request = DNSRecord.parse(data)
            return self._reply(request, client, udp=udp)
        except Exception:
            # Whatever a stranger sent must not end the service; FORMERR (RFC 1035 section 4.1.1) is its answer.
            log.warning("unreadable question from %s: %s", client, data[:64].hex(), exc_info=log.isEnabledFor(10))
            return data[:2] + bytes((0x80 | (data[2] & 0x79), RCODE.FORMERR, 0, 0, 0, 0, 0, 0, 0, 0))

    def _reply(self, request: Any, client: str, *, udp: bool) -> bytes:
        reply = request.reply(ra=1, aa=0)
        edns = next((extra for extra in request.ar if extra.rtype == QTYPE.OPT), None)
        wants_ad = bool(request.header.get_ad()) or bool(edns and edns.edns_do)
        reply.header.set_ad(1 if wants_ad else 0)
        if request.header.opcode or len(request.questions) != 1:
            reply.header.rcode = RCODE.NOTIMP
        else:
            self._answer(reply, request.q, client)
        if edns:
            reply.add_ar(EDNS0(flags="do" if edns.edns_do else "", udp_len=1232))
        packed: bytes = reply.pack()
        if udp and len(packed) > max(_PLAIN_LIMIT, min(edns.edns_len, 1232) if edns else 0):
            packed = reply.truncate().pack()
        return packed

    def _answer(self, reply: Any, question: Any, client: str) -> None:
        name = str(question.qname).rstrip(".").lower()
        kind = str(QTYPE.get(question.qtype, f"TYPE{question.qtype}"))
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
                writer.write(len(reply).to_bytes(2, "big") + reply)
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.TimeoutError, ConnectionError):
            pass
        finally:
            writer.close()

    def records(self) -> List[Dict[str, Any]]:
        """All records, as the control channel tells them."""
        return [asdict(record) for record in self.zones.all()]


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, dns: Dns) -> None:
        self._dns = dns
        self._transport: Optional[asyncio.DatagramTransport] = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not isinstance: the transport of Python 3.11.2 (Debian 12) and older is no subclass of DatagramTransport.
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        reply = self._dns.respond(data, addr[0], udp=True)
        if reply is not None and self._transport is not None:
            self._transport.sendto(reply, addr)
