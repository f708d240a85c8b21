"""The table of the packages: what each may import. The map in the docs is made from it (`python -m tests.pages`)."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

NAME = "pytest_mailu"
PACKAGE = Path(__file__).parents[1] / NAME


def _packages(*names: str) -> frozenset[str]:
    return frozenset(names)


_WIRE = ("wire.smtp", "wire.imap", "wire.pop3", "wire.sieve", "wire.http", "wire.tls", "wire.transport")

ROWS: Mapping[str, frozenset[str]] = {
    "": _packages("behaviours", "probe", "core"),
    "plugin": _packages("face"),
    "face": _packages(
        *("running", "behaviours", "probe", "stack.docker", "deployment", "reports", "reports.terminal"),
        *("judging", "core"),
    ),
    "running": _packages(
        *("sides", "behaviours", "deployment", "deployment.checks", "deployment.catalogue"),
        *("judging", "judging.advice", "core"),
    ),
    "sides": _packages(
        *("behaviours", "probe", "stack", "stack.compose", "stack.data", "stack.docker", "stack.evidence"),
        *("stack.settings", "stack.world", "wire.transport", "core"),
    ),
    "behaviours": _packages("probe", "stack.settings", "stack.world", *_WIRE, "core"),
    "probe": _packages(
        *("stack.world", "wire.smtp", "wire.imap", "wire.pop3", "wire.sieve", "wire.http", "wire.transport", "core")
    ),
    "stack": _packages(
        *("stack.compose", "stack.data", "stack.docker", "stack.evidence", "stack.readiness", "stack.settings"),
        *("stack.world", "wire.transport", "core"),
    ),
    "stack.data": _packages("stack.docker", "stack.evidence", "core"),
    "stack.readiness": _packages(
        *("stack.docker", "stack.world", "wire.http", "wire.smtp", "wire.transport"),
        "core",
    ),
    "stack.compose": _packages("stack.docker", "stack.settings", "core"),
    "stack.settings": _packages("stack.docker", "stack.world", "core"),
    "stack.world": _packages("wire.transport", "core"),
    "stack.evidence": _packages("core"),
    "stack.docker": _packages("core"),
    "worldapp": _packages(),
    "wire.tls": _packages("wire.smtp", "wire.imap", "wire.pop3", "wire.sieve", "wire.transport", "core"),
    "wire.http": _packages("wire.transport", "core"),
    "wire.imap": _packages("wire.transport", "core"),
    "wire.pop3": _packages("wire.transport", "core"),
    "wire.sieve": _packages("wire.transport", "core"),
    "wire.smtp": _packages("wire.transport", "core"),
    "wire.transport": _packages("core"),
    "wire": _packages(),
    "deployment.checks": _packages("deployment", "deployment.catalogue", "core"),
    "deployment": _packages("deployment.catalogue", "core"),
    "deployment.catalogue": _packages("core"),
    "reports.terminal": _packages("reports", "core"),
    "reports": _packages("judging", "core"),
    "judging.advice": _packages("judging", "core"),
    "judging": _packages("core"),
    "core": _packages(),
}
"""Every package with those that its modules may import beside itself. Each may import only packages that come after it.

`plugin` is a module; "" is the package's own `__init__.py`, which imports on first use.
"""


def name_of(path: Path) -> str:
    """The module of a file: `core.model`; `core` for `core/__init__.py`; "" for the package itself."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


SOURCES: Mapping[str, Path] = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def room(module: str) -> str:
    """The row that a module stands in: its package, or itself where the table names it. Raises LookupError for none."""
    own = module if SOURCES[module].name == "__init__.py" else module.rpartition(".")[0]
    candidates = (module, own)
    for candidate in candidates:
        if candidate in ROWS and (candidate or not module):
            return candidate
    raise LookupError(f"{module} is in no row of the table in tests/architecture.py")


@cache
def tree(module: str) -> ast.Module:
    """The module's source, parsed."""
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
    levels = [NAME, *module.split(".")] if module else [NAME]
    if SOURCES[module].name != "__init__.py":
        levels.pop()
    for node in nodes(tree(module), at_start=at_start):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = levels[: len(levels) - node.level + 1] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            names = {f"{base}.{alias.name}" for alias in node.names}
            found |= {name if name.removeprefix(f"{NAME}.") in SOURCES else base for name in names}
    return frozenset(found)


def own_imports(module: str, *, at_start: bool = False) -> frozenset[str]:
    """The modules of this package that a module imports, as `name_of` names them."""
    found = {name for name in imports(module, at_start=at_start) if name.split(".")[0] == NAME}
    return frozenset(name.removeprefix(NAME).removeprefix(".") for name in found)


def calls(node: ast.AST, *, looping: bool = False) -> Iterator[tuple[ast.Call, bool]]:
    """Every call below a node, and whether it stands in a loop."""
    for child in ast.iter_child_nodes(node):
        inside = looping or isinstance(child, ast.While | ast.For | ast.AsyncFor)
        if isinstance(child, ast.Call):
            yield child, inside
        yield from calls(child, looping=inside)


def fixed_sleeps(source: ast.Module) -> Iterator[str]:
    """The sleeps of a module that no loop looks after, whatever names their seconds; `asyncio.sleep(0)` only yields.

    Where an event loop runs, `time.sleep` is one as well: it would stop everything else.
    """
    coroutines = any(isinstance(node, ast.AsyncFunctionDef) for node in ast.walk(source))
    for call, looping in calls(source):
        name = ast.unparse(call.func)
        if name.rpartition(".")[2] != "sleep":
            continue
        blocks = name == "time.sleep"
        yields = not blocks and [ast.unparse(argument) for argument in call.args] == ["0"]
        if (blocks and coroutines) or not (looping or yields):
            yield f"line {call.lineno}: {ast.unparse(call)}"


def first_line(module: str) -> str:
    """The first sentence of a module's docstring, on one line."""
    text = ast.get_docstring(tree(module)) or ""
    return " ".join(text.partition("\n\n")[0].split())


def page() -> str:
    """The map of the code as Markdown: every package with what it may import, and every module with its first line."""
    lines = [
        "# Map of the code",
        "",
        "Made by `python -m tests.pages` from the table in `tests/architecture.py` and the first line of each module.",
        "",
    ]
    for name, allowed in ROWS.items():
        members = [module for module in SOURCES if room(module) == name]
        package = name if name in SOURCES and SOURCES[name].name == "__init__.py" else ""
        lines += [f"## `{name or NAME}`", ""]
        if package in members and package:
            lines += [first_line(package), ""]
        lines += [
            f"May import: {', '.join(f'`{other}`' for other in sorted(allowed)) or 'nothing of ours'}.",
            "",
        ]
        shown = [module for module in members if not (module == package and package)]
        if shown:
            lines += ["| module | purpose |", "|---|---|"]
            lines += [f"| `{module.rpartition('.')[2] or NAME}` | {first_line(module)} |" for module in shown]
            lines.append("")
    return "\n".join(lines)
