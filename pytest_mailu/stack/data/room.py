"""Room on the engine's disk: where it is full, services fail in ways that say nothing of a release."""

from __future__ import annotations

from pathlib import PurePosixPath

from docker.errors import DockerException

from pytest_mailu.core.commands import CommandResult
from pytest_mailu.core.errors import StackError
from pytest_mailu.stack.data.helper import Helper, Mounted

LEAST = 100_000_000
"""Bytes: Postfix refuses mail below one and a half MESSAGE_SIZE_LIMIT (smtpd, `Insufficient system storage`)."""
LOOK = ("stat", "-f", "-c", "%a %S", "/data")
"""Prints blocks that anybody may use, and their size, of what `admin` writes to; GNU and BusyBox."""
_SCRIPT = b"""\
import json, os
found = os.statvfs("/above" if os.path.isdir("/above") else "/")
print(json.dumps({"free": found.f_bavail * found.f_frsize}))
"""


def told(answer: CommandResult) -> StackError | None:
    """The error where `LOOK` found too little room; None where there is enough, or it said nothing."""
    words = answer.output.split()
    if answer.code or len(words) != 2 or not all(word.isascii() and word.isdigit() for word in words):
        return None
    return _too_little(int(words[0]) * int(words[1]))


def look(helper: Helper, volume: str, seconds: float) -> StackError | None:
    """The same from a container of its own, where `volume` is mounted if it exists. Blocking."""
    try:
        helper.engine.client.api.inspect_volume(volume)
        mounts = [Mounted(volume, PurePosixPath("/above"))]
    except (DockerException, OSError):
        mounts = []
    try:
        return _too_little(int(helper.run(_SCRIPT, {}, mounts, seconds)["free"]))
    except StackError as error:
        return error if error.cause.startswith(_FULL) else None


_FULL = "the disk of the Docker engine is full"


def _too_little(free: int) -> StackError | None:
    if free >= LEAST:
        return None
    return StackError(
        f"{_FULL}: {free // 1_000_000} MB of {LEAST // 1_000_000} MB are free",
        "free some space (docker system df) and run again; your data is as it was",
    )
