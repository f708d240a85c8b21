"""Every error that pytest-mailu raises for people, read from the source, and the list of them in the docs.

`python -m tests.pages` writes the list in docs/troubleshooting.md anew.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "troubleshooting.md"
MARK = "<!-- From here on the page is made by: python -m tests.pages -->\n"

AREAS: Mapping[str, tuple[str, ...]] = {
    "Command line and sides": (
        *("plugin", "face", "core.plan", "core.releases", "core.ranges", "core.setups", "running.selection"),
        *("core.optional_services", "running.setup_runs", "sides.factory"),
        *("deployment.fix", "deployment.log_counts", "running.engine_logs", "running.host", "stack.docker.sweep"),
    ),
    "Recordings, reports and waivers": ("core.serialization", "sides.recording", "reports", "judging.waiver_file"),
    "Your files": (
        "deployment",
        "core.export_file",
        "stack.settings",
        "stack.compose.user_file",
        "stack.compose.user_folder",
    ),
    "Docker and the machine": ("stack", "sides"),
    "Behaviours of your own": ("behaviours", "core.population"),
}
"""Headline → modules and packages; the first that matches counts."""
OF_THE_PACKAGE = ("judging.advice", "deployment.catalogue")
"""Mistakes in data that comes with the package: users never see them."""
HELPERS = {"_error": {"deployment.env_file": (0, 1), "deployment.yaml_tree": (1, 2)}}
"""Functions that make such an error, with the positions of cause and remedy."""

CURES = {
    "there is no behaviour …": "See the ids with: pytest --mailu-from … --mailu-to … --collect-only -q",
    "the service … of Mailu … …": "Read the last log lines; if the machine is busy, raise --mailu-timeout",
}
"""What to do where the source composes it."""


@dataclass(frozen=True, slots=True, order=True)
class Message:
    """One error, with `…` for what differs from one case to the next."""

    cause: str
    remedy: str


def messages() -> dict[str, list[Message]]:
    """All errors by area, each once, in alphabetical order."""
    found: dict[str, set[Message]] = {area: set() for area in AREAS}
    package = ROOT / "pytest_mailu"
    for path in sorted(package.rglob("*.py")):
        module = ".".join(path.relative_to(package).with_suffix("").parts).removesuffix(".__init__")
        if not module.startswith(OF_THE_PACKAGE):
            for message in _of_module(module, ast.parse(path.read_text("utf-8"))):
                found[_area(module)].add(message)
    return {area: sorted(members) for area, members in found.items()}


def _area(module: str) -> str:
    for area, members in AREAS.items():
        if any(module == member or module.startswith(f"{member}.") for member in members):
            return area
    raise LookupError(f"{module} raises errors for people and is in no area of tests/errors.py")


def _of_module(module: str, tree: ast.Module) -> Iterator[Message]:
    known = _texts(tree)
    for node in ast.walk(tree):
        pair: tuple[ast.expr | None, ast.expr | None] | None = None
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).rpartition(".")[2]
            if name in ("UsageError", "StackError") and node.args:
                pair = node.args[0], node.args[1] if len(node.args) > 1 else None
            elif module in HELPERS.get(name, {}):
                cause, remedy = HELPERS[name][module]
                pair = node.args[cause], node.args[remedy]
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "(cause, remedy)":
            pair = tuple(node.value.elts) if isinstance(node.value, ast.Tuple) else None  # type: ignore[assignment]
        if pair is None:
            continue
        cause_text = _text(pair[0], known)
        # What is left but `line` is told where the helper is called.
        if re.search(r"\w{3}", cause_text.replace("line", "")):
            yield Message(cause_text, CURES.get(cause_text, _text(pair[1], known)))


def _texts(tree: ast.Module) -> dict[str, str]:
    """Names that stand for a text, wherever in the module they are assigned."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and (text := _text(node.value, {})):
            found.setdefault(node.targets[0].id, text)
    return found


def _text(node: ast.expr | None, known: Mapping[str, str]) -> str:
    """A text as people read it; empty where the source does not tell it."""
    match node:
        case ast.Constant(value=str(value)):
            return value
        case ast.JoinedStr(values=parts):
            text = "".join(_text(part, known) if isinstance(part, ast.Constant) else "…" for part in parts)
            return re.sub(r"…(?:, …)+", "…", text)
        case ast.Name(id=name):
            return known.get(name, "")
    return ""


def page() -> str:
    """The whole page: what is written by hand, then the list."""
    by_hand = PAGE.read_text("utf-8").partition(MARK)[0]
    lines = [by_hand + MARK, "## Every message", "", "`…` stands for what differs: a path, a release, a number."]
    for area, members in messages().items():
        lines += ["", f"### {area}", ""]
        lines += [_line(message) for message in members]
    return "\n".join(lines) + "\n"


def _line(message: Message) -> str:
    remedy = message.remedy
    cure = f" {remedy[0].upper()}{remedy[1:]}{'' if remedy.endswith(('.', '…', '?', '!')) else '.'}" if remedy else ""
    return f"* **{_escaped(message.cause)}**{_escaped(cure)}"


def _escaped(text: str) -> str:
    """Markdown shows it as it is."""
    return re.sub(r"([*_<>\[\]\\])", r"\\\1", text)
