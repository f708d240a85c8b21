"""The glossary: what it names exists, and the names that it retires have not come back."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text("utf-8")
SOURCES = sorted((ROOT / "pytest_mailu").rglob("*.py"))
CODE = re.findall(r"\| `([\w.]+\.[A-Z]\w+)` \|$", GLOSSARY, re.MULTILINE)
RETIRED = frozenset(re.findall(r"`(\w+)`", GLOSSARY.partition("## Retired names")[2]))


@pytest.mark.parametrize("name", CODE)
def test_what_the_glossary_names_is_there(name: str) -> None:
    module, _, member = name.rpartition(".")
    assert hasattr(importlib.import_module(f"pytest_mailu.{module}"), member)


def test_every_public_class_of_the_model_is_in_the_glossary_or_explains_itself() -> None:
    """The test went through the names of the glossary, and asked each whether it is there."""
    module = importlib.import_module("pytest_mailu.core.model")
    public = {
        name: thing
        for name, thing in vars(module).items()
        if isinstance(thing, type) and thing.__module__ == module.__name__ and not name.startswith("_")
    }
    assert len(public) >= 20
    silent = [name for name, thing in public.items() if not explains_itself(thing)]
    assert not [name for name in silent if f"core.model.{name}" not in CODE]


def explains_itself(thing: type) -> bool:
    """Whether a class has a sentence of its own: dataclasses without one get their signature, and enumerations none."""
    return bool(thing.__doc__) and not str(thing.__doc__).startswith(f"{thing.__name__}(")


def identifiers(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every name that a source defines, with its line."""
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name, node.lineno
            case ast.arg(arg=name):
                yield name, node.lineno
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield name, node.lineno


def words(name: str) -> set[str]:
    """The words of an identifier: `SocksDoor` and `socks_door` are socks and door; and the identifier as it is."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return {word.lower() for word in spaced.split("_") if word} | {name}


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_retired_name_comes_back(source: Path) -> None:
    found = [
        f"line {line}: {name}"
        for name, line in identifiers(ast.parse(source.read_text("utf-8")))
        if words(name) & RETIRED or words(name) & {f"{word}s" for word in RETIRED}
    ]
    assert not found


def test_no_module_has_a_retired_name() -> None:
    assert not [source for source in SOURCES if words(source.stem) & RETIRED]
