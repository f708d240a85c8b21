"""A plugin for a run in the lab: what is written over the data of one side has a small disk (a tmpfs of the engine).

`-p tests.lab.small_disk`, with SMALL_DISK_VOLUME (a volume that somebody keeps mounted) and SMALL_DISK_SIDE (`old`).
With SMALL_DISK_FILLER, a container that has it mounted at /small fills it when the old release is looked at.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import docker
from docker.api.client import APIClient

from pytest_mailu.running.rehearsal import Rehearsal
from pytest_mailu.stack.data.helper import Helper, Mounted
from pytest_mailu.stack.data.overlay import ABOVE

VOLUME = os.environ["SMALL_DISK_VOLUME"]
ENDS = f"-{os.environ['SMALL_DISK_SIDE']}_{ABOVE}"
FILLER = os.environ.get("SMALL_DISK_FILLER", "")


def pytest_configure() -> None:
    """Put the small disk in the place of the volume."""
    inspect, run, look = APIClient.inspect_volume, Helper.run, Rehearsal._look

    def inspected(self: APIClient, name: str) -> Any:
        return inspect(self, VOLUME if name.endswith(ENDS) else name)

    def ran(self: Helper, script: bytes, argument: object, mounts: Sequence[Mounted], seconds: float) -> Any:
        given = [replace(each, source=VOLUME) if each.source.endswith(ENDS) else each for each in mounts]
        return run(self, script, argument, given, seconds)

    async def looked(self: Rehearsal, *given: Any) -> Any:
        if FILLER:
            docker.from_env().containers.get(FILLER).exec_run(["sh", "-c", "cat /dev/zero > /small/filler"])
        return await look(self, *given)

    APIClient.inspect_volume = inspected  # type: ignore[method-assign]
    Helper.run = ran  # type: ignore[method-assign]
    Rehearsal._look = looked  # type: ignore[method-assign]
