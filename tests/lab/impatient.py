"""A plugin for runs that the tests start, `-p tests.lab.impatient`: an engine that says nothing is given up sooner."""

from __future__ import annotations

from pytest_mailu.stack.docker import engine

SECONDS = 15
"""Instead of a minute."""

assert engine.DOCKER_TIMEOUT > SECONDS
engine.DOCKER_TIMEOUT = SECONDS
