"""The matrix of behaviours: one module per family. A new behaviour is a new function in a module, or a new module."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType
from typing import Any

from pytest_mailu.behaviours.declaration import DECLARED, Behaviour, Matrix, behaviour

__all__ = ["Behaviour", "Matrix", "behaviour", "built_in", "declared_in"]


def built_in() -> Matrix:
    """The matrix of the package, family by family in alphabetical order."""
    matrix = Matrix()
    for module in pkgutil.iter_modules(__path__):
        matrix.add(*declared_in(importlib.import_module(f"{__name__}.{module.name}")))
    return matrix


def declared_in(module: ModuleType | Any) -> list[Any]:
    """The functions of a module (a family, or a user's conftest) that declare behaviours, in order of the source."""
    name = getattr(module, "__name__", None)
    return [
        member
        for member in vars(module).values()
        if hasattr(member, DECLARED) and getattr(member, "__module__", None) == name
    ]
