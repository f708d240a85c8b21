"""A script of ours in a container of its own: no network, few rights, and nothing but the volumes that it is about."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from docker.errors import DockerException
from docker.types import LogConfig, Mount

from pytest_mailu.core.errors import StackError
from pytest_mailu.stack.docker.engine import Engine
from pytest_mailu.stack.evidence.container_io import archive

FOLDER = "/rehearsal"
_OUTPUT = 1_000_000
"""Bytes that are read of what a script prints."""
RIGHTS = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID")
"""To read files of every owner, and to give copies the same owners and modes."""


@dataclass(frozen=True, slots=True)
class Mounted:
    """A volume, or a folder of the engine's machine, at a place in the container."""

    source: str
    target: PurePosixPath
    read_only: bool = True


@dataclass(frozen=True, slots=True)
class Helper:
    """Runs scripts with the Python of `image`. `name` is the container's, `labels` are those of a run."""

    engine: Engine
    image: str
    name: str
    labels: Mapping[str, str] = field(default_factory=dict)

    def run(self, script: bytes, argument: object, mounts: Sequence[Mounted], seconds: float) -> dict[str, Any]:
        """What the script prints on its last line: a JSON object. Blocking.

        `argument` reaches it as JSON. Raises StackError where it fails or takes longer than `seconds`.
        """
        api = self.engine.client.api
        try:
            host = api.create_host_config(  # type: ignore[no-untyped-call, unused-ignore]
                network_mode="none",
                # Not `binds`: of those, the engine makes a folder that is missing.
                mounts=[
                    Mount(
                        target=str(each.target),
                        source=each.source,
                        type="bind" if each.source.startswith("/") else "volume",
                        read_only=each.read_only,
                    )
                    for each in mounts
                ],
                cap_drop=["ALL"],
                cap_add=list(RIGHTS),
                security_opt=["no-new-privileges:true"],
                pids_limit=50,
                mem_limit="1g",
                log_config=LogConfig(type="json-file", config={"max-size": "2m", "max-file": "1"}),
            )
            made = api.create_container(
                image=self.image,
                name=self.name,
                entrypoint=["python3", f"{FOLDER}/script.py", json.dumps(argument)],
                command=[],
                user="0:0",
                working_dir="/",
                environment={"PYTHONDONTWRITEBYTECODE": "1"},
                healthcheck={"test": ["NONE"]},
                labels=dict(self.labels),
                host_config=host,
            )
            try:
                api.put_archive(made["Id"], "/", archive({f"{FOLDER}/script.py": script}))
                api.start(made["Id"])
                code = int(api.wait(made["Id"], timeout=math.ceil(seconds))["StatusCode"])
                said = api.logs(made["Id"], tail=40)[-_OUTPUT:].decode(errors="replace")
            finally:
                # `v`: what the image declares as a volume; those that are mounted have names, and stay.
                api.remove_container(made["Id"], v=True, force=True)
        except (DockerException, OSError) as error:
            if "no space left on device" in str(error).lower():
                raise StackError(
                    "the disk of the Docker engine is full: it can make no container",
                    "free some space (docker system df); the data itself is as it was",
                ) from error
            raise StackError(
                "the data of the old release cannot be copied: the engine ran no container for it, or it took too long",
                "see the engine's message below; --mailu-timeout gives it more time",
                (str(error)[:500],),
            ) from error
        return _answer(code, said)


def _answer(code: int, said: str) -> dict[str, Any]:
    lines = said.strip().splitlines()
    try:
        answer = json.loads(lines[-1]) if not code and lines else None
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise StackError(
            f"the data of the old release cannot be copied: the copying ended with status {code}",
            "see its last lines below, or the log of the engine where there are none",
            tuple(line[:300] for line in lines[-8:]),
        )
    return answer
