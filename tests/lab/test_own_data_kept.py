"""The user's own data is byte for byte and time for time the same, however a run over it ends.

`LAB_WHOLE=1 pytest tests/lab/test_own_data_kept.py` strikes at 20 moments; they are drawn, and told where one fails.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

import docker
import pytest

from pytest_mailu.core.errors import StackError
from pytest_mailu.stack.data import copier
from pytest_mailu.stack.data.copier import Sources
from pytest_mailu.stack.data.helper import Helper, Mounted
from pytest_mailu.stack.docker.engine import Engine
from pytest_mailu.stack.docker.labels import RunIdentity
from tests.lab import own_folder
from tests.lab.build import ORG, build
from tests.lab.left import left_by
from tests.waiting import eventually

pytestmark = [pytest.mark.engine, pytest.mark.long]

STRIKES = 20 if os.environ.get("LAB_WHOLE") else 2
SEED = int(os.environ.get("LAB_SEED", time.time_ns() % 10**6))
RUN = (
    *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--mailu-from", "2024.06", "--mailu-to", "2024.06"),
    *("--mailu-in-place", "--mailu-pull", "never", "-k", "upgrade and own"),
)


@contextmanager
def started(folder: Path, data: Path, *options: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / "output").open("wb") as output:
        run = subprocess.Popen(
            [*RUN, *options, "--mailu-data", str(data), "--mailu-report", str(folder / "report")],
            cwd=folder,
            env={**os.environ, "DOCKER_ORG": ORG, "PYTHONUNBUFFERED": "1", **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield run
    finally:
        run.kill()
        run.wait()


def nobody_is_named(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            text = path.read_text("utf-8", "replace")
            assert own_folder.DOMAIN not in text, path
            assert own_folder.WORD not in text, path


@pytest.fixture(scope="module")
def duration(tmp_path_factory: pytest.TempPathFactory) -> float:
    """Seconds that a run takes when nobody ends it; it ends well, and names nobody."""
    build()
    folder = tmp_path_factory.mktemp("undisturbed")
    data = own_folder.make(tmp_path_factory.mktemp("data") / "mailu")
    before = own_folder.fingerprint(data)
    begun = time.monotonic()
    with started(folder, data) as run:
        status = run.wait(timeout=600)
    said = (folder / "output").read_text("utf-8", "replace")
    assert status == 0, said
    assert own_folder.fingerprint(data) == before
    assert (folder / "report" / "report.json").is_file()
    nobody_is_named(folder)
    return time.monotonic() - begun


@pytest.mark.parametrize("strike", range(STRIKES))
def test_own_data_is_as_it_was_after_sigkill(strike: int, duration: float, tmp_path: Path) -> None:
    part = (strike + random.Random(f"{SEED} {strike}").random()) / STRIKES
    data = own_folder.make(tmp_path / "mailu")
    before = own_folder.fingerprint(data)
    folder, run = struck(tmp_path, data, duration * part)
    assert own_folder.fingerprint(data) == before, (SEED, part)
    eventually(lambda: swept(folder) and not left_by(run.pid), seconds=120)
    assert own_folder.fingerprint(data) == before, (SEED, part)
    nobody_is_named(folder)


def struck(where: Path, data: Path, moment: float) -> tuple[Path, subprocess.Popen[bytes]]:
    """A run that was ended by SIGKILL while it was at work, and its folder.

    One that was over by then, since the machine has less to do than when the duration was taken, is made again and
    struck earlier: a strike into the void shows nothing.
    """
    for number in range(20):
        folder = where / f"run-{number}"
        folder.mkdir()
        with started(folder, data) as run:
            with suppress(subprocess.TimeoutExpired):
                run.wait(timeout=moment)
            run.send_signal(signal.SIGKILL)
            run.wait(timeout=60)
        if run.returncode == -signal.SIGKILL:
            return folder, run
        moment *= 0.8
    raise AssertionError("every run was over before it was struck")


def swept(folder: Path) -> bool:
    command = [*RUN[:5], "--mailu-sweep"]  # as `pytest` alone
    return subprocess.run(command, cwd=folder, check=False, timeout=120, stdout=subprocess.DEVNULL).returncode == 0


def test_own_data_is_as_it_was_where_the_disk_gets_full(tmp_path: Path) -> None:
    """The disk of the copy is a tmpfs of 1 MB, and the data has more."""
    build()
    data = own_folder.make(tmp_path / "mailu", messages=30)
    (data / "mail" / "large").write_bytes(os.urandom(3_000_000))
    before = own_folder.fingerprint(data)
    engine = Engine.connect()
    labels = RunIdentity.new(keep=False).labels("old")
    name = f"mailu-full-{os.getpid()}"
    options = {"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}
    engine.client.api.create_volume(name, driver="local", driver_opts=options, labels=labels)
    helper = Helper(engine, f"{ORG}/admin:2024.06", f"{name}-data", labels)
    try:
        with pytest.raises(StackError, match="the disk of the Docker engine is full"):
            copier.copy(helper, Sources({"mail": str(data / "mail")}), {"mail": name}, 60.0)
        with pytest.raises(StackError, match="ended with status 1"):
            # Nothing in a container can write to what is mounted for reading.
            helper.run(b"open('/from/new', 'w')", {}, [Mounted(str(data), PurePosixPath("/from"))], 60.0)
    finally:
        engine.client.api.remove_volume(name, force=True)
        engine.close()
    assert own_folder.fingerprint(data) == before


@contextmanager
def small_disk(megabytes: int) -> Iterator[str]:
    """The name of a volume that is a tmpfs of this size, and of a container that keeps it mounted at /small."""
    client = docker.from_env()
    name = f"mailu-small-{os.getpid()}"
    options = {"type": "tmpfs", "device": "tmpfs", "o": f"size={megabytes}m"}
    client.volumes.create(name, driver="local", driver_opts=options)
    try:
        keeper = client.containers.create(
            f"{ORG}/admin:2024.06",
            entrypoint=["sleep", "infinity"],
            command=[],
            name=name,
            network_mode="none",
            volumes={name: {"bind": "/small", "mode": "rw"}},
        )
        try:
            keeper.start()
            yield name
        finally:
            keeper.remove(force=True, v=True)
    finally:
        client.volumes.get(name).remove(force=True)
        client.close()


@pytest.mark.parametrize(
    ("side", "megabytes", "fills"), [("old", 1, False), ("upgraded", 1, False), ("old", 160, True)]
)
def test_own_data_is_as_it_was_where_the_disk_that_it_is_laid_over_gets_full(
    side: str, megabytes: int, fills: bool, tmp_path: Path
) -> None:
    """At the start of old, at the migration by new, and while old is lived in."""
    build()
    data = own_folder.make(tmp_path / "mailu", messages=30)
    before = own_folder.fingerprint(data)
    folder = tmp_path / "run"
    folder.mkdir()
    with small_disk(megabytes) as name:
        more = {"SMALL_DISK_VOLUME": name, "SMALL_DISK_SIDE": side, "PYTHONPATH": str(Path(__file__).parents[2])}
        if fills:
            more["SMALL_DISK_FILLER"] = name
        with started(folder, data, "-p", "tests.lab.small_disk", **more) as run:
            status = run.wait(timeout=600)
    said = (folder / "output").read_text("utf-8", "replace")
    assert status != 0, said
    lines = said.splitlines()
    told = [number for number, line in enumerate(lines) if "the disk of the Docker engine is full" in line]
    assert told, said
    assert "free some space" in " ".join(lines[told[0] + 1 : told[0] + 3]), said
    assert " GO" not in said.replace("NO-GO", ""), said
    assert "NO-GO" not in said, said
    report = folder / "report" / "report.json"
    assert not report.exists() or json.loads(report.read_text())["decision"] == "cannot-tell", said
    assert not left_by(run.pid)
    assert own_folder.fingerprint(data) == before
    nobody_is_named(folder)


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    build()
    engine = Engine.connect()
    helper = Helper(engine, f"{ORG}/admin:2024.06", f"mailu-missing-{os.getpid()}", {})
    try:
        with pytest.raises(StackError, match="ran no container"):
            helper.run(b"print('{}')", {}, [Mounted(str(tmp_path / "none"), PurePosixPath("/from"))], 60.0)
    finally:
        engine.close()
    assert not (tmp_path / "none").exists()
