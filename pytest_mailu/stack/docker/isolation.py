"""Is the stack sealed? Asked of the engine itself, after everything was created and before anything is started."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pytest_mailu.core.errors import StackError

WORLD = "world"
OUTSIDE = "outside"


def check_sealed(
    containers: Mapping[str, Mapping[str, Any]], networks: Iterable[Mapping[str, Any]], project: str
) -> None:
    """StackError unless no service but the world can reach another machine.

    `containers` maps a service to the engine's description of its container, `networks` are those of the project. Pure.
    """
    internal = {network["Name"] for network in networks if network.get("Internal")}
    for service, container in containers.items():
        host = container["HostConfig"]
        joined = set(container["NetworkSettings"]["Networks"])
        allowed = internal | ({f"{project}_{OUTSIDE}"} if service == WORLD else set())
        leaks = [
            *(f"network {name}" for name in sorted(joined - allowed)),
            *([] if joined else ["no network of the run"]),
            *(
                f"published port {port} on {binding.get('HostIp') or 'all addresses'}"
                for port, bindings in (host.get("PortBindings") or {}).items()
                for binding in bindings
                if service != WORLD or binding.get("HostIp") != "127.0.0.1"
            ),
            *(["the network of the host"] if host.get("NetworkMode") == "host" else []),
            *(f"{name} of the host" for name in ("PidMode", "IpcMode", "UTSMode") if host.get(name) == "host"),
            *(["all privileges"] if host.get("Privileged") else []),
            *(f"device {device['PathOnHost']}" for device in host.get("Devices") or []),
            *(f"folder {bind} of the host" for bind in host.get("Binds") or [] if bind.startswith("/")),
            *(f"folder {m['Source']} of the host" for m in host.get("Mounts") or [] if m.get("Type") == "bind"),
        ]
        if leaks:
            raise StackError(
                f"the service {service} would not be sealed in: {'; '.join(leaks)}",
                "nothing was started; if you use --mailu-compose, take this out of your compose file, else report it",
                service=service,
            )
