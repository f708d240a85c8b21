"""A Docker engine for the tests: one that is reachable, or one that is started for them.

The started one is the distribution's package, with its own configuration, data folder, socket and mount
namespace. It makes no default network, so it does not conflict with the networks of the machine.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import docker
from debian import LOG_LINES, PATH, Missing, Program, provide
from docker.errors import DockerException

from pytest_mailu.core.errors import StackError
from pytest_mailu.stack.docker.engine import Engine

HOME = Path("/var/tmp")  # noqa: S108 - /tmp is often in memory, too small for images
PREFIX = "pytest-mailu-engine-"
START_SECONDS = 60
STOP_SECONDS = 60

PROGRAMS = (
    Program("dockerd", "docker.io", "the tests need a Docker engine"),
    Program("iptables", "iptables", "the Docker engine needs it"),
)
SCRIPT = """\
grep -q ' cgroup2\\? ' /proc/mounts || mount -t cgroup2 cgroup2 /sys/fs/cgroup
exec dockerd --config-file "$0"
"""
"""Where no init system has mounted the control groups, they are mounted for the engine alone."""


@contextmanager
def docker_engine() -> Iterator[str]:
    """The address of a reachable engine (empty: the default one). Raises Missing where none can be started."""
    try:
        found = Engine.connect()
    except StackError as unreachable:
        print(f"== {unreachable.cause}: the tests get one of their own", flush=True)
    else:
        found.close()
        yield found.environ.get("DOCKER_HOST", "")
        return
    provide(*PROGRAMS)
    if os.geteuid():
        raise Missing("Only root can start a Docker engine: have one started, or set DOCKER_HOST to one you may use.")
    remove_left_over_folders()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=HOME))
    try:
        daemon = start(folder)
        try:
            wait_for(daemon, folder)
            yield address(folder)
        finally:
            stop(daemon)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def address(folder: Path) -> str:
    """Where the engine of this folder listens."""
    return f"unix://{folder}/docker.sock"


def namespace(folder: Path) -> str:
    """The name of the engine's own namespace: containerd takes no two separators in a row, and none at the end.

    The random part of the folder's name may have underscores anywhere.
    """
    return folder.name.replace("_", "0")


def start(folder: Path) -> subprocess.Popen[bytes]:
    """Start an engine that has everything it needs in `folder`, and that ends when this process does."""
    configuration = {
        "hosts": [address(folder)],
        "data-root": f"{folder}/data",
        "exec-root": f"{folder}/exec",
        "pidfile": f"{folder}/pid",
        "bridge": "none",
        # The machine may run a containerd that another engine uses as well.
        "containerd-namespace": namespace(folder),
        "containerd-plugins-namespace": f"{namespace(folder)}-plugins",
    }
    file = folder / "daemon.json"
    file.write_text(json.dumps(configuration, indent=2), "utf-8")
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", "unshare", "--mount", "sh", "-c", SCRIPT, file],
            env={**os.environ, "PATH": PATH},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            process_group=0,
        )


def wait_for(daemon: subprocess.Popen[bytes], folder: Path) -> None:
    """Wait until the engine answers. Raises Missing, with its last log lines, where it ends or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while daemon.poll() is None and time.monotonic() < deadline:
        if answers(folder):
            return
        time.sleep(0.1)
    how = "did not answer in time" if daemon.returncode is None else f"ended with status {daemon.returncode}"
    log = (folder / "log").read_text("utf-8", errors="replace")
    raise Missing(
        f"the Docker engine that was started for the tests {how}; its last log lines:", *log.splitlines()[-LOG_LINES:]
    )


def answers(folder: Path) -> bool:
    """Whether the engine of this folder answers a ping."""
    with suppress(DockerException, OSError):
        client = docker.DockerClient(base_url=address(folder), timeout=5)
        try:
            return bool(client.ping())
        finally:
            client.close()
    return False


def stop(daemon: subprocess.Popen[bytes]) -> None:
    """End the engine with its containers and its containerd; kill it where it does not end."""
    daemon.terminate()
    try:
        daemon.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()


def remove_left_over_folders() -> None:
    """Remove the folders that killed runs left behind. Their engines ended with them."""
    for folder in HOME.glob(f"{PREFIX}*"):
        if not answers(folder):
            shutil.rmtree(folder, ignore_errors=True)
