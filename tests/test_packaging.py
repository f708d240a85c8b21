"""What is shipped: the wheel has all it needs and finds it, and so has the editable install."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from configparser import ConfigParser
from email import message_from_string
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]

ASK = """
import json, pathlib, pytest_mailu
from pytest_mailu.judging.advice import Advisor
from pytest_mailu.behaviours import built_in
from pytest_mailu.core.releases import compose_folder
from pytest_mailu.core.shipped import shipped
from pytest_mailu.sides.recording import load
from pytest_mailu.stack.compose.command import template
from pytest_mailu.stack.world.zipapp import build_zipapp
print(json.dumps({
    "home": str(pathlib.Path(pytest_mailu.__file__).parent.parent),
    "compose": sorted(path.name for path in compose_folder().iterdir()),
    "services": [len(template(name)["services"]) for name in ("mailu", "world")],
    "recordings": sorted(shipped()),
    "loaded": {name: len(load(f"recorded:{name}").observations) for name in shipped()},
    "behaviours": len(built_in()),
    "advice": len(Advisor.load().entries),
    "world": len(build_zipapp()) > 10_000,
}))
"""


def ask(*, path: Path, folder: Path) -> Any:
    """What the package that stands in `path` says of itself, asked from another folder."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PYTHON"))}
    command = [sys.executable, "-P", "-c", ASK]
    done = subprocess.run(
        command, cwd=folder, env={**environ, "PYTHONPATH": str(path)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built with the project's own backend, as pip does it."""
    folder = tmp_path_factory.mktemp("wheel")
    code = f"import hatchling.build; print(hatchling.build.build_wheel({str(folder)!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / done.stdout.split()[-1]


@pytest.fixture(scope="module")
def files(wheel: Path) -> Iterator[zipfile.ZipFile]:
    with zipfile.ZipFile(wheel) as opened:
        yield opened


def checkout(folder: str, pattern: str = "*") -> set[str]:
    found = (ROOT / folder).rglob(pattern)
    files = {path.relative_to(ROOT) for path in found if path.is_file()}
    return {str(path) for path in files if not any(part.startswith((".", "__pycache__")) for part in path.parts)}


def expected() -> dict[str, Any]:
    return {
        "compose": sorted(Path(name).name for name in checkout("compose")),
        "recordings": sorted(Path(name).stem for name in checkout("recordings", "*.json")),
    }


def test_the_wheel_has_every_file_of_the_package_and_nothing_else(files: zipfile.ZipFile) -> None:
    inside = {name for name in files.namelist() if ".dist-info/" not in name}
    shipped = {
        name.replace("compose/", "pytest_mailu/_compose/", 1) if name.startswith("compose/") else name
        for name in checkout("compose") | checkout("pytest_mailu")
    } | {name.replace("recordings/", "pytest_mailu/_recordings/", 1) for name in checkout("recordings")}
    assert inside == shipped
    assert "pytest_mailu/py.typed" in inside


def test_the_metadata_names_the_entry_point_the_python_and_the_licence(files: zipfile.ZipFile) -> None:
    (home,) = {name.split("/")[0] for name in files.namelist() if ".dist-info/" in name}
    points = ConfigParser()
    points.read_string(files.read(f"{home}/entry_points.txt").decode())
    assert dict(points["pytest11"]) == {"mailu": "pytest_mailu.plugin"}
    metadata = message_from_string(files.read(f"{home}/METADATA").decode())
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "MIT"
    assert f"{home}/licenses/LICENSE" in files.namelist()


def test_a_wheel_that_is_installed_finds_what_it_brings(wheel: Path, tmp_path: Path) -> None:
    target = tmp_path / "site"
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--no-compile"]
    subprocess.run([*command, "--target", str(target), str(wheel)], check=True, capture_output=True)
    said = ask(path=target, folder=tmp_path)
    assert said["home"] == str(target)
    check(said)


def test_a_checkout_on_the_path_as_editable_installs_put_it_there_finds_the_same(tmp_path: Path) -> None:
    said = ask(path=ROOT, folder=tmp_path)
    assert said["home"] == str(ROOT)
    check(said)


def check(said: Any) -> None:
    assert {key: said[key] for key in ("compose", "recordings")} == expected()
    assert all(said["services"])
    assert set(said["loaded"]) == set(said["recordings"])
    assert all(said["loaded"].values())
    assert said["behaviours"] >= 70
    assert said["advice"]
    assert said["world"]
