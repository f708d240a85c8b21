from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
from dnslib import EDNS0, QTYPE, RCODE, DNSRecord

from pytest_mailu.core import population as people
from pytest_mailu.core.model import Vantage
from pytest_mailu.stack.world.zones import DnsRecord


def ask(
    here: Any, name: str, kind: str, *, ad: bool = False, do: bool = False, tcp: bool = False, edns: int = 0
) -> Any:
    question = DNSRecord.question(name, kind)
    question.header.set_ad(1 if ad else 0)
    if do or edns:
        question.add_ar(EDNS0(flags="do" if do else "", udp_len=edns or 1232))
    return DNSRecord.parse(question.send(here.address, here.ports["dns"], tcp=tcp, timeout=10))


def values(reply: Any) -> list[str]:
    return [str(record.rdata) for record in reply.rr]


def test_a_mailu_domain_has_an_exchanger_and_that_has_the_address_of_front(here: Any, segments: Any) -> None:
    assert values(ask(here, people.DOMAIN, "MX")) == [f"10 {people.HOSTNAME}."]
    assert values(ask(here, people.HOSTNAME, "A")) == [str(segments[Vantage.STRANGER].front)]


@pytest.mark.parametrize("vantage", [one for one in Vantage if not one.over_ipv6])
def test_every_client_address_has_a_name_that_leads_back_to_it(here: Any, segments: Any, vantage: Vantage) -> None:
    address = segments[vantage].client
    [name] = values(ask(here, address.reverse_pointer, "PTR"))
    assert str(address) in values(ask(here, name, "A"))


def test_spf_names_the_stranger_and_for_the_forged_domain_nobody(here: Any, segments: Any) -> None:
    assert f"ip4:{segments[Vantage.STRANGER].client}" in values(ask(here, people.ELSEWHERE, "TXT"))[0]
    assert values(ask(here, people.FORGED, "TXT")) == ['"v=spf1 -all"']
    assert "p=reject" in values(ask(here, f"_dmarc.{people.FORGED}", "TXT"))[0]


@pytest.mark.parametrize(("ad", "do", "expected"), [(False, False, 0), (True, False, 1), (False, True, 1)])
def test_ad_is_set_only_for_those_who_asked(here: Any, ad: bool, do: bool, expected: int) -> None:
    reply = ask(here, "example.org", "A", ad=ad, do=do)
    assert reply.rr
    assert reply.header.get_ad() == expected


def test_a_known_name_without_such_data_gets_nodata_with_the_soa_of_its_zone(here: Any) -> None:
    reply = ask(here, people.HOSTNAME, "AAAA")
    assert (reply.header.rcode, reply.rr) == (RCODE.NOERROR, [])
    assert [str(record.rname) for record in reply.auth] == [f"{people.DOMAIN}."]
    assert reply.auth[0].rtype == QTYPE.SOA


def test_a_name_that_only_has_names_below_it_exists(here: Any) -> None:
    assert ask(here, f"_domainkey.{people.DOMAIN}", "TXT").header.rcode == RCODE.NOERROR


@pytest.mark.parametrize("name", ["2.0.0.127.zen.spamhaus.example", "some.stats.mailu.io", "no-such.post.example", "x"])
def test_unknown_names_do_not_exist_and_that_is_said_at_once(here: Any, name: str) -> None:
    reply = ask(here, name, "A", do=True)
    assert (reply.header.rcode, reply.rr) == (RCODE.NXDOMAIN, [])
    assert reply.header.get_ad() == 1


def test_the_root_answers_the_dnssec_probe_of_postfix(here: Any) -> None:
    reply = ask(here, ".", "NS", do=True)
    assert reply.rr
    assert reply.header.get_ad() == 1


def test_long_answers_are_cut_on_udp_and_whole_on_tcp(here: Any) -> None:
    long = DnsRecord("long.world.example", "TXT", "x" * 2000)
    asyncio.run(here.world.records([long]))
    short = ask(here, long.name, "TXT")
    assert (short.header.tc, short.rr) == (1, [])
    assert b"".join(ask(here, long.name, "TXT", tcp=True).rr[0].rdata.data) == b"x" * 2000


def test_a_dkim_key_fits_an_answer_with_edns(here: Any) -> None:
    reply = ask(here, f"dkim._domainkey.{people.DOMAIN}", "TXT", edns=1232)
    assert reply.header.tc == 0
    assert b"".join(reply.rr[0].rdata.data).startswith(b"v=DKIM1; k=rsa; p=")


def test_upper_case_questions_get_the_same_answer(here: Any) -> None:
    reply = ask(here, "MAIL.Post.Example", "A")
    assert len(reply.rr) == 1
    assert str(reply.rr[0].rname) == "MAIL.Post.Example."


def test_aliases_are_followed(here: Any, segments: Any) -> None:
    asyncio.run(here.world.records([DnsRecord("alias.world.example", "CNAME", people.MX_HOST)]))
    reply = ask(here, "alias.world.example", "A")
    assert values(reply) == [f"{people.MX_HOST}.", here.address]


def test_records_can_be_replaced_and_removed_while_it_runs(here: Any) -> None:
    record = DnsRecord("changing.world.example", "A", "127.0.54.77")
    asyncio.run(here.world.records([record]))
    assert values(ask(here, record.name, "A")) == ["127.0.54.77"]
    asyncio.run(here.world.records(remove=[(record.name, "A")]))
    assert ask(here, record.name, "A").header.rcode == RCODE.NXDOMAIN


def test_rubbish_gets_formerr_or_nothing_and_the_service_goes_on(here: Any) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(10)
        sock.connect((here.address, here.ports["dns"]))
        sock.send(b"short")
        sock.send(bytes(2) + b"\x80" + bytes(20))  # a reply, not a question: answering it could make a loop
        sock.send(b"\x12\x34\x01\x00" + b"\xff" * 30)
        answer = sock.recv(512)
    assert answer[:2] == b"\x12\x34"
    assert answer[3] & 15 == RCODE.FORMERR
    assert ask(here, "example.com", "A").rr
