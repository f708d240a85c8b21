"""A service that is stopped for a while, and another one that starts anew meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from pytest_mailu.core.errors import StackError
from pytest_mailu.stack.service_access import ServiceAccess


class Containers:
    """The containers of a stack, with a log of what is done to them."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.watch = self

    def __getitem__(self, service: str) -> Any:
        return Container(service, self.log)

    def expect_restart(self, services: tuple[str, ...]) -> None:
        self.log.append(f"expected {', '.join(services)}")

    @asynccontextmanager
    async def changing(self, services: tuple[str, ...]) -> AsyncIterator[None]:
        self.log.append(f"ours {', '.join(services)}")
        yield
        self.log.append("all as before")

    async def wait(self, conditions: dict[str, Any], seconds: float) -> None:
        self.log.append(f"ready {', '.join(conditions)}")


class Container:
    def __init__(self, name: str, log: list[str]) -> None:
        self.stop = lambda: log.append(f"stop {name}")
        self.start = lambda: log.append(f"start {name}")


class Readiness:
    def conditions(self) -> dict[str, list[Any]]:
        return {"antispam": [], "antivirus": []}


@pytest.mark.parametrize(
    ("given", "log"),
    [
        (
            {"restarting": "antispam"},
            [
                *("ours antivirus, antispam", "expected antivirus, antispam"),
                *("stop antivirus", "stop antispam", "start antispam", "ready antispam", "asked"),
                *("start antivirus", "ready antivirus", "ready antispam", "all as before"),
            ],
        ),
        (
            {},
            [
                *("ours antivirus", "expected antivirus", "stop antivirus", "asked"),
                *("start antivirus", "ready antivirus", "all as before"),
            ],
        ),
    ],
)
def test_another_service_starts_anew_while_one_is_down(given: dict[str, str], log: list[str]) -> None:
    containers: Any = Containers()

    async def ask() -> None:
        readiness: Any = Readiness()

        async def never(service: str) -> None:
            raise AssertionError(service)

        access = ServiceAccess(containers, (), readiness, asyncio.Lock(), 1.0, make_anew=never)
        async with access.stopped("antivirus", **given):
            containers.log.append("asked")

    asyncio.run(ask())
    assert containers.log == log


class Waiting(Containers):
    """`antispam` is not ready as long as `antivirus` is down, as in 1.9; with `ended`, it ends instead."""

    def __init__(self, *, ended: bool) -> None:
        super().__init__()
        self.ended = ended

    async def wait(self, conditions: dict[str, Any], seconds: float) -> None:
        (service,) = conditions
        if service == "antispam" and "start antivirus" not in self.log:
            self.log.append(f"{service} is not ready after {seconds:g} s")
            raise StackError("antispam is not ready", "wait")
        await super().wait(conditions, seconds)

    async def exit_explained(self, service: str) -> StackError | None:
        return StackError(f"{service} ended", "look at its log") if self.ended else None


async def without_antivirus(containers: Any) -> None:
    access = ServiceAccess(containers, (), Readiness(), asyncio.Lock(), 120.0, make_anew=None)  # type: ignore[arg-type]
    async with access.stopped("antivirus", restarting="antispam"):
        containers.log.append("asked")


def test_a_service_that_waits_for_the_stopped_one_is_asked_as_it_is_and_is_ready_in_the_end() -> None:
    """Rspamd of 1.9.50 does not start without the antivirus; that was "the stack is not ready", after two minutes."""
    containers = Waiting(ended=False)
    asyncio.run(without_antivirus(containers))
    assert containers.log[4:] == [
        *("start antispam", "antispam is not ready after 30 s", "asked"),
        *("start antivirus", "ready antivirus", "ready antispam", "all as before"),
    ]


def test_a_service_that_ends_without_the_stopped_one_cannot_be_asked() -> None:
    containers = Waiting(ended=True)
    with pytest.raises(StackError, match="not ready"):
        asyncio.run(without_antivirus(containers))
    assert "asked" not in containers.log
