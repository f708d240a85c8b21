"""The logs of the services of a deployment that runs on the local engine. Only reads."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pytest_mailu.core.errors import UsageError
from pytest_mailu.running.host import TIMEOUT_SECONDS, WORKING_DIR, is_local

ENGINE = "engine"
"""The word that stands for these logs in `--mailu-logs engine`."""
DAYS = 7
"""How far back the logs are read."""
_SAVE = "Save the logs and name the file: docker compose logs --no-color > mailu.log"


def engine_lines(folder: Path) -> Iterator[bytes]:
    """The lines of the last days of all services that Docker Compose started from a folder, each with its time.

    Raises UsageError where no local engine has containers of this folder, or does not give their logs.
    """
    if not is_local():
        raise UsageError("--mailu-logs engine: there is no local engine", _SAVE)
    # Docker's SDK takes a while to import; runs without these logs do not wait for it.
    import docker

    since = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=DAYS)
    try:
        client = docker.from_env(timeout=TIMEOUT_SECONDS * 10)
        try:
            found = client.containers.list(all=True, filters={"label": f"{WORKING_DIR}={folder.resolve()}"})
            if not found:
                raise UsageError(f"--mailu-logs engine: the local engine runs nothing of {folder}", _SAVE)
            for container in found:
                chunks = container.logs(stream=True, follow=False, timestamps=True, since=since.replace(tzinfo=None))
                yield from lines_of(chunks)
        finally:
            client.close()
    except (docker.errors.DockerException, OSError) as error:
        raise UsageError(f"--mailu-logs engine: the logs cannot be read: {str(error)[:200]}", _SAVE) from None


def lines_of(chunks: Any) -> Iterator[bytes]:
    """Whole lines of what comes in pieces."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
    if rest:
        yield rest
