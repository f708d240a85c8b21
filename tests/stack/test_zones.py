"""The world's DNS records of IPv6: there in a set-up that has it, and consistent in both directions."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

from pytest_mailu.core.model import Vantage
from pytest_mailu.core.population import ELSEWHERE, HOSTNAME
from pytest_mailu.stack.docker.networks import Layout, choose_layout, choose_layout6
from pytest_mailu.stack.world.zones import DnsRecord, records


def made(layout: Layout) -> tuple[DnsRecord, ...]:
    return records({vantage: layout.segment(vantage) for vantage in layout.vantages})


def test_without_ipv6_there_is_no_record_of_it() -> None:
    found = made(choose_layout([]))
    assert not [record for record in found if record.type == "AAAA" or "ip6" in record.value]


def test_each_address_of_ipv6_has_a_name_that_leads_back_to_it() -> None:
    layout = replace(choose_layout([]), six=choose_layout6([]))
    found = made(layout)
    for vantage in layout.vantages:
        client = layout.segment(vantage).client
        (name,) = [one.value for one in found if one.type == "PTR" and one.name == client.reverse_pointer]
        kind = "AAAA" if vantage.over_ipv6 else "A"
        assert str(client) in [one.value for one in found if (one.name, one.type) == (name, kind)]


def test_mailu_s_host_name_leads_to_front_in_both_families_and_spf_names_strangers_of_both() -> None:
    layout = replace(choose_layout([]), six=choose_layout6([]))
    found = made(layout)
    addresses = {ip_address(one.value) for one in found if one.name == HOSTNAME and one.type in ("A", "AAAA")}
    assert addresses == {layout.segment(one).front for one in (Vantage.STRANGER, Vantage.STRANGER_IPV6)}
    (spf,) = [one.value for one in found if (one.name, one.type) == (ELSEWHERE, "TXT")]
    assert f"ip4:{layout.segment(Vantage.STRANGER).client}" in spf.split()
    assert f"ip6:{layout.segment(Vantage.STRANGER_IPV6).client}" in spf.split()
