"""What the world's DNS answers otherwise, asked over UDP and TCP of a real one."""

from __future__ import annotations

import asyncio
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from dnslib import QTYPE, RCODE, DNSRecord

from pytest_mailu.stack.world.next_hops import DANE_HOSTS
from pytest_mailu.stack.world.zones import DnsRecord
from pytest_mailu.wire.transport.errors import CannotAsk
from pytest_mailu.worldapp import dns as dns_module
from pytest_mailu.worldapp import dns_rules as rules_module
from pytest_mailu.worldapp.dns_rules import DnsRules
from pytest_mailu.worldapp.plan import PlanError
from tests.worldapp.test_dns import ask, values


@pytest.fixture
def domain(here: Any) -> str:
    """A domain of one's own with an exchanger."""
    name = f"{secrets.token_hex(4)}.elsewhere.example"
    asyncio.run(here.world.records([DnsRecord(name, "MX", "10 mx.elsewhere.example")]))
    return name


@contextmanager
def ruled(here: Any, name: str, kind: str = "", **how: Any) -> Iterator[dict[str, int]]:
    """A rule for a while; what is yielded holds its uses afterwards."""
    uses: dict[str, int] = {}
    number = asyncio.run(here.world.dns_rule(name, kind, **how))
    try:
        yield uses
    finally:
        uses |= asyncio.run(here.world.dns_unrule(number))


def test_an_unsigned_zone_is_answered_without_ad_also_where_it_was_asked_for(here: Any, domain: str) -> None:
    with ruled(here, f"*{domain}", signed=False):
        reply = ask(here, domain, "MX", ad=True, do=True)
        missing = ask(here, f"missing.{domain}", "A", ad=True)
    assert (values(reply), reply.header.get_ad()) == (["10 mx.elsewhere.example."], 0)
    assert (missing.header.rcode, missing.header.get_ad()) == (RCODE.NXDOMAIN, 0)
    assert ask(here, domain, "MX", ad=True).header.get_ad() == 1


def test_an_answer_by_tcp_alone_is_cut_on_udp_whatever_the_client_takes(here: Any, domain: str) -> None:
    with ruled(here, domain, tcp=True) as uses:
        cut = ask(here, domain, "MX", edns=1232)
        whole = ask(here, domain, "MX", tcp=True)
    assert (cut.header.tc, cut.rr) == (1, [])
    assert [str(question.qname) for question in cut.questions] == [f"{domain}."]
    assert [extra.rtype for extra in cut.ar] == [QTYPE.OPT]
    assert (whole.header.tc, values(whole)) == (0, ["10 mx.elsewhere.example."])
    assert uses == {"udp": 1, "tcp": 1}


def test_many_exchangers_need_tcp_by_their_size(here: Any, domain: str) -> None:
    names = [f"{'x' * 60}.{number}.{domain}" for number in range(40)]
    asyncio.run(here.world.records([DnsRecord(domain, "MX", f"10 {name}") for name in names]))
    assert ask(here, domain, "MX", edns=1232).header.tc == 1
    assert len(ask(here, domain, "MX", tcp=True).rr) == 40


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_a_late_answer_holds_nobody_else_up(here: Any, domain: str, tcp: bool) -> None:
    with ruled(here, domain, delay=1.0):
        began = time.monotonic()
        late: list[Any] = []
        asking = threading.Thread(target=lambda: late.append(ask(here, domain, "MX", tcp=tcp)))
        asking.start()
        ask(here, "example.org", "A")
        meanwhile = not late
        asking.join(10)
        took = time.monotonic() - began
    assert meanwhile
    assert values(late[0]) == ["10 mx.elsewhere.example."]
    assert took >= 1.0


def test_servfail_once_then_the_answer(here: Any, domain: str) -> None:
    with ruled(here, domain, answer="servfail", times=1):
        first, second = (ask(here, domain, "MX", ad=True) for _ in range(2))
    assert (first.header.rcode, first.rr, first.header.get_ad()) == (RCODE.SERVFAIL, [], 0)
    assert (second.header.rcode, len(second.rr)) == (RCODE.NOERROR, 1)


def test_a_question_that_is_never_answered_and_the_next_one_is(here: Any, domain: str) -> None:
    with (
        ruled(here, domain, answer="silence", times=1) as uses,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
    ):
        sock.settimeout(10)
        sock.connect((here.address, here.ports["dns"]))
        first, second = DNSRecord.question(domain, "MX"), DNSRecord.question(domain, "MX")
        sock.send(first.pack())
        sock.send(second.pack())
        assert DNSRecord.parse(sock.recv(512)).header.id == second.header.id
    assert uses == {"udp": 1}


def test_a_rule_is_for_its_name_and_type(here: Any, domain: str) -> None:
    with ruled(here, f"*{domain}", "tlsa", answer="servfail"):
        assert ask(here, f"_25._tcp.{domain}", "TLSA").header.rcode == RCODE.SERVFAIL
        assert ask(here, domain.upper(), "MX").rr
        assert ask(here, "example.org", "A").rr


def test_hosts_with_dane_have_tlsa_records_and_an_unsigned_one_no_ad(here: Any) -> None:
    for host in DANE_HOSTS.values():
        reply = ask(here, f"_25._tcp.{host.name}", "TLSA", do=True)
        assert [QTYPE[record.rtype] for record in reply.rr] == ["TLSA"] * len(host.usages)
        assert reply.header.get_ad() == host.signed
        assert ask(here, host.name, "A", do=True).header.get_ad() == host.signed


@pytest.mark.parametrize(
    "how",
    [
        {"name": "", "type": "A"},
        {"name": "x" * 256},
        {"name": "*", "delay": -1.0},
        {"name": "*", "delay": 31.0},
        {"name": "*", "answer": "teatime"},
    ],
    ids=str,
)
def test_rules_that_make_no_sense_are_refused(here: Any, how: dict[str, Any]) -> None:
    with pytest.raises(CannotAsk, match="refused `dns_rule`"):
        asyncio.run(here.world.dns_rule(**how))
    assert ask(here, "example.org", "A").rr


def test_a_rule_that_is_gone_may_be_removed_again(here: Any) -> None:
    assert asyncio.run(here.world.dns_unrule(10**9)) == {}


@pytest.mark.parametrize("value", ["3 1 1", "3 1 1 xyz", "one 1 1 ab"])
def test_a_record_that_is_no_tlsa_record_is_refused(here: Any, value: str) -> None:
    with pytest.raises(CannotAsk, match="TLSA"):
        asyncio.run(here.world.records([DnsRecord("_25._tcp.x.example", "TLSA", value)]))


def test_there_is_an_end_to_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules_module, "_MOST_RULES", 2)
    rules = DnsRules([{"name": "a"}, {"name": "b"}])
    with pytest.raises(PlanError, match="2 rules already"):
        rules.add({"name": "c"})


def test_there_is_an_end_to_answers_that_are_to_come_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns_module, "_MOST_LATE", 2)
    sent: list[bytes] = []

    class Transport(asyncio.DatagramTransport):
        def sendto(self, data: Any, addr: Any = None) -> None:
            sent.append(bytes(data))

    async def flood() -> None:
        zones = dns_module.Zones((), ())
        server = dns_module._Datagrams(dns_module.Dns(zones, DnsRules([{"name": "*", "delay": 0.01}])))
        server.connection_made(Transport())
        for _ in range(5):
            server.datagram_received(DNSRecord.question("x.example").pack(), ("192.0.2.1", 53))
        while len(sent) < 2:
            await asyncio.sleep(0.01)
        server.datagram_received(DNSRecord.question("x.example").pack(), ("192.0.2.1", 53))
        while len(sent) < 3:
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(flood(), 10))
    assert len(sent) == 3
