"""What may import what: a complete table, read against the source, so that a wrong import fails at once."""

from __future__ import annotations

import ast
import re
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import cast

import pytest

from tests.architecture import (
    NAME,
    PACKAGE,
    ROWS,
    SOURCES,
    first_line,
    fixed_sleeps,
    imports,
    own_imports,
    room,
    tree,
)

ALL = sorted(SOURCES)


def test_the_root_holds_the_plugin_and_packages_only() -> None:
    assert {path.name for path in PACKAGE.iterdir() if path.is_file()} == {"__init__.py", "plugin.py", "py.typed"}


@pytest.mark.parametrize("module", ALL)
def test_every_module_is_in_a_row_and_imports_what_the_row_allows(module: str) -> None:
    own = room(module)
    rooms = {room(imported) for imported in own_imports(module)} - {own}
    assert rooms <= ROWS[own]


@pytest.mark.parametrize("module", ["stray", "attic.stray", "stack.attic.stray"])
def test_a_module_that_is_in_no_row_is_an_error(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cast(dict[str, Path], SOURCES), module, PACKAGE / f"{module.replace('.', '/')}.py")
    with pytest.raises(LookupError, match="in no row"):
        room(module)


def test_no_row_is_without_a_package_and_no_allowed_import_is_unused() -> None:
    used: dict[str, set[str]] = {name: set() for name in ROWS}
    for module in SOURCES:
        used[room(module)] |= {room(imported) for imported in own_imports(module)}
    unused = {name: sorted(row - used[name]) for name, row in ROWS.items() if row - used[name]}
    assert unused == {}
    assert {room(module) for module in SOURCES} == set(ROWS)


def test_every_row_allows_only_packages_below_it() -> None:
    """So nothing imports upwards, and no packages or sub-packages import each other in a circle."""
    order = list(ROWS)
    upwards = {name: sorted(row & set(order[: order.index(name) + 1])) for name, row in ROWS.items()}
    assert {name: row for name, row in upwards.items() if row} == {}


def test_no_packages_at_the_top_import_each_other_in_a_circle() -> None:
    tops: dict[str, set[str]] = {}
    for name, row in ROWS.items():
        tops.setdefault(name.split(".")[0], set()).update(other.split(".")[0] for other in row)
    _has_order({top: others - {top} for top, others in tops.items()})


def test_no_modules_import_each_other_in_a_circle() -> None:
    _has_order({module: set(own_imports(module, at_start=True)) & SOURCES.keys() - {module} for module in SOURCES})


def _has_order(graph: dict[str, set[str]]) -> None:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


def test_only_the_face_knows_pytest() -> None:
    for module in SOURCES:
        if room(module) not in ("face", "plugin"):
            assert not {name.split(".")[0] for name in imports(module)} & {"pytest", "_pytest"}, module


SIDE_EFFECTS = {"asyncio", "threading", "socket", "subprocess", "docker", "httpx", "time"}


@pytest.mark.parametrize("module", [module for module in ALL if room(module) in ("core", "judging", "judging.advice")])
def test_what_judges_touches_no_network_no_engine_and_no_clock(module: str) -> None:
    assert not {name.split(".")[0] for name in imports(module)} & SIDE_EFFECTS


WORLDAPP = [module for module in ALL if room(module) == "worldapp"]


@pytest.mark.parametrize("module", WORLDAPP)
def test_the_world_is_written_for_the_oldest_python_and_with_what_it_brings_along(module: str) -> None:
    ast.parse(SOURCES[module].read_text("utf-8"), feature_version=(3, 9))
    used = {name.split(".")[0] for name in imports(module)} - {NAME}
    assert used - set(sys.stdlib_module_names) <= {"aiosmtpd", "dnslib"}


SLEEPS_ARE_THE_PURPOSE = {
    "behaviours.inside_logs": "a behaviour watches the logs for some seconds",
    "running.closed_ports": "a look confirms an attempt only when it is later than a restart takes",
    "worldapp.mail": "a scripted reply comes late by order",
}
"""Modules in which one sleep outside a loop is what was asked for."""


@pytest.mark.parametrize("module", sorted(SOURCES.keys() - SLEEPS_ARE_THE_PURPOSE.keys()))
def test_nothing_sleeps_except_between_two_looks(module: str) -> None:
    assert list(fixed_sleeps(tree(module))) == []


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("await asyncio.sleep(1)", 1),
        ("await asyncio.sleep(PAUSE)", 1),
        ("await asyncio.sleep(delay=PAUSE)", 1),
        ("await loop.sleep(self.pause)", 1),
        ("await sleep(PAUSE)", 1),
        ("await asyncio.sleep(0)", 0),
        ("while not ready(): await asyncio.sleep(PAUSE)", 0),
        ("while not ready(): time.sleep(PAUSE)", 1),
    ],
)
def test_a_sleep_is_found_whatever_names_its_seconds(body: str, found: int) -> None:
    assert len(list(fixed_sleeps(ast.parse(f"async def wait():\n    {body}")))) == found


@pytest.mark.parametrize("module", ALL)
def test_nothing_is_left_to_be_done(module: str) -> None:
    text = SOURCES[module].read_text("utf-8")
    assert not [word for word in ("TODO", "FIXME", "XXX", "NotImplementedError") if re.search(rf"\b{word}\b", text)]


@pytest.mark.parametrize("module", ALL)
def test_every_module_says_what_it_is_for(module: str) -> None:
    assert first_line(module)
