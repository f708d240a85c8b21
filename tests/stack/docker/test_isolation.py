"""Nothing is started that could reach another machine or this one: only what is on a list passes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from packaging.version import Version

from pytest_mailu.core.errors import StackError
from pytest_mailu.stack.docker.isolation import OUTSIDE_OPTIONS, check_sealed, ingress_profile, seal_options

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
    }
    return container("default", "edge-stranger", config={"User": "65534:65534"}, **{**rights, **more, **host})


PROFILE = f"seccomp={json.dumps(ingress_profile())}"


def ingress(*networks: str, **host: Any) -> dict[str, Any]:
    usual = {
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges:true", PROFILE],
        "ReadonlyRootfs": True,
        "Binds": ["p_world:/world:ro"],
        "NetworkMode": "p_outside",
        "PortBindings": {"1080/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]},
    }
    return container(*(networks or ("outside",)), config={"User": "65534:65534"}, **{**usual, **host})


def sealed() -> dict[str, dict[str, Any]]:
    return {
        "admin": container("default"),
        "front": container("default", "edge-stranger"),
        "world": world(),
        "ingress": ingress(),
    }


def check(
    containers: dict[str, dict[str, Any]],
    networks: list[dict[str, Any]] = NETWORKS,
    volumes: list[dict[str, Any]] = VOLUMES,
) -> None:
    check_sealed(containers, networks, volumes, "p", DNS)


def test_a_sealed_stack_passes() -> None:
    check(sealed())


@pytest.mark.parametrize("dropped", [["CAP_MKNOD", "CAP_NET_RAW"], ["ALL"], ["CAP_ALL", "CHOWN"]])
def test_capabilities_that_were_dropped_have_several_names(dropped: list[str]) -> None:
    check({**sealed(), "front": container("default", CapDrop=dropped)})


def mounted(**mount: Any) -> dict[str, Any]:
    return {**container("default"), "Mounts": [{"Driver": "local", "Destination": "/x", **mount}]}


MORE_CALLS = "seccomp=" + json.dumps(
    {
        **ingress_profile(),
        "syscalls": [*ingress_profile()["syscalls"], {"names": ["connect"], "action": "SCMP_ACT_ALLOW"}],
    }
)
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
    "raw packets": ("smtp", container("default", CapDrop=["MKNOD"]), "NET_RAW"),
    "raw packets by another name": ("smtp", container("default", CapDrop=["cap_net_raw", "CAP_MKNOD"]), "NET_RAW"),
    "device files": ("smtp", container("default", CapDrop=["CAP_NET_RAW"]), "MKNOD"),
    "the usual capabilities": ("smtp", container("default", CapDrop=None), "NET_RAW"),
    "a log without end": ("smtp", container("default", LogConfig={"Type": "json-file", "Config": {}}), "LogConfig"),
    "world outside": ("world", {**world(), "NetworkSettings": ingress()["NetworkSettings"]}, "p_outside"),
    "world with a port": ("world", world(PortBindings={"1080/tcp": [{"HostIp": "127.0.0.1"}]}), "1080/tcp"),
    "ingress on all addresses": (
        "ingress",
        ingress(PortBindings={"1080/tcp": [{"HostIp": "0.0.0.0"}]}),
        "0.0.0.0",
    ),
    "ingress on no address": ("ingress", ingress(PortBindings={"1080/tcp": [{"HostIp": ""}]}), "all addresses"),
    "ingress inside": ("ingress", ingress("outside", "default"), "p_default"),
    "ingress in the network of Mailu": ("ingress", ingress("outside", NetworkMode="p_default"), "p_default"),
    "ingress with every system call": (
        "ingress",
        ingress(SecurityOpt=["no-new-privileges:true"]),
        "system calls",
    ),
    "ingress unconfined": (
        "ingress",
        ingress(SecurityOpt=["no-new-privileges:true", "seccomp=unconfined"]),
        "system calls; option SecurityOpt",
    ),
    "ingress with one call more": (
        "ingress",
        ingress(SecurityOpt=["no-new-privileges:true", MORE_CALLS]),
        "system calls",
    ),
    "ingress with a second list": (
        "ingress",
        ingress(SecurityOpt=["no-new-privileges:true", PROFILE, "seccomp=unconfined"]),
        "SecurityOpt",
    ),
    "ingress with a list that is none": (
        "ingress",
        ingress(SecurityOpt=["seccomp=" + "[" * 9_000, "x"]),
        "system calls",
    ),
    "ingress with capabilities": ("ingress", ingress(CapAdd=["NET_RAW"]), "CapAdd"),
    "ingress with the usual capabilities": ("ingress", ingress(CapDrop=["NET_RAW"]), "rights"),
    "ingress as root": ("ingress", {**ingress(), "Config": {"User": "0:0"}}, "root"),
    "the ingress's list elsewhere": ("mine", container("default", SecurityOpt=[PROFILE]), "SecurityOpt"),
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
    "what nobody knows yet": ("mine", container("default", HostIngress="open"), "HostIngress"),
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


def test_the_ingress_has_no_system_call_that_opens_a_connection_or_sends_a_datagram() -> None:
    """What is not named is refused; sockets are Unix ones, or of TCP, which without `connect` can only answer."""
    profile = ingress_profile()
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    named = {name for rule in profile["syscalls"] if rule["action"] == "SCMP_ACT_ALLOW" for name in rule["names"]}
    ways_out = {"connect", "sendto", "sendmsg", "sendmmsg", "socketcall", "io_uring_setup", "io_uring_enter"}
    sockets_of_others = {"recvmsg", "recvmmsg", "pidfd_getfd", "ptrace", "setns", "unshare", "mount", "bpf", "clone3"}
    assert not named & (ways_out | sockets_of_others)
    sockets = [rule["args"] for rule in profile["syscalls"] if "socket" in rule["names"]]
    assert sorted([(arg["index"], arg["value"], arg.get("valueTwo", 0)) for arg in rule] for rule in sockets) == [
        [(0, 1, 0)],
        [(0, 2, 0), (1, 15, 1), (2, 0, 0)],
    ]


ISOLATED6 = {
    "com.docker.network.bridge.gateway_mode_ipv4": "isolated",
    "com.docker.network.bridge.gateway_mode_ipv6": "isolated",
}


@pytest.mark.parametrize("options", [NO_ADDRESS, ISOLATED6])
def test_ipv6_may_be_in_internal_networks_of_a_set_up_that_has_it(options: dict[str, str]) -> None:
    networks = [network("default", EnableIPv6=True, Options=options), network("edge-stranger"), outside()]
    containers = sealed()
    containers["front"]["NetworkSettings"]["Networks"]["p_default"]["GlobalIPv6Address"] = "fd12::b"
    check_sealed(containers, networks, VOLUMES, "p", DNS, six=True)
    with pytest.raises(StackError, match="IPv6"):
        check_sealed(containers, networks, VOLUMES, "p", DNS)


def test_ipv6_is_never_in_the_network_outside() -> None:
    networks = [network("default"), network("edge-stranger"), outside(EnableIPv6=True)]
    with pytest.raises(StackError, match="p_outside"):
        check_sealed(sealed(), networks, VOLUMES, "p", DNS, six=True)


@pytest.mark.parametrize(
    ("engine", "six", "options"),
    [("20.10.24", True, NO_ADDRESS), ("28.0.1", True, ISOLATED6), ("28.0.1", False, dict([*ISOLATED6.items()][:1]))],
)
def test_an_engine_that_knows_isolated_networks_is_asked_for_them_in_both_families(
    engine: str, six: bool, options: dict[str, str]
) -> None:
    assert seal_options(Version(engine), six=six) == options
