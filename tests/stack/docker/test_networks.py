"""Subnets: free ones, apart from each other, and addresses that are where they should be."""

from __future__ import annotations

import random
from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network

import pytest

from pytest_mailu.core.errors import StackError
from pytest_mailu.core.model import Vantage
from pytest_mailu.stack.docker.networks import (
    APART,
    EDGE_POOL,
    EDGE_POOL6,
    choose_layout,
    choose_layout6,
    engine_networks,
    engine_networks6,
)


def test_a_layout_overlaps_nothing_that_is_taken_and_not_itself() -> None:
    taken = [IPv4Network("198.18.0.0/16"), IPv4Network("10.0.0.0/9"), IPv4Network("172.17.0.0/16")]
    for seed in range(50):
        layout = choose_layout(taken, random.Random(seed))
        networks = layout.networks
        assert not any(a.overlaps(b) for a in networks for b in taken)
        assert not any(a.overlaps(b) for i, a in enumerate(networks) for b in networks[:i])


def test_strangers_come_from_addresses_that_are_not_private_and_not_in_the_same_24() -> None:
    layout = choose_layout([])
    edges = [layout.stranger.network, layout.other.network, layout.relaynet.network]
    assert all(edge.subnet_of(EDGE_POOL) and edge.prefixlen == 24 for edge in edges)
    assert len(set(edges)) == 3


def test_optional_services_have_private_networks_of_their_own() -> None:
    layout = choose_layout([])
    given = [IPv4Network(layout.variables()[f"MAILU_{name}_SUBNET"]) for name in APART]
    assert all(network.is_private and network.subnet_of(layout.apart) for network in given)
    assert not given[0].overlaps(given[1])
    assert not any(network.overlaps(layout.inside.network) for network in given)


def test_addresses_that_the_engine_gives_out_have_names_that_all_layouts_share() -> None:
    """1.9 resolves names at its start, so Rspamd's settings have an address of the antivirus that each run draws."""
    one, other = choose_layout([], rng=random.Random(1)), choose_layout([], rng=random.Random(2))
    assert one.drawn_hosts().keys().isdisjoint(other.drawn_hosts())
    assert list(one.drawn_hosts().values()) == list(other.drawn_hosts().values())
    named, variables = one.drawn_hosts(), one.variables()
    for name in APART:
        network = IPv4Network(variables[f"MAILU_{name}_SUBNET"])
        # The bridge has the first address, the service and its partner have the next two.
        assert {named[str(network[host])] for host in (1, 2, 3)} == {f"{name.lower()} network"}
    rest = IPv4Network(variables["MAILU_SUBNET_REST"])
    assert {named[str(rest[host])] for host in range(1, 9)} == {"optional service"}


def test_many_runs_side_by_side_find_room() -> None:
    taken: list[IPv4Network] = []
    for _ in range(100):
        layout = choose_layout(taken)
        assert not any(a.overlaps(b) for a in layout.networks for b in taken)
        taken += layout.networks


def test_without_room_the_message_says_what_to_do() -> None:
    with pytest.raises(StackError) as caught:
        choose_layout([IPv4Network("198.18.0.0/15")])
    assert "198.18.0.0/15" in caught.value.cause
    assert "--mailu-sweep" in caught.value.remedy
    assert not caught.value.own_doing


def test_one_free_edge_too_few_is_no_room() -> None:
    free = {IPv4Network("198.18.4.0/24"), IPv4Network("198.18.7.0/24"), IPv4Network("198.19.255.0/24")}
    taken = [network for network in EDGE_POOL.subnets(new_prefix=24) if network not in free]
    with pytest.raises(StackError):
        choose_layout(taken)
    layout = choose_layout([n for n in taken if n != IPv4Network("198.18.9.0/24")])
    assert {layout.stranger.network, layout.other.network, layout.relaynet.network, layout.outside} == {
        *free,
        IPv4Network("198.18.9.0/24"),
    }


def test_fixed_addresses_are_outside_the_range_that_the_engine_gives_out() -> None:
    layout = choose_layout([])
    rest = IPv4Network(layout.variables()["MAILU_SUBNET_REST"])
    fixed = [layout.service(name) for name in ("world", "front", "admin", "imap", "smtp", "antispam", "redis")]
    assert len(set(fixed)) == 7
    assert all(address in layout.inside.network and address not in rest for address in fixed)
    assert layout.segment(Vantage.RELAYNET).world in layout.relaynet.network
    assert layout.segment(Vantage.INSIDE).front == layout.service("front")


def test_the_default_gateway_outside_is_an_address_that_nobody_has() -> None:
    layout = choose_layout([])
    assert layout.no_gateway in layout.outside
    assert layout.no_gateway not in (layout.outside[0], layout.outside[1], layout.outside[-1])


def test_networks_of_the_engine_are_read_and_odd_ones_passed_over() -> None:
    answer = [
        {"Name": "bridge", "IPAM": {"Config": [{"Subnet": "172.17.0.0/16"}]}},
        {"Name": "host", "IPAM": {"Config": None}},
        {"Name": "none", "IPAM": {"Config": []}},
        {"Name": "six", "IPAM": {"Config": [{"Subnet": "fd00::/64"}, {"Subnet": "10.9.8.0/24"}]}},
        {"Name": "odd"},
    ]
    assert engine_networks(answer) == [IPv4Network("172.17.0.0/16"), IPv4Network("10.9.8.0/24")]


def test_subnets_of_ipv6_overlap_nothing_that_is_taken_and_not_themselves() -> None:
    taken = [IPv6Network("fd00::/9"), IPv6Network("2001:2::/49")]
    for seed in range(50):
        networks = choose_layout6(taken, random.Random(seed)).networks
        assert not any(a.overlaps(b) for a in networks for b in taken)
        assert not any(a.overlaps(b) for i, a in enumerate(networks) for b in networks[:i])
    assert len({choose_layout6([]).inside.network for _ in range(20)}) == 20


def test_strangers_of_ipv6_are_not_private_and_subnet6_is() -> None:
    six = choose_layout6([])
    edges = (six.stranger.network, six.other.network, six.relaynet.network)
    assert all(isinstance(edge, IPv6Network) and edge.subnet_of(EDGE_POOL6) for edge in edges)
    assert str(six.inside.network).startswith("fd")
    assert six.inside.network.prefixlen == 64


def test_without_room_for_ipv6_the_message_says_what_to_do() -> None:
    with pytest.raises(StackError) as caught:
        choose_layout6([IPv6Network("2001:2::/48")])
    assert "2001:2::/48" in caught.value.cause
    assert "--mailu-sweep" in caught.value.remedy


def test_vantages_of_ipv6_are_there_in_a_set_up_that_has_it_and_stand_in_networks_of_ipv6() -> None:
    layout = choose_layout([])
    assert not any(vantage.over_ipv6 for vantage in layout.vantages)
    with pytest.raises(KeyError):
        layout.segment(Vantage.STRANGER_IPV6)
    six = replace(layout, six=choose_layout6([]))
    assert set(six.vantages) == set(Vantage)
    assert all((six.segment(one).client.version == 6) == one.over_ipv6 for one in Vantage)
    assert six.segment(Vantage.NEIGHBOUR_IPV6).network == six.segment(Vantage.OTHER_STRANGER_IPV6).network
    assert six.segment(Vantage.NEIGHBOUR_IPV6).client != six.segment(Vantage.OTHER_STRANGER_IPV6).client


def test_the_engine_s_own_subnets_of_ipv6_are_known() -> None:
    known = [{"IPAM": {"Config": [{"Subnet": "10.1.0.0/24"}, {"Subnet": "fd12:3456::/64"}]}}, {"IPAM": None}]
    assert engine_networks6(known) == [IPv6Network("fd12:3456::/64")]
