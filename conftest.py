"""What all tests of this repository share: pytest's own tool for testing plugins, and two markers."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

MARKERS = (
    "engine: needs a Docker engine, and starts real containers with it",
    "browser: needs a browser",
)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers, so that a misspelt one is an error."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
