"""Every packet on this machine is captured during a whole comparison: none of a stack goes to this machine or another.

Needs the right to open a packet socket (CAP_NET_RAW on this machine); without it, the test is skipped.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from pytest_mailu.behaviours import built_in
from pytest_mailu.core.globs import any_of
from pytest_mailu.stack.docker.engine import Engine
from pytest_mailu.stack.docker.labels import OWNER, RUN, Owner
from tests.lab import trial
from tests.lab.build import build

pytestmark = [pytest.mark.engine, pytest.mark.long]

IPV4 = 0x0800
ALL = 0x0003
WHOLE = bool(os.environ.get("LAB_WHOLE"))
"""Also what only --mailu-deep asks, with `LAB_WHOLE=1`: six more changes of settings. CI takes a usual run."""
SENDING = ("surface/*/served", "access/*/login", "submission/*/external", "relay/*", "inbound/25/*")
ASKED = [each.id for each in built_in() if any_of(SENDING, each.id) and (WHOLE or not each.deep)]


@contextmanager
def captured() -> Iterator[set[tuple[IPv4Address, IPv4Address]]]:
    """Source and destination of every IPv4 packet on every interface, while the block runs."""
    try:
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ALL))
    except (PermissionError, AttributeError):
        pytest.skip("capturing packets needs CAP_NET_RAW, and Linux")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 20)
    sock.settimeout(0.5)
    pairs: set[tuple[bytes, bytes]] = set()
    found: set[tuple[IPv4Address, IPv4Address]] = set()
    end = threading.Event()

    def listen() -> None:
        while not end.is_set():
            try:
                packet, origin = sock.recvfrom(64)
            except TimeoutError:
                continue
            if origin[1] == IPV4:
                pairs.add((packet[12:16], packet[16:20]))

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        yield found
    finally:
        end.set()
        thread.join()
        sock.close()
        found |= {(IPv4Address(source), IPv4Address(destination)) for source, destination in pairs}


def networks_since(engine: Engine, before: frozenset[str]) -> tuple[list[IPv4Network], list[IPv4Network]]:
    """The subnets of this process's networks that were not there before: the internal ones, and those called outside.

    Docker 20.10 may have kept an empty network of an earlier test of this process (see `sweep.Removed`).
    """
    own = Owner.me().write()
    internal, outside = [], []
    for network in engine.networks_now(RUN):
        if network["Labels"].get(OWNER) == own and network["Id"] not in before:
            subnet = IPv4Network(network["IPAM"]["Config"][0]["Subnet"])
            (internal if network["Internal"] else outside).append(subnet)
    return internal, outside


def test_no_packet_leaves_the_networks_of_a_run(tmp_path: Path) -> None:
    build()
    engine = Engine.connect()
    before = frozenset(str(network["Id"]) for network in engine.networks_now())
    seen: list[tuple[list[IPv4Network], list[IPv4Network]]] = []
    with captured() as packets:
        trial.compare(
            tmp_path, "2.0", "2024.06", only=ASKED, disturb=lambda: seen.append(networks_since(engine, before))
        )
    internal, outside = seen[0]
    assert (len(internal), len(outside)) == (8, 2)
    inside = {pair for pair in packets if any(pair[0] in subnet for subnet in internal)}
    assert len(inside) > 10, "nothing was captured"
    astray = [
        (source, destination)
        for source, destination in packets
        for subnet in internal
        if (source in subnet or destination in subnet) and not (source in subnet and destination in subnet)
    ]
    assert astray == []
    gates = {subnet: subnet[1] for subnet in outside}
    beyond = [
        (source, destination)
        for source, destination in packets
        for subnet, gate in gates.items()
        if source in subnet and source != gate and destination != gate
    ]
    assert beyond == []
