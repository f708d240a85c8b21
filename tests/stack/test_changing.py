"""What we change in a stack is ours, and what others do to the rest meanwhile is still seen."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_mailu.core.releases import Release
from pytest_mailu.stack.containers import StackContainers
from pytest_mailu.stack.docker.events import ContainerEvent
from pytest_mailu.stack.docker.labels import RunIdentity


class Engine:
    """Two containers whose process ids can be changed, and events that can be told."""

    def __init__(self) -> None:
        self.pids = {"imap": 1, "smtp": 2}
        self.client = SimpleNamespace(api=SimpleNamespace(inspect_container=self._inspect))

    def _inspect(self, service: str) -> dict[str, Any]:
        state = {"Status": "running", "Pid": self.pids[service], "StartedAt": "", "Paused": False}
        return {"State": state, "NetworkSettings": {"Networks": {}}}


def stack() -> tuple[Engine, StackContainers]:
    engine: Any = Engine()
    containers = StackContainers(engine, RunIdentity.new(), "old", Release("2.0", 43))
    containers.containers = {name: SimpleNamespace(id=name) for name in engine.pids}  # type: ignore[misc]
    return engine, containers


def test_what_we_change_is_no_interference_during_the_change_and_after_it() -> None:
    async def run() -> list[str]:
        engine, containers = stack()
        await containers.snapshot_baseline()
        found = []
        async with containers.changing(("smtp",)):
            engine.pids["smtp"] = 3
            found.append(await containers.external_interference())
        found.append(await containers.external_interference())
        return found

    assert asyncio.run(run()) == ["", ""]


def test_what_others_do_to_the_rest_meanwhile_is_seen_during_the_change_and_after_it() -> None:
    async def run() -> list[str]:
        engine, containers = stack()
        await containers.snapshot_baseline()
        found = []
        async with containers.changing(("smtp",)):
            engine.pids["imap"] = 9
            found.append(await containers.external_interference())
        found.append(await containers.external_interference())
        return found

    assert asyncio.run(run()) == ["imap: its state changed"] * 2


def test_events_of_a_service_count_from_its_own_baseline() -> None:
    async def run() -> list[str]:
        _, containers = stack()
        await containers.snapshot_baseline()
        begun = max(containers._since.values())
        found = []
        async with containers.changing(("smtp",)):
            containers.watch._events += [
                ContainerEvent(begun + 0.001, service, "kill", note="signal 15") for service in ("smtp", "imap")
            ]
            found.append(await containers.external_interference())
            await asyncio.sleep(0.01)
        found.append(await containers.external_interference())
        return found

    assert asyncio.run(run()) == ["imap: kill (signal 15)"] * 2


@pytest.mark.parametrize("error", [ValueError("refused"), asyncio.CancelledError()])
def test_a_change_that_fails_leaves_its_baseline_too(error: BaseException) -> None:
    async def failing(engine: Engine, containers: StackContainers) -> None:
        async with containers.changing(("smtp",)):
            engine.pids["smtp"] = 3
            raise error

    async def run() -> str:
        engine, containers = stack()
        await containers.snapshot_baseline()
        with pytest.raises(type(error)):
            await failing(engine, containers)
        return await containers.external_interference()

    assert asyncio.run(run()) == ""
