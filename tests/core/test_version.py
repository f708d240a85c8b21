from __future__ import annotations

import tomllib
from pathlib import Path

import pytest_mailu


def test_reports_name_the_version_of_the_package() -> None:
    declared = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))
    assert pytest_mailu.__version__ == declared["project"]["version"]
