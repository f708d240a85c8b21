"""What may import what: a complete table, read against the source, so that a wrong import fails at once."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.architecture import NAME, PACKAGE, ROWS, SOURCES, first_line, imports, own_imports, page, room, tree

ALL = sorted(SOURCES)


def test_the_root_holds_the_plugin_and_packages_only() -> None:
    assert {path.name for path in PACKAGE.iterdir() if path.is_file()} == {"__init__.py", "plugin.py", "py.typed"}


@pytest.mark.parametrize("module", ALL)
def test_every_module_is_in_a_row_and_imports_what_the_row_allows(module: str) -> None:
    own = room(module)
    rooms = {room(imported) for imported in own_imports(module) if imported} - {own}
    assert rooms <= ROWS[own]


def test_no_row_is_without_a_package_and_no_allowed_import_is_unused() -> None:
    used: dict[str, set[str]] = {name: set() for name in ROWS}
    for module in SOURCES:
        used[room(module)] |= {room(imported) for imported in own_imports(module) if imported}
    unused = {name: sorted(row - used[name]) for name, row in ROWS.items() if row - used[name]}
    assert unused == {}
    assert {room(module) for module in SOURCES} == set(ROWS)


def test_no_packages_import_each_other_in_a_circle() -> None:
    """On the level of the top packages, and of their sub-packages among themselves."""
    tops: dict[str, set[str]] = {}
    for name, row in ROWS.items():
        tops.setdefault(name.split(".")[0], set()).update(other.split(".")[0] for other in row)
    graph = {top: others - {top} for top, others in tops.items() if top}
    _has_order(graph)
    subs = {name: {other for other in row if "." in other} for name, row in ROWS.items() if "." in name}
    _has_order(subs)


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


def calls(node: ast.AST, *, looping: bool = False) -> Iterator[tuple[ast.Call, bool]]:
    """Every call, and whether it stands in a loop."""
    for child in ast.iter_child_nodes(node):
        inside = looping or isinstance(child, ast.While | ast.For | ast.AsyncFor)
        if isinstance(child, ast.Call):
            yield child, inside
        yield from calls(child, looping=inside)


SLEEPS_ARE_THE_PURPOSE = {
    "behaviours.inside_logs": "a behaviour watches the logs for some seconds",
    "worldapp.mail": "a scripted reply comes late by order",
}
"""Modules in which one sleep outside a loop is what was asked for."""


@pytest.mark.parametrize("module", sorted(SOURCES.keys() - SLEEPS_ARE_THE_PURPOSE.keys()))
def test_nothing_sleeps_except_between_two_looks(module: str) -> None:
    """A sleep, whatever names its seconds, stands in a loop that looks again; `asyncio.sleep(0)` only yields."""
    coroutines = any(isinstance(node, ast.AsyncFunctionDef) for node in ast.walk(tree(module)))
    for call, looping in calls(tree(module)):
        name = ast.unparse(call.func)
        if name not in ("time.sleep", "asyncio.sleep", "sleep"):
            continue
        argument = call.args[0] if call.args else None
        yields = isinstance(argument, ast.Constant) and argument.value == 0 and name != "time.sleep"
        assert looping or yields, f"line {call.lineno}"
        # Where an event loop runs, time.sleep would stop everything else.
        assert not (name == "time.sleep" and coroutines), f"line {call.lineno}"


@pytest.mark.parametrize("module", ALL)
def test_nothing_is_left_to_be_done(module: str) -> None:
    text = SOURCES[module].read_text("utf-8")
    assert not [word for word in ("TODO", "FIXME", "XXX", "NotImplementedError") if word in text]


@pytest.mark.parametrize("module", ALL)
def test_every_module_says_what_it_is_for(module: str) -> None:
    assert first_line(module)


def test_the_map_in_the_docs_is_the_one_that_the_table_makes() -> None:
    shown = Path(__file__).parents[1] / "docs" / "architecture-map.md"
    assert shown.read_text("utf-8") == page(), "run: python -m tests.architecture > docs/architecture-map.md"
