"""What holds for every behaviour of the built-in matrix."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys

import pytest

import pytest_mailu.behaviours as package
from pytest_mailu.behaviours import built_in, declared_in
from pytest_mailu.behaviours.declaration import ANY_VARIANT, DECLARED, LIMITER
from pytest_mailu.core.model import Vantage
from pytest_mailu.stack.settings.variants import VARIANTS

MATRIX = list(built_in())


def test_every_behaviour_says_what_it_is() -> None:
    for behaviour in MATRIX:
        question = behaviour.question
        for words in (question.title, question.breaks, question.source):
            assert words, f"{behaviour.id} lacks a part of its docstring"
            assert not re.search(r"[{}]", words), f"{behaviour.id} leaves a name in braces: {words}"


def test_every_id_can_be_named_on_a_command_line() -> None:
    assert [one.id for one in MATRIX if not re.fullmatch(r"[a-z][a-z0-9]*(/[A-Za-z0-9_.+-]+)+", one.id)] == []


def test_every_behaviour_can_be_asked() -> None:
    variants = {ANY_VARIANT, *(variant.name for variant in VARIANTS)}
    assert [one.id for one in MATRIX if one.variant not in variants or one.timeout <= 0] == []


def test_every_id_is_there_once() -> None:
    ids = [behaviour.id for behaviour in MATRIX]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("name", [module.name for module in pkgutil.iter_modules(package.__path__)])
def test_a_file_holds_one_family(name: str) -> None:
    module = importlib.import_module(f"{package.__name__}.{name}")
    families = {behaviour.question.family for one in declared_in(module) for behaviour in getattr(one, DECLARED)}
    assert families <= {name.partition("_")[0]}


def test_who_comes_from_where_the_limiter_counts_needs_it_undisturbed() -> None:
    """Otherwise they are asked beside those that fill its counters, and are refused."""
    found = set()
    for behaviour in built_in():
        asks = inspect.getclosurevars(behaviour.ask).nonlocals
        function, given = asks["function"], asks["given"]
        source = inspect.getsource(function).partition('"""')[2].partition('"""')[2]
        named = re.search(r"OTHER_STRANGER|\bHERE\b|\battempt\(|\b_tries\(", source)
        if named or Vantage.OTHER_STRANGER in given.values():
            found.add(behaviour.id)
            assert LIMITER in behaviour.needs, behaviour.id
    assert {"relay/25/other-stranger-to-elsewhere", "inbound/25/from-another-network"} <= found
    assert sum(id_.startswith("access/limits/") for id_ in found) == 9


def test_the_matrix_imports_nothing_that_only_asking_needs() -> None:
    """Two recordings are compared in a second or two: these libraries would take as long again to import."""
    script = "import sys, pytest_mailu.behaviours as b; list(b.built_in()); print(*sorted(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in ran.stdout.split()}
    assert "pytest_mailu" in loaded
    assert loaded & {"dkim", "dns", "docker", "httpcore", "httpx", "testinfra", "trio"} == set()
