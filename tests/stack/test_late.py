"""A service that is late: by its own doing, or since this machine left it no processor time."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from pytest_mailu.core.errors import StackError
from pytest_mailu.core.releases import Release
from pytest_mailu.stack import containers
from pytest_mailu.stack.containers import StackContainers
from pytest_mailu.stack.docker.labels import RunIdentity
from pytest_mailu.stack.preflight import STARVED
from pytest_mailu.stack.readiness.conditions import NotReady


class Engine:
    """An engine that is not asked: the service has no container."""

    client = None


def explained(error: NotReady) -> StackError:
    stack = StackContainers(cast("Any", Engine()), RunIdentity.new(), "old", Release("2.0", 43))
    return asyncio.run(stack.explain(error))


@pytest.mark.parametrize(("pressure", "own"), [(0.0, True), (STARVED - 1, True), (STARVED, False), (100.0, False)])
def test_a_machine_that_is_too_busy_is_no_fault_of_a_late_service(
    monkeypatch: pytest.MonkeyPatch, pressure: float, own: bool
) -> None:
    monkeypatch.setattr(containers, "cpu_pressure", lambda: pressure)
    error = explained(NotReady("imap", "was not ready after 45 s", own_doing=True, late=True))
    assert error.own_doing is own
    assert ("processes waited for a CPU" in error.remedy) is not own


def test_a_service_that_ended_has_no_such_excuse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "cpu_pressure", lambda: 100.0)
    assert explained(NotReady("imap", "ended with status 1", own_doing=True)).own_doing
