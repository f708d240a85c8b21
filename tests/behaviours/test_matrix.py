"""What holds for every behaviour of the built-in matrix."""

from __future__ import annotations

import importlib
import pkgutil
import re

import pytest

import pytest_mailu.behaviours as package
from pytest_mailu.behaviours import built_in, declared_in
from pytest_mailu.behaviours.declaration import ANY_VARIANT, DECLARED
from pytest_mailu.stack.settings.variants import VARIANTS

MATRIX = list(built_in())


def test_every_behaviour_says_what_it_is() -> None:
    for behaviour in MATRIX:
        question = behaviour.question
        for words in (question.title, question.breaks, question.source):
            assert words, f"{behaviour.id} lacks a part of its docstring"
            assert not re.search(r"[{}]", words), f"{behaviour.id} leaves a name in braces: {words}"


def test_every_id_can_be_named_on_a_command_line() -> None:
    assert [one.id for one in MATRIX if not re.fullmatch(r"[a-z]+(/[A-Za-z0-9.+-]+)+", one.id)] == []


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
