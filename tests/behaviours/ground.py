"""A ground without a stack: everything is on 127.0.0.1, at the ports that the caller says."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping
from typing import Any

from pytest_mailu.core.commands import CommandResult
from pytest_mailu.core.model import Vantage
from pytest_mailu.core.releases import Release
from pytest_mailu.probe.probe import Probe
from tests.wire.direct import DirectConnector


class LocalConnector:
    """Leads every host's port to the one that `ports` has for it; others are closed."""

    def __init__(self, ports: Mapping[int, int]) -> None:
        self._ports = ports

    async def connect(self, host: str, port: int, vantage: Vantage) -> socket.socket:
        # Port 1 of this machine is closed.
        return await DirectConnector().connect("127.0.0.1", self._ports.get(port, 1), vantage)


class LocalGround:
    """As much of a ground as functions of behaviours need; `run` answers commands."""

    def __init__(
        self,
        ports: Mapping[int, int],
        run: Callable[[str, tuple[str, ...]], CommandResult] = lambda service, command: CommandResult(0, "", ""),
        release: str = "2024.06.24",
    ) -> None:
        self.connector = LocalConnector(ports)
        self.release = Release.parse(release)
        self.places: dict[str, str] = {"127.0.0.1": "stranger"}
        self._run = run

    def environment(self, service: str) -> dict[str, str]:
        return {}

    async def run(self, service: str, *command: str) -> CommandResult:
        return self._run(service, command)

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"a test without a stack asked for {name}")


def local_probe(ports: Mapping[int, int], **more: Any) -> Probe:
    return Probe(LocalGround(ports, **more), time.time())  # type: ignore[arg-type]
