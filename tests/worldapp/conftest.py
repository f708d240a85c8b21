"""A real world for the tests: the packed file in two processes, the world and its ingress, on addresses of 127.0.0.0/8.

Every port is the kernel's choice, so several of them live side by side.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from pytest_mailu.core.model import Vantage
from pytest_mailu.stack.docker.networks import Segment
from pytest_mailu.stack.world.control import World
from pytest_mailu.stack.world.plan import PORTS, make_plan
from pytest_mailu.stack.world.zipapp import build_zipapp
from pytest_mailu.wire.transport.connector import SocksConnector

PLACES = {
    vantage: Segment(IPv4Network(f"127.0.{number}.0/24"), 10 if vantage is Vantage.INSIDE else 20)
    for number, vantage in enumerate((one for one in Vantage if not one.over_ipv6), start=51)
}

TOKEN = "a-token-of-this-run"


@dataclass(frozen=True)
class Running:
    """A world process: what it was started with, and where it listens."""

    process: subprocess.Popen[str]
    ingress: subprocess.Popen[str]
    plan: Mapping[str, Any]
    ports: Mapping[str, int]
    errors: Path

    @property
    def world(self) -> World:
        return World(SocksConnector(self.ports["proxy"], self.token))

    @property
    def token(self) -> str:
        return str(self.plan["proxy"]["token"])

    @property
    def address(self) -> str:
        return str(PLACES[Vantage.INSIDE].world)


def interpreters() -> list[str]:
    """This Python, and the oldest one the world has to run on (Mailu 1.9's) where this machine has it."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [shutil.which("python3.9"), *(str(path) for path in versions.glob("3.9.*/bin/python"))]
    oldest = [path for path in candidates if path and runs(path)]
    return [sys.executable, *oldest[:1]]


def runs(python: str) -> bool:
    return subprocess.run([python, "-c", ""], check=False, capture_output=True).returncode == 0


@contextmanager
def running(folder: Path, plan: Mapping[str, Any], python: str = sys.executable) -> Iterator[Running]:
    (folder / "world.pyz").write_bytes(build_zipapp())
    # A path of a Unix socket has 107 bytes at most (unix(7)).
    with TemporaryDirectory(prefix="ingress-") as short:
        plan = {**plan, "proxy": {**plan["proxy"], "ingress": f"{short}/socket"}}
        (folder / "plan.json").write_text(json.dumps(plan))
        # -I -S: nothing but the standard library and what the file brings along, as in Mailu's container.
        command = [python, "-I", "-S", str(folder / "world.pyz")]
        errors = folder / "errors.txt"
        with (
            errors.open("w") as stderr,
            subprocess.Popen(
                [*command, str(folder / "plan.json")], stdout=subprocess.PIPE, stderr=stderr, text=True
            ) as process,
            subprocess.Popen(
                [*command, "--ingress", plan["proxy"]["ingress"], "0"],
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            ) as ingress,
        ):
            try:
                ports: dict[str, int] = {}
                for one in (process, ingress):
                    assert one.stdout is not None
                    line = one.stdout.readline()
                    assert line, errors.read_text()
                    ports |= json.loads(line)["ports"]
                yield Running(process, ingress, plan, ports, errors)
            finally:
                process.kill()
                ingress.kill()


def own_plan() -> dict[str, Any]:
    ports, services = dict.fromkeys(PORTS, 0), {"imap": "127.0.53.13"}
    return make_plan(PLACES, ports=ports, token=TOKEN, services=services)


@pytest.fixture
def plan() -> dict[str, Any]:
    return own_plan()


@pytest.fixture(scope="session", params=interpreters(), ids=lambda path: "now" if path == sys.executable else "oldest")
def here(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("world"), own_plan(), request.param) as found:
        yield found


@pytest.fixture
def start(tmp_path: Path) -> Any:
    """A function that starts a world of one's own: a context manager of (plan)."""
    return lambda plan: running(tmp_path, plan)


@pytest.fixture
def segments() -> Mapping[Vantage, Segment]:
    return PLACES
