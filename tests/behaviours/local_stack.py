"""A stack on 127.0.0.1 for tests: every service's port leads to one that the caller names."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from pytest_mailu.core.commands import CommandResult
from pytest_mailu.core.releases import Release
from pytest_mailu.core.setups import DEFAULT
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.shared import SharedAnswers
from tests.wire.direct import LocalConnector

Answer = Callable[[str, tuple[str, ...]], CommandResult]


class LocalServices:
    """Services whose commands `answer` answers; their environment is empty, and nothing else can be asked."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def environment(self, service: str) -> dict[str, str]:
        return {}

    async def exec(self, service: str, *command: str) -> CommandResult:
        return self._answer(service, command)

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"a test without a stack asked its services for {name}")


class LocalStack:
    """As much of a stack as functions of behaviours need."""

    def __init__(
        self,
        ports: Mapping[int, int],
        run: Answer = lambda service, command: CommandResult(0, "", ""),
        release: str = "2024.06.24",
    ) -> None:
        self.connector = LocalConnector(ports)
        self.release = Release.parse(release)
        self.addresses: dict[str, str] = {"127.0.0.1": "stranger"}
        self.shared = SharedAnswers()
        self.services: Any = LocalServices(run)
        self.seed = 1
        self.setup = DEFAULT
        self.databases: tuple[str, ...] = ()

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"a test without a stack asked for {name}")


def local_probe(ports: Mapping[int, int], **more: Any) -> Probe:
    """A probe of such a stack."""
    return Probe(LocalStack(ports, **more), time.time())  # type: ignore[arg-type]
