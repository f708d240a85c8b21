"""Trouble of the surroundings, done to a run in its middle. It is never the release's fault."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import docker

from pytest_mailu.core.model import Report
from tests.lab import trial
from tests.lab.gate import Gate
from tests.lab.left import container_of, remove_all_of

ASKED = (
    "inbound/25-starttls/*",
    "mailbox/993/append*",
    "mailbox/993/flags",
    "mailbox/993/move",
    "access/993-tls/login",
)


def _kill(service: str) -> None:
    container_of(os.getpid(), service).kill()


def _pause() -> None:
    container_of(os.getpid(), "imap").pause()


def _cut() -> None:
    container = container_of(os.getpid(), "imap")
    [network] = container.attrs["NetworkSettings"]["Networks"]
    docker.from_env().networks.get(network).disconnect(container)


def _disturbed(disturb: Callable[[], None], folder: Path) -> Report:
    return trial.compare(folder, "2024.06", "2024.06", only=ASKED, disturb=disturb)


def _without_engine(folder: Path) -> Report:
    """What the plugin can then not remove is removed here."""
    before = os.environ.get("DOCKER_HOST")
    with Gate(folder / "engine") as gate:
        os.environ["DOCKER_HOST"] = gate.address
        try:
            return _disturbed(gate.shut, folder)
        finally:
            del os.environ["DOCKER_HOST"]
            if before is not None:
                os.environ["DOCKER_HOST"] = before
            remove_all_of(os.getpid())


DISTURBANCES: Mapping[str, Callable[[Path], Report]] = {
    "a container is killed": partial(_disturbed, partial(_kill, "imap")),
    "a container is paused": partial(_disturbed, _pause),
    "a container loses its network": partial(_disturbed, _cut),
    "the world is killed": partial(_disturbed, partial(_kill, "world")),
    "the engine is gone": _without_engine,
}
"""What happens, and the report of a run of the same against the same in which it does."""
