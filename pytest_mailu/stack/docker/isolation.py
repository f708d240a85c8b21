"""Checks that a stack is sealed: what the engine says of its containers, networks and volumes is on a list.

It is a list of what may be, not of what may not: an option that is not known here must be empty.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any, TypeAlias

from packaging.version import Version

from pytest_mailu.core.errors import StackError
from pytest_mailu.core.releases import compose_folder

Description: TypeAlias = Mapping[str, Any]
"""What the engine says of a container, network or volume (Docker Engine API 1.41 to 1.50, `inspect`)."""

WORLD = "world"
INGRESS = "ingress"
SURROUNDINGS = (WORLD, INGRESS)
"""The services around Mailu's own. Their image is under test as well."""
OUTSIDE = "outside"
_BRIDGE = "com.docker.network.bridge"
OUTSIDE_OPTIONS: Mapping[str, str] = {f"{_BRIDGE}.enable_ip_masquerade": "false"}
"""Of the network through which the ingress's port is published: nothing that comes from there is translated."""
_ISOLATED = {f"{_BRIDGE}.gateway_mode_ipv4": "isolated"}
_ISOLATED6 = {**_ISOLATED, f"{_BRIDGE}.gateway_mode_ipv6": "isolated"}
_NO_ADDRESS = {f"{_BRIDGE}.inhibit_ipv4": "true"}
_ISOLATED_SINCE = Version("28.0")


def isolates(engine: Version | None) -> bool:
    """Whether an engine of this version knows networks in which its machine has no address (Docker 28)."""
    return engine is not None and engine >= _ISOLATED_SINCE


def seal_options(engine: Version | None, *, six: bool = False) -> dict[str, str]:
    """The options of an internal network with which its bridge has no address of the host.

    Since Docker 28 that is the isolated gateway mode; before that, `inhibit_ipv4` (seen with 20.10.24). Of IPv6, an
    older engine gives the bridge an address in any case: it is taken away (`stack.docker.bridges`).
    """
    if isolates(engine):
        return dict(_ISOLATED6 if six else _ISOLATED)
    return dict(_NO_ADDRESS)


def check_sealed(
    containers: Mapping[str, Description],
    networks: Iterable[Description],
    volumes: Iterable[Description],
    project: str,
    dns: str,
    *,
    overlays: Mapping[str, Mapping[str, str]] | None = None,
    six: bool = False,
) -> None:
    """Raises StackError unless everything is on the list.

    `containers` maps a service to its description; `networks` and `volumes` are those of the project; `dns` is the
    address of the world; `overlays` are the options of volumes that are overlays of ours. With `six`, internal
    networks may have IPv6: their bridges are checked elsewhere (`stack.docker.bridges`). Pure.
    """
    outside = f"{project}_{OUTSIDE}"
    internal = set()
    for network in networks:
        name = str(network.get("Name", ""))
        own_rules = _outside_leaks if name == outside else _internal_leaks
        leaks6 = ["IPv6"] if network.get("EnableIPv6") and (name == outside or not six) else []
        found = (*own_rules(network), *_network_leaks(network), *leaks6)
        _refuse("", [f"{leak} of the network {name}" for leak in found])
        if name != outside:
            internal.add(name)
    own = set()
    for volume in volumes:
        name = str(volume.get("Name", ""))
        expected = dict((overlays or {}).get(name, {}))
        if volume.get("Driver", "local") != "local" or dict(volume.get("Options") or {}) != expected:
            _refuse("", [f"driver and options of the volume {name}"])
        own.add(name)
    for service, container in containers.items():
        host = container["HostConfig"]
        leaks = (
            *_endpoint_leaks(container, {outside} if service == INGRESS else internal, six=six and service != INGRESS),
            *_network_mode(host, {outside} if service == INGRESS else internal),
            *_published(service, host),
            *([] if host.get("Dns") == [dns] else [f"DNS servers {host.get('Dns')}"]),
            *(_rights(container) if service in SURROUNDINGS else _raw(host)),
            *(_calls(host) if service == INGRESS else ()),
            *_mounts(container, own),
            *_options(host, _INGRESS_RULES if service == INGRESS else _RULES),
        )
        _refuse(service, list(leaks))


def _refuse(service: str, leaks: list[str]) -> None:
    if leaks:
        subject = f"the service {service}" if service else "the stack"
        raise StackError(
            f"{subject} would not be sealed in: {'; '.join(leaks)}",
            "nothing was started; if you use --mailu-compose, remove this from your compose file, else report it",
            service=service,
        )


def _internal_leaks(network: Description) -> Iterator[str]:
    options = dict(network.get("Options") or {})
    if not network.get("Internal"):
        yield "a way out"
    if options not in (_ISOLATED, _NO_ADDRESS) and not (network.get("EnableIPv6") and options == _ISOLATED6):
        yield f"options {options or 'missing'}"


def _outside_leaks(network: Description) -> Iterator[str]:
    if dict(network.get("Options") or {}) != OUTSIDE_OPTIONS:
        yield "options"
    pools = (network.get("IPAM") or {}).get("Config") or []
    if not all((pool.get("AuxiliaryAddresses") or {}).get("DefaultGatewayIPv4") for pool in pools):
        yield "a gateway"


def _network_leaks(network: Description) -> Iterator[str]:
    if network.get("Driver", "bridge") != "bridge":
        yield f"driver {network['Driver']}"
    for name in ("Attachable", "Ingress", "ConfigOnly"):
        if network.get(name):
            yield name
    if network.get("Scope", "local") != "local":
        yield f"scope {network['Scope']}"


def _endpoint_leaks(container: Description, allowed: set[str], *, six: bool) -> Iterator[str]:
    endpoints: Mapping[str, Description] = container["NetworkSettings"]["Networks"]
    yield from (f"network {name}" for name in sorted(set(endpoints) - allowed))
    if not endpoints:
        yield "no network of the run"
    for name, endpoint in endpoints.items():
        for key in ("DriverOpts", "Links", *(() if six else ("GlobalIPv6Address",))):
            if (endpoint or {}).get(key):
                yield f"{key} in the network {name}"


def _network_mode(host: Description, allowed: set[str]) -> Iterator[str]:
    if host.get("NetworkMode") not in allowed:
        yield f"network mode {host.get('NetworkMode')!r}"


def _rights(container: Description) -> Iterator[str]:
    """Of the world and the ingress: their image is under test, so they have no rights at all."""
    host = container["HostConfig"]
    if host.get("CapDrop") != ["ALL"] or not host.get("SecurityOpt") or not host.get("ReadonlyRootfs"):
        yield "rights"
    if (container.get("Config") or {}).get("User", "").partition(":")[0] in ("", "0", "root"):
        yield "the user root"


def _raw(host: Description) -> Iterator[str]:
    """Raw packets and device files are for getting out. Later engines write CAP_ in front of the names."""
    dropped = {str(name).removeprefix("CAP_") for name in host.get("CapDrop") or []}
    if "ALL" not in dropped:
        yield from (f"the capability {name}" for name in ("NET_RAW", "MKNOD") if name not in dropped)


@cache
def ingress_profile() -> Mapping[str, Any]:
    """The system calls that the ingress may use (seccomp): none that opens a connection or sends a datagram."""
    profile: dict[str, Any] = json.loads((compose_folder() / "ingress-seccomp.json").read_text("utf-8"))
    return profile


def _calls(ingress: Description) -> Iterator[str]:
    if not any(_is_ingress_profile(option) for option in ingress.get("SecurityOpt") or []):
        yield "system calls"


def _is_ingress_profile(option: object) -> bool:
    """Whether an option has the ingress's list; compose writes it in a line of its own."""
    name, _, text = str(option).partition("=")
    try:
        return name == "seccomp" and bool(json.loads(text) == ingress_profile())
    except (ValueError, RecursionError):
        return False


def _mounts(container: Description, volumes: set[str]) -> Iterator[str]:
    host = container["HostConfig"]
    for mount in container.get("Mounts") or []:
        if not _is_own_mount(mount, volumes):
            yield f"mount {mount.get('Source') or mount.get('Name')} at {mount.get('Destination')}"
    for bind in host.get("Binds") or []:
        if bind.partition(":")[0] not in volumes:
            yield f"folder {bind} of the host"
    for mount in host.get("Mounts") or []:
        if mount.get("Type") not in ("volume", "tmpfs") or (mount.get("VolumeOptions") or {}).get("DriverConfig"):
            yield f"mount {mount.get('Source')} of type {mount.get('Type')}"


def _options(host: Description, rules: Mapping[str, Callable[[Any], bool]]) -> Iterator[str]:
    for name, value in host.items():
        if name not in _CHECKED_ABOVE and name not in _ANY_VALUE and not rules.get(name, _is_empty)(value):
            yield f"option {name} ({str(value)[:80]})"


def _published(service: str, host: Description) -> Iterator[str]:
    for port, bindings in (host.get("PortBindings") or {}).items():
        for binding in bindings or [{}]:
            if service != INGRESS or binding.get("HostIp") != "127.0.0.1":
                yield f"published port {port} on {binding.get('HostIp') or 'all addresses'}"


def _is_own_mount(mount: Description, volumes: set[str]) -> bool:
    """A volume of the project or one that an image declares (without a name, so the engine made one up), or a tmpfs."""
    if mount.get("Type") == "tmpfs":
        return True
    if mount.get("Type") != "volume" or mount.get("Driver", "local") != "local":
        return False
    name = str(mount.get("Name", ""))
    return name in volumes or re.fullmatch(r"[0-9a-f]{64}", name) is not None


def _is_empty(value: object) -> bool:
    return not value


def _one_of(*values: object) -> Callable[[object], bool]:
    return lambda value: not value or value in values


def _log_config(value: Any) -> bool:
    options = set(value.get("Config") or {})
    return value["Type"] in ("json-file", "local") and {"max-size"} <= options <= {"max-size", "max-file"}


def _sysctls(value: Any) -> bool:
    return set(value or {}) <= {"net.ipv4.ip_unprivileged_port_start", "net.core.somaxconn"}


def _paths(value: Any) -> bool:
    """Docker's own list; an empty one would be `systempaths=unconfined`."""
    return value is None or len(value) >= 5


_NO_NEW_PRIVILEGES = frozenset(("no-new-privileges:true", "no-new-privileges"))
_CHECKED_ABOVE = frozenset(("NetworkMode", "PortBindings", "Dns", "Binds", "Mounts"))
_ANY_VALUE = frozenset(
    (
        *("CapDrop", "ConsoleSize", "Init", "ReadonlyRootfs", "ShmSize", "Tmpfs", "Ulimits", "DnsSearch"),
        *("Memory", "MemoryReservation", "MemorySwap", "MemorySwappiness", "NanoCpus", "CpuShares", "CpuPeriod"),
        *("CpuQuota", "CpusetCpus", "CpuCount", "CpuPercent", "PidsLimit"),
    )
)
"""Limits and takes away, or stays in the container."""
_RULES: Mapping[str, Callable[[Any], bool]] = {
    "CgroupnsMode": _one_of("private", "host"),  # the engine's default, `host` with cgroups of version 1
    "IpcMode": _one_of("private", "shareable", "none"),
    "Isolation": _one_of("default"),
    "LogConfig": _log_config,
    "MaskedPaths": _paths,
    "ReadonlyPaths": _paths,
    "RestartPolicy": lambda value: (value or {}).get("Name") in (None, "", "no"),
    "Runtime": _one_of("runc", "crun", "io.containerd.runc.v2"),
    "SecurityOpt": lambda value: set(value or []) <= _NO_NEW_PRIVILEGES,
    "Sysctls": _sysctls,
}
"""Options with their own list of values. Every other one must be empty."""
_INGRESS_RULES: Mapping[str, Callable[[Any], bool]] = {
    **_RULES,
    "SecurityOpt": lambda value: all(one in _NO_NEW_PRIVILEGES or _is_ingress_profile(one) for one in value or []),
}
