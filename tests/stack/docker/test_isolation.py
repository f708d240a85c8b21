"""Nothing is started that could reach another machine or this one: only what is on a list passes."""

from __future__ import annotations

from typing import Any

import pytest
from packaging.version import Version

from pytest_mailu.core.errors import StackError
from pytest_mailu.stack.docker.isolation import OUTSIDE_OPTIONS, check_sealed, seal_options

DNS = "10.5.5.10"
NO_ADDRESS = {"com.docker.network.bridge.inhibit_ipv4": "true"}


def network(name: str, **more: Any) -> dict[str, Any]:
    """As the engine describes an internal network of ours."""
    return {
        "Name": f"p_{name}",
        "Scope": "local",
        "Driver": "bridge",
        "EnableIPv6": False,
        "IPAM": {"Driver": "default", "Config": [{"Subnet": "198.18.4.0/24"}]},
        "Internal": True,
        "Attachable": False,
        "Ingress": False,
        "ConfigOnly": False,
        "Options": NO_ADDRESS,
        **more,
    }


def outside(**more: Any) -> dict[str, Any]:
    pool = {"Subnet": "198.18.5.0/24", "AuxiliaryAddresses": {"DefaultGatewayIPv4": "198.18.5.254"}}
    ours = {"Internal": False, "Options": dict(OUTSIDE_OPTIONS), "IPAM": {"Config": [pool]}}
    return network("outside", **{**ours, **more})


NETWORKS = [network("default"), network("edge-stranger"), outside()]
VOLUMES = [{"Name": "p_data", "Driver": "local", "Options": None}, {"Name": "p_world", "Driver": "local"}]


def container(*networks: str, config: dict[str, Any] | None = None, **host: Any) -> dict[str, Any]:
    """As the engine describes a container of ours that was created and not started (20.10.24)."""
    usual = {
        "Binds": ["p_data:/data:rw"],
        "ContainerIDFile": "",
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "100m", "max-file": "1"}},
        "NetworkMode": "p_default",
        "PortBindings": {},
        "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
        "AutoRemove": False,
        "VolumeDriver": "",
        "VolumesFrom": None,
        "ConsoleSize": [0, 0],
        "CapAdd": None,
        "CapDrop": ["NET_RAW", "MKNOD"],
        "CgroupnsMode": "host",
        "Dns": [DNS],
        "DnsOptions": None,
        "DnsSearch": ["."],
        "ExtraHosts": [],
        "GroupAdd": None,
        "IpcMode": "private",
        "Cgroup": "",
        "Links": None,
        "OomScoreAdj": 0,
        "PidMode": "",
        "Privileged": False,
        "PublishAllPorts": False,
        "ReadonlyRootfs": False,
        "SecurityOpt": None,
        "UTSMode": "",
        "UsernsMode": "",
        "ShmSize": 67108864,
        "Runtime": "runc",
        "Isolation": "",
        "Memory": 3221225472,
        "CgroupParent": "",
        "BlkioWeight": 0,
        "BlkioDeviceReadBps": None,
        "Devices": None,
        "DeviceCgroupRules": None,
        "DeviceRequests": None,
        "OomKillDisable": False,
        "PidsLimit": 2000,
        "Ulimits": None,
        "MaskedPaths": ["/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/timer_list"],
        "ReadonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
    }
    return {
        "Config": {"User": "", "Image": "x", **(config or {})},
        "HostConfig": {**usual, **host},
        "Mounts": [{"Type": "volume", "Name": "p_data", "Driver": "local", "Source": "/x", "Destination": "/data"}],
        "NetworkSettings": {"Networks": {f"p_{name}": {"DriverOpts": None, "Links": None} for name in networks}},
    }


def world(**host: Any) -> dict[str, Any]:
    rights = {"CapDrop": ["ALL"], "SecurityOpt": ["no-new-privileges:true"], "ReadonlyRootfs": True}
    more = {
        "Binds": ["p_world:/world:rw"],
        "Tmpfs": {"/data": "", "/dkim": ""},
        "Sysctls": {"net.ipv4.ip_unprivileged_port_start": "0"},
        "PortBindings": {"1080/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]},
    }
    return container(
        "default", "edge-stranger", "outside", config={"User": "65534:65534"}, **{**rights, **more, **host}
    )


def sealed() -> dict[str, dict[str, Any]]:
    return {
        "admin": container("default"),
        "front": container("default", "edge-stranger"),
        "world": world(),
    }


def check(
    containers: dict[str, dict[str, Any]],
    networks: list[dict[str, Any]] = NETWORKS,
    volumes: list[dict[str, Any]] = VOLUMES,
) -> None:
    check_sealed(containers, networks, volumes, "p", DNS)


def test_a_sealed_stack_passes() -> None:
    check(sealed())


def mounted(**mount: Any) -> dict[str, Any]:
    return {**container("default"), "Mounts": [{"Driver": "local", "Destination": "/x", **mount}]}


HOSTILE: dict[str, tuple[str, dict[str, Any], str]] = {
    "network outside": ("front", container("default", "outside"), "p_outside"),
    "network of others": ("front", container("default", "../bridge"), "bridge"),
    "no network": ("smtp", container(), "no network"),
    "network mode host": ("smtp", container("default", NetworkMode="host"), "'host'"),
    "network mode none": ("smtp", container("default", NetworkMode="none"), "'none'"),
    "network of a container": ("smtp", container("default", NetworkMode="container:abc"), "container:abc"),
    "network mode outside": ("smtp", container("default", NetworkMode="p_outside"), "p_outside"),
    "published port": ("front", container("default", PortBindings={"25/tcp": [{"HostIp": "127.0.0.1"}]}), "25/tcp"),
    "published without address": ("front", container("default", PortBindings={"25/tcp": None}), "25/tcp"),
    "all ports published": ("front", container("default", PublishAllPorts=True), "PublishAllPorts"),
    "world on all addresses": ("world", world(PortBindings={"1080/tcp": [{"HostIp": "0.0.0.0"}]}), "0.0.0.0"),
    "world on no address": ("world", world(PortBindings={"1080/tcp": [{"HostIp": ""}]}), "all addresses"),
    "world with capabilities": ("world", world(CapAdd=["NET_ADMIN"]), "CapAdd"),
    "world with the usual capabilities": ("world", world(CapDrop=["NET_RAW"]), "rights"),
    "world with setuid": ("world", world(SecurityOpt=[]), "rights"),
    "world that can write": ("world", world(ReadonlyRootfs=False), "rights"),
    "world as root": ("world", {**world(), "Config": {"User": ""}}, "root"),
    "privileged": ("admin", container("default", Privileged=True), "Privileged"),
    "capability": ("admin", container("default", CapAdd=["SYS_ADMIN"]), "SYS_ADMIN"),
    "processes of the host": ("admin", container("default", PidMode="host"), "PidMode"),
    "processes of a container": ("admin", container("default", PidMode="container:abc"), "PidMode"),
    "memory of the host": ("admin", container("default", IpcMode="host"), "IpcMode"),
    "memory of a container": ("admin", container("default", IpcMode="container:abc"), "IpcMode"),
    "name of the host": ("admin", container("default", UTSMode="host"), "UTSMode"),
    "users of the host": ("admin", container("default", UsernsMode="host"), "UsernsMode"),
    "cgroup of another": ("admin", container("default", CgroupParent="/system.slice"), "CgroupParent"),
    "cgroup of a container": ("admin", container("default", Cgroup="container:abc"), "Cgroup"),
    "folder": ("admin", container("default", Binds=["/srv/mailu/data:/data:rw"]), "/srv/mailu/data"),
    "folder as a mount": (
        "admin",
        container("default", Mounts=[{"Type": "bind", "Source": "/srv/mailu"}]),
        "/srv/mailu",
    ),
    "named pipe": ("admin", container("default", Mounts=[{"Type": "npipe", "Source": "p"}]), "npipe"),
    "volume with a driver": (
        "admin",
        container(
            "default", Mounts=[{"Type": "volume", "Source": "v", "VolumeOptions": {"DriverConfig": {"Name": "n"}}}]
        ),
        "mount v",
    ),
    "folder in effect": ("admin", mounted(Type="bind", Source="/etc"), "/etc"),
    "volume of others": ("admin", mounted(Type="volume", Name="precious"), "precious"),
    "volume elsewhere": ("admin", mounted(Type="volume", Name="p_data", Driver="nfs"), "p_data"),
    "volumes of a container": ("admin", container("default", VolumesFrom=["other"]), "VolumesFrom"),
    "volume driver": ("admin", container("default", VolumeDriver="rexray"), "VolumeDriver"),
    "device": ("mine", container("default", Devices=[{"PathOnHost": "/dev/kvm"}]), "/dev/kvm"),
    "device rule": ("mine", container("default", DeviceCgroupRules=["a *:* rwm"]), "DeviceCgroupRules"),
    "GPU": ("mine", container("default", DeviceRequests=[{"Driver": "nvidia", "Count": -1}]), "DeviceRequests"),
    "runtime": ("mine", container("default", Runtime="nvidia"), "Runtime"),
    "seccomp off": ("mine", container("default", SecurityOpt=["seccomp=unconfined"]), "seccomp"),
    "AppArmor off": ("mine", container("default", SecurityOpt=["apparmor:unconfined"]), "apparmor"),
    "SELinux off": ("mine", container("default", SecurityOpt=["label=disable"]), "label"),
    "/proc unmasked": ("mine", container("default", MaskedPaths=[], ReadonlyPaths=[]), "MaskedPaths"),
    "DNS of others": ("mine", container("default", Dns=["9.9.9.9"]), "9.9.9.9"),
    "second DNS server": ("mine", container("default", Dns=[DNS, "9.9.9.9"]), "9.9.9.9"),
    "DNS of the host": ("mine", container("default", Dns=None), "DNS servers"),
    "DNS options": ("mine", container("default", DnsOptions=["use-vc"]), "DnsOptions"),
    "extra hosts": ("mine", container("default", ExtraHosts=["db:host-gateway"]), "host-gateway"),
    "links": ("mine", container("default", Links=["/other:/mine/db"]), "Links"),
    "IPv6": ("mine", container("default", Sysctls={"net.ipv6.conf.all.disable_ipv6": "0"}), "disable_ipv6"),
    "forwarding": ("mine", container("default", Sysctls={"net.ipv4.ip_forward": "1"}), "ip_forward"),
    "log driver": ("mine", container("default", LogConfig={"Type": "gelf", "Config": {}}), "gelf"),
    "log address": (
        "mine",
        container("default", LogConfig={"Type": "json-file", "Config": {"syslog-address": "udp://x"}}),
        "syslog-address",
    ),
    "restart": ("mine", container("default", RestartPolicy={"Name": "always"}), "always"),
    "groups": ("mine", container("default", GroupAdd=["docker"]), "docker"),
    "out of memory": ("mine", container("default", OomKillDisable=True), "OomKillDisable"),
    "storage": ("mine", container("default", StorageOpt={"size": "120G"}), "StorageOpt"),
    "what nobody knows yet": ("mine", container("default", HostDoor="open"), "HostDoor"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_each_way_out_is_refused_and_named(name: str) -> None:
    service, description, words = HOSTILE[name]
    with pytest.raises(StackError) as caught:
        check({**sealed(), service: description})
    assert words in caught.value.cause
    assert caught.value.service == service
    assert not caught.value.own_doing


@pytest.mark.parametrize("key", ["DriverOpts", "Links", "GlobalIPv6Address"])
def test_an_endpoint_with_options_of_its_own_is_refused(key: str) -> None:
    hostile = container("default")
    hostile["NetworkSettings"]["Networks"]["p_default"][key] = ["x"]
    with pytest.raises(StackError, match=key):
        check({**sealed(), "mine": hostile})


@pytest.mark.parametrize(
    "hostile",
    [
        network("default", Internal=False),
        network("default", Options={}),
        network("default", Options={**NO_ADDRESS, "com.docker.network.bridge.name": "docker0"}),
        network("default", Options={"com.docker.network.bridge.gateway_mode_ipv4": "routed"}),
        network("default", Driver="macvlan"),
        network("default", EnableIPv6=True),
        network("default", Attachable=True),
        network("default", Scope="swarm"),
        outside(Options={}),
        outside(Options={"com.docker.network.bridge.enable_ip_masquerade": "true"}),
        outside(IPAM={"Config": [{"Subnet": "198.18.5.0/24"}]}),
        outside(EnableIPv6=True),
    ],
    ids=lambda hostile: f"{hostile['Name']}-{hostile['Options']}-{hostile['Driver']}",
)
def test_a_network_that_leads_out_is_refused(hostile: dict[str, Any]) -> None:
    others = [one for one in NETWORKS if one["Name"] != hostile["Name"]]
    with pytest.raises(StackError, match=hostile["Name"]):
        check(sealed(), [*others, hostile])


@pytest.mark.parametrize(
    "hostile",
    [
        {"Name": "p_data", "Driver": "local", "Options": {"type": "none", "device": "/", "o": "bind"}},
        {"Name": "p_data", "Driver": "nfs"},
    ],
)
def test_a_volume_that_is_something_else_is_refused(hostile: dict[str, Any]) -> None:
    with pytest.raises(StackError, match="p_data"):
        check(sealed(), NETWORKS, [hostile, VOLUMES[1]])


def test_the_bridge_has_no_address_with_the_option_of_each_engine() -> None:
    assert seal_options(Version("20.10.24")) == NO_ADDRESS
    assert seal_options(Version("27.5.1")) == NO_ADDRESS
    assert seal_options(None) == NO_ADDRESS
    assert seal_options(Version("28.0.0")) == {"com.docker.network.bridge.gateway_mode_ipv4": "isolated"}
    assert all(key.startswith("com.docker.network.bridge.") for key in seal_options(Version("28.2.2")))
    check(sealed(), [network("default", Options=seal_options(Version("28.2.2"))), *NETWORKS[1:]])
