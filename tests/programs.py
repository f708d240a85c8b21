"""The programs in benchmarks/ and scripts/ as modules: they stand in no package."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[1]


def loaded(path: str) -> ModuleType:
    """The program at a path of the repository, without `.py`: `benchmarks/boot`."""
    name = path.replace("/", ".")
    spec = importlib.util.spec_from_file_location(name, ROOT / f"{path}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module
