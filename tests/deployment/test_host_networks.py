"""Networks that are in use on the machine: from the kernel's tables and the engine's lists alone."""

from __future__ import annotations

import io
import socket
import sys
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import docker
import pytest

from pytest_mailu.core.releases import Release
from pytest_mailu.deployment.checks.registry import check
from pytest_mailu.deployment.host import Host, Mounted, Taken
from pytest_mailu.deployment.reader import Sources, read_deployment
from pytest_mailu.running import host, host_networks
from pytest_mailu.running.host_networks import addresses_in_use, routes


def line(device: str, network: str, gateway: str, flags: int, mask: str) -> str:
    def word(text: str) -> str:
        return f"{int.from_bytes(socket.inet_aton(text), sys.byteorder):08X}"

    return f"{device}\t{word(network)}\t{word(gateway)}\t{flags:04X}\t0\t0\t0\t{word(mask)}\t0\t0\t0\n"


TABLE = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n" + "".join(
    [
        line("eth0", "0.0.0.0", "192.0.2.1", 3, "0.0.0.0"),
        line("eth0", "192.0.2.0", "0.0.0.0", 1, "255.255.255.0"),
        line("br-0123456789ab", "172.18.0.0", "0.0.0.0", 1, "255.255.0.0"),
        line("wg0", "10.0.0.0", "10.8.0.1", 3, "255.0.0.0"),
        line("*", "10.66.0.0", "0.0.0.0", 0x201, "255.255.0.0"),
        line("lo", "127.0.0.0", "0.0.0.0", 1, "255.0.0.0"),
        line("eth9", "198.51.100.0", "0.0.0.0", 0, "255.255.255.0"),
        "eth0\tXYZ\t0\t1\t0\t0\t0\t0\n",
        "eth0\n",
        "\x00" * 100 + "\n",
    ]
)
TABLE6 = "".join(
    f"{network} {length:02x} {'0' * 32} 00 {'0' * 32} 00000100 00000001 00000000 {flags:08x} {device:>8}\n"
    for network, length, flags, device in [
        ("fd000001000200030000000000000000", 64, 1, "eth1"),
        ("fd000001000200030000000000000007", 128, 0x80200001, "eth1"),
        ("fd000001000200030000000000000000", 128, 0x80300001, "eth1"),
        ("fe800000000000000000000000000000", 64, 1, "eth1"),
        ("ff000000000000000000000000000000", 8, 1, "eth1"),
        ("00000000000000000000000000000000", 0, 3, "eth1"),
        ("fd990000000000000000000000000000", 32, 0x203, "lo"),
        ("not-hexadecimal", 64, 1, "eth1"),
    ]
)


def test_routes_are_read_as_the_kernel_writes_them() -> None:
    assert routes(TABLE, TABLE6, frozenset({"br-0123456789ab"})) == (
        Taken("192.0.2.0/24", "the interface eth0"),
        Taken("10.0.0.0/8", "the interface wg0", gateway=True),
        Taken("fd00:1:2:3::/64", "the interface eth1"),
    )
    assert routes("", "") == ()
    assert len(routes("\n" + line("eth0", "192.0.2.0", "0.0.0.0", 1, "255.255.255.0") * 9000, "")) == 1


def engine_network(id_: str, name: str, *subnets: str, bridge: str = "") -> dict[str, Any]:
    options = {"com.docker.network.bridge.name": bridge} if bridge else {}
    return {"Id": id_, "Name": name, "Options": options, "IPAM": {"Config": [{"Subnet": each} for each in subnets]}}


def test_the_kernel_counts_only_where_it_shows_a_bridge_of_the_deployment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "route").write_text(TABLE)
    (tmp_path / "devices").mkdir()
    for name, value in (("ROUTES", "route"), ("ROUTES6", "none"), ("DEVICES", "devices")):
        monkeypatch.setattr(host_networks, name, tmp_path / value)
    ours = "0123456789abcdef"
    networks = [
        engine_network(ours, "mailu_default", "172.18.0.0/16"),
        engine_network("ffff", "bridge", "172.17.0.0/16", bridge="docker0"),
        {"Id": "1", "Name": "host", "Options": None, "IPAM": {"Config": None}},
        {},
    ]
    containers = [{"NetworkSettings": {"Networks": {"mailu_default": {"NetworkID": ""}}}}, {}]
    engine_alone = (Taken("172.17.0.0/16", "the engine's network bridge", engine=True),)
    assert addresses_in_use(containers, networks) == (("172.18.0.0/16",), engine_alone)
    (tmp_path / "devices" / "br-0123456789ab").touch()
    own, taken = addresses_in_use(containers, networks)
    assert own == ("172.18.0.0/16",)
    assert taken == (
        *engine_alone,
        Taken("192.0.2.0/24", "the interface eth0"),
        Taken("10.0.0.0/8", "the interface wg0", gateway=True),
    )


def found(folder: Path, machine: Host | None) -> dict[str, str]:
    deployment = read_deployment(Sources(folder))
    notes = check(deployment, Release.parse("2.0.43"), Release.parse("2024.06.24"), machine=machine)
    return {note.id.removeprefix("settings/"): note.write for note in notes if "/taken" in note.id}


def test_subnet_without_a_network_of_the_compose_file_is_looked_at_itself(tmp_path: Path) -> None:
    (tmp_path / "mailu.env").write_text("SUBNET=10.1.0.0/16\nSUBNET6=nonsense\n")
    other = Taken("10.1.2.0/24", "the interface eth0")
    assert found(tmp_path, Host(taken=(other,))) == {"env/SUBNET/taken": "SUBNET=192.168.203.0/24"}
    everything = (other, Taken("192.168.0.0/16", "x"), Taken("172.16.0.0/12", "x"))
    assert found(tmp_path, Host(taken=everything)) == {"env/SUBNET/taken": ""}
    assert found(tmp_path, Host(taken=(Taken("10.2.0.0/16", "x"), Taken("fd00::/8", "x"), Taken("?", "x")))) == {}
    assert found(tmp_path, None) == {}


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Path]:
    """A deployment with one container that Docker Compose could have made, and a network beside it."""
    client = docker.from_env()
    name = f"pytest-mailu-host-{uuid4().hex[:8]}"
    empty = io.BytesIO()
    with tarfile.open(fileobj=empty, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("empty"))
    made: list[Any] = []
    try:
        for number in (1, 2):
            pool = docker.types.IPAMPool(subnet=f"10.203.{number}.0/24")
            ipam = docker.types.IPAMConfig(pool_configs=[pool])
            made.append(client.networks.create(f"{name}-{number}", internal=True, ipam=ipam))
        client.api.import_image_from_data(empty.getvalue(), repository=name)
        labels = {
            host.WORKING_DIR: str(tmp_path),
            host_networks.PROJECT: "post",
            host.SERVICE: "imap",
            host.VERSION: "2.40.3",
        }
        volumes = {f"{name}-mail": {"bind": "/mail", "mode": "rw"}, str(tmp_path): {"bind": "/own", "mode": "ro"}}
        made.append(client.containers.create(name, "none", network=f"{name}-1", labels=labels, volumes=volumes))
        yield tmp_path
    finally:
        for thing in reversed(made):
            thing.remove()
        for remove, what in ((client.api.remove_image, name), (client.api.remove_volume, f"{name}-mail")):
            with suppress(docker.errors.NotFound):
                remove(what)
        client.close()


@pytest.mark.engine
def test_the_engine_tells_of_the_deployment_and_of_its_other_networks(running: Path) -> None:
    (running / "docker-compose.yml").write_text(
        "services: {imap: {image: a/dovecot:2.0, volumes: ['mail:/mail']}}\n"
        "volumes: {mail: {}}\n"
        "networks:\n"
        "  default: {ipam: {config: [{subnet: 10.203.1.0/24}]}}\n"
        "  more: {ipam: {config: [{subnet: 10.203.2.0/25}]}}\n"
    )
    machine = host.host_of(running)
    assert machine is not None
    assert (machine.project, machine.own, machine.compose) == ("post", ("10.203.1.0/24",), "2.40.3")
    assert Mounted("imap", "/own", str(running)) in machine.mounts
    # Stacks that run beside this test may have other networks in 10.203.0.0/16.
    assert {"10.203.1.0/24", "10.203.2.0/24"} & {entry.network for entry in machine.taken} == {"10.203.2.0/24"}
    assert any(not entry.engine for entry in machine.taken) == bool(
        [each for each in routes(host_networks.ROUTES.read_text(), "") if not each.by.startswith("the interface br-")]
    )
    assert list(found(running, machine)) == ["compose/network/more/taken"]
    deployment = read_deployment(Sources(running))
    notes = check(deployment, Release.parse("2.0.43"), Release.parse("2024.06.24"), machine=machine)
    (moved,) = [note for note in notes if note.id == "settings/compose/imap/data/mail"]
    assert moved.write.startswith("name: pytest-mailu-host-")
