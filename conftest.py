"""What all tests of this repository share: pytest's own tool for testing plugins, two markers, a setting."""

from __future__ import annotations

from contextlib import suppress

import pytest

pytest_plugins = ["pytester"]

MARKERS = (
    "engine: needs a Docker engine, and starts real containers with it",
    "browser: needs a browser",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Make the setting of pytest-asyncio in pyproject.toml known where that plugin is not installed: no warning."""
    with suppress(ValueError):  # it is installed, and has declared it
        parser.addini("asyncio_default_fixture_loop_scope", "a setting of pytest-asyncio", "string", default=None)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers, so that a misspelt one is an error."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
