"""What all tests of this repository share: pytest's tool for testing plugins, markers, and which worker has what."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import pytest

pytest_plugins = ["pytester"]

MARKERS = (
    "engine(apart): needs a Docker engine, and starts real containers with it; `apart`: shares nothing with others",
    "browser: needs a browser",
    "long: takes minutes with an engine; `scripts/test --all` has it, and so has CI",
)
LANES = 2
"""How many workers have tests with an engine. Their stacks mostly wait."""
ENGINE = "engine "
"""How the name of a group of such tests begins."""
FIRST = ("tests/lab/test_kills.py", "tests/container", "tests/stack", "tests/lab/test_own_data_kept.py")
"""What takes longest comes first; the second lane has what needs no image of the lab while the first makes them."""
NICER = 5
"""By how much other tests yield to those with an engine: all containers together have the weight of one program."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Make the setting of pytest-asyncio in pyproject.toml known where that plugin is not installed: no warning."""
    with suppress(ValueError):  # it is installed, and has declared it
        parser.addini("asyncio_default_fixture_loop_scope", "a setting of pytest-asyncio", "string", default=None)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers, so that a misspelt one is an error."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)


@cache
def needs_engine(file: Path) -> bool:
    """Whether tests of a file need an engine."""
    return "pytest.mark.engine" in file.read_text("utf-8")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """From the first file on that needs no engine, a worker of pytest-xdist yields to those whose files do."""
    if hasattr(item.config, "workerinput") and not needs_engine(item.path):
        os.setpriority(os.PRIO_PROCESS, 0, max(NICER, os.getpriority(os.PRIO_PROCESS, 0)))


def group_of(nodeid: str, root: Path) -> str:
    """The name of the tests that one worker has, one after the other: they share what they make.

    Without an engine, each test is a group, and so is one that is marked with `apart`. Otherwise it is the file; where
    a parameter is called `NAME:…`, those with the same name.
    """
    file, _, name = nodeid.partition("::")
    if not needs_engine(root / file):
        return nodeid
    if "pytest.mark.engine(apart=True)" in (root / file).read_text("utf-8"):
        return ENGINE + nodeid
    before, colon, _ = name.partition("[")[2].partition(":")
    return f"{ENGINE}{file} {before}" if colon else ENGINE + file


def choose(waiting: Iterable[str], lane: bool) -> str | None:
    """Which of the groups that wait a worker has next, None where it has none; those of the engine are for lanes."""
    waiting = list(waiting)
    engine = [name for name in waiting if lane and name.startswith(ENGINE)]
    ranks = {name: next((rank for rank, path in enumerate(FIRST) if path in name), len(FIRST)) for name in engine}
    return min(engine, key=ranks.__getitem__, default=next((n for n in waiting if not n.startswith(ENGINE)), None))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Tests that need an engine go to `LANES` workers of pytest-xdist, others one by one to whoever is free."""
    from xdist.scheduler import LoadScopeScheduling

    class Lanes(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid, config.rootpath)

        def _assign_work_unit(self, node: Any) -> None:
            group = self._next(node)
            if group is None:
                node.shutdown()
                return
            self.workqueue.move_to_end(group, last=False)
            super()._assign_work_unit(node)

        def _reschedule(self, node: Any) -> None:
            # A worker needs to know the next test to begin one. With an engine, more is better left to the other lane.
            if self._pending_of(self.assigned_work[node]) < 2 or not (self._next(node) or "").startswith(ENGINE):
                super()._reschedule(node)

        def _next(self, node: Any) -> str | None:
            return choose(self.workqueue, node in self.nodes[:LANES])

    return Lanes(config, log)
