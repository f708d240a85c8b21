"""A stack goes on without an optional service that has ended, and not without a core one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from pytest_mailu.core.errors import StackError
from pytest_mailu.core.releases import Release
from pytest_mailu.stack import containers as module
from pytest_mailu.stack.containers import StackContainers
from pytest_mailu.stack.docker.events import ContainerExit
from pytest_mailu.stack.docker.labels import RunIdentity


class Watch:
    """What the engine tells of containers that have ended."""

    def __init__(self, ends: Mapping[str, ContainerExit]) -> None:
        self.exit_of = ends.get


def stack(monkeypatch: pytest.MonkeyPatch, *ended: str) -> StackContainers:
    monkeypatch.setattr(module, "log_lines", lambda *_, **__: ["fatal: no such file"])
    engine: Any = None
    made = StackContainers(engine, RunIdentity.new(), "old", Release("2.0", 43))
    made.containers = {name: object() for name in ("front", "smtp", "webmail")}  # type: ignore[misc]
    ends = {name: ContainerExit(name, 1, own_doing=True, reason="exited with status 1") for name in ended}
    made.watch = Watch(ends)  # type: ignore[assignment]
    return made


async def never() -> str:
    return "nothing listens yet"


async def met() -> str:
    return ""


def test_nobody_waits_for_an_optional_service_that_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    made = stack(monkeypatch, "webmail")
    asyncio.run(made.wait({"smtp": [met], "webmail": [never]}, 5.0))
    assert made.first_exit() is None
    end = asyncio.run(made.exit_explained("webmail"))
    assert end is not None
    assert (end.service, end.own_doing, end.details) == ("webmail", True, ("fatal: no such file",))
    assert asyncio.run(made.exit_explained("smtp")) is None


def test_a_core_service_that_has_ended_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    made = stack(monkeypatch, "smtp", "webmail")
    with pytest.raises(StackError, match=r"the service smtp .* exited with status 1"):
        asyncio.run(made.wait({"front": [never], "webmail": [never]}, 5.0))


def test_an_optional_service_that_runs_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    made = stack(monkeypatch)
    with pytest.raises(StackError, match=r"the service webmail .* was not ready"):
        asyncio.run(made.wait({"webmail": [never]}, 0.3))
