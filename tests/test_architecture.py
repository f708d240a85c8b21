"""What may know what. Read from the source, so that a wrong import is found before it is convenient."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "pytest_mailu"
NAME = PACKAGE.name


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


SOURCES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(SOURCES[module].read_text("utf-8"))


def nodes(node: ast.AST, *, at_start: bool) -> Iterator[ast.AST]:
    """All nodes below one; `at_start` leaves out what runs later (functions) or never (for typing)."""
    for child in ast.iter_child_nodes(node):
        later = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        never = isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"
        if not (at_start and (later or never)):
            yield child
            yield from nodes(child, at_start=at_start)


@cache
def imports(module: str, *, at_start: bool = False) -> frozenset[str]:
    """What a module imports, by full name; `at_start` only what it imports as soon as it is imported itself."""
    found: set[str] = set()
    levels = module.split(".") if SOURCES[module].name == "__init__.py" else module.split(".")[:-1]
    for node in nodes(tree(module), at_start=at_start):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = levels[: len(levels) - node.level + 1] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            names = {f"{base}.{alias.name}" for alias in node.names}
            found |= {name if name in SOURCES else base for name in names}
    return frozenset(found)


def area(module: str) -> str:
    """The second part of one of our names: `wire`, `model` …; "" for the package itself."""
    return module.partition(".")[2].partition(".")[0]


def areas(module: str) -> set[str]:
    """The other areas that a module imports from."""
    return {area(name) for name in imports(module) if name.split(".")[0] == NAME} - {area(module), ""}


def test_nothing_imports_the_plugin_and_only_the_plugin_its_working_half() -> None:
    for module in SOURCES:
        assert f"{NAME}.plugin" not in imports(module), module
        if module != f"{NAME}.plugin":
            assert f"{NAME}.active" not in imports(module), module
        if module != f"{NAME}.active":
            assert f"{NAME}.items" not in imports(module), module


def test_only_the_face_knows_pytest() -> None:
    face = {f"{NAME}.{name}" for name in ("plugin", "active", "items", "configured", "fixtures", "hookspecs")}
    knowing = {
        module for module in SOURCES if any(name.split(".")[0] in ("pytest", "_pytest") for name in imports(module))
    }
    assert knowing == face


PURE = ("model", "globs", "compare", "judge", "findings", "errors", "population", "ways", "places")


@pytest.mark.parametrize("name", PURE)
def test_what_judges_touches_no_network_no_engine_and_no_clock(name: str) -> None:
    used = {module.split(".")[0] for module in imports(f"{NAME}.{name}")}
    assert not used & {"asyncio", "threading", "socket", "subprocess", "docker", "httpx", "time", "datetime", "os"}


ALLOWED: Mapping[str, set[str]] = {
    "model": set(),
    "errors": set(),
    "globs": set(),
    "population": set(),
    "compare": {"globs", "model"},
    "judge": {"compare", "model"},
    "findings": {"judge", "model"},
    "jsonio": {"errors", "model"},
    "wire": {"model"},
    "letters": {"population"},
    "worldapp": set(),
    "stack": {"errors", "model", "population", "releases", "wire", "worldapp"},
    "runner": {"behaviours", "judge", "model", "sides"},
}
"""What these may import; names of modules and of packages."""
BARRED: Mapping[str, set[str]] = {
    "behaviours": {"sides", "run", "runner", "book", "judge", "findings", "reports", "advice"},
    "probe": {"sides", "behaviours", "run", "runner", "judge", "reports"},
    "sides": {"run", "runner", "book", "findings", "reports", "advice"},
    "reports": {"sides", "stack", "wire", "behaviours", "probe", "run", "runner", "book", "plan"},
    "advice": {"sides", "stack", "wire", "behaviours", "probe", "run", "runner", "reports"},
    "run": {"reports", "findings", "book", "advice"},
}
"""What these must not import."""


@pytest.mark.parametrize("name", [*ALLOWED, *BARRED])
def test_dependencies_point_one_way(name: str) -> None:
    for module in SOURCES:
        if area(module) == name:
            found = areas(module)
            assert found <= ALLOWED.get(name, found), module
            assert not found & BARRED.get(name, set()), module


def test_no_modules_import_each_other_in_a_circle() -> None:
    try:
        TopologicalSorter(
            {module: imports(module, at_start=True) & SOURCES.keys() - {module} for module in SOURCES}
        ).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


WORLDAPP = [module for module in SOURCES if module.startswith(f"{NAME}.worldapp")]


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


def test_nothing_sleeps_a_fixed_time_except_between_two_looks() -> None:
    for module in SOURCES:
        for call, looping in calls(tree(module)):
            name = ast.unparse(call.func)
            if name == "time.sleep":
                # Where an event loop runs, it would stop everything else.
                assert looping, f"{module}:{call.lineno}"
                assert not any(isinstance(node, ast.AsyncFunctionDef) for node in ast.walk(tree(module))), module
            if name == "asyncio.sleep" and isinstance(call.args[0], ast.Constant):
                assert looping or call.args[0].value == 0, f"{module}:{call.lineno}"


def test_nothing_is_left_to_be_done() -> None:
    for module, path in SOURCES.items():
        text = path.read_text("utf-8")
        assert not [word for word in ("TODO", "FIXME", "XXX", "NotImplementedError") if word in text], module


def test_every_module_says_what_it_is_for() -> None:
    assert [module for module in SOURCES if not ast.get_docstring(tree(module)) and tree(module).body] == []
