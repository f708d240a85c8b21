"""The benchmark of a whole run finds the line of the decision, of whatever it is told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.programs import loaded


@pytest.fixture(scope="module")
def boot() -> ModuleType:
    return loaded("benchmarks/boot")


@pytest.mark.parametrize("part", [(), ("-k", "tls")])
def test_the_decision_is_seen_also_where_it_is_over_a_part(
    boot: ModuleType, part: tuple[str, ...], tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "--tb=no", "-p", "no:cacheprovider"]
    sides = ("--mailu-from", "recorded:2.0.43", "--mailu-to", "recorded:2024.06.24")
    said = subprocess.run([*command, *sides, *part], cwd=tmp_path, capture_output=True, text=True, check=False)
    [line] = [line for line in said.stdout.splitlines() if boot._DECISION.match(line)]
    assert line.startswith("NO-GO")
    assert (" for " in line) == bool(part)
