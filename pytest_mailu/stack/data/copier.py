"""Copies the volumes of one stack into those of another, and proves that the source stayed as it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import PurePosixPath
from typing import Any

from pytest_mailu.core.errors import StackError
from pytest_mailu.core.in_place import CopiedData, CopyKind
from pytest_mailu.stack.data.helper import Helper, Mounted

CONTENTS_UP_TO = 4 << 30
"""Bytes of which contents are part of a fingerprint; of more data, names, sizes, owners and times of change are."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where data comes from, by the name of a volume (`mail`).

    `volumes` has the engine's volume, or a folder of its machine; `layers` the folders of which that consists, the
    newest first, where they are known.
    """

    volumes: Mapping[str, str]
    layers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.volumes)


def copy(helper: Helper, sources: Sources, targets: Mapping[str, str], seconds: float) -> CopiedData:
    """Copy every source into the volume of the same name in `targets`. Blocking.

    Raises StackError where that fails, for example because the disk is full.
    """
    pairs = Sources({name: source for name, source in sources.volumes.items() if name in targets})
    contents = walk(helper, pairs, seconds)["bytes"] <= CONTENTS_UP_TO  # the same rule as in `measured`
    return CopiedData(CopyKind.COPIED, **walk(helper, pairs, seconds, contents=contents, targets=targets))


def measured(helper: Helper, sources: Sources, seconds: float) -> CopiedData:
    """How much data there is, and its fingerprints, without a copy. Blocking. Raises StackError where that fails."""
    answer = walk(helper, sources, seconds)
    if answer["bytes"] <= CONTENTS_UP_TO:
        answer = walk(helper, sources, seconds, contents=True)
    return CopiedData(CopyKind.OVERLAY, **{**answer, "shared": answer["bytes"]})


def walk(
    helper: Helper,
    sources: Sources,
    seconds: float,
    *,
    contents: bool = False,
    targets: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """One pass over all sources, which are copied where `targets` are given: what `tree_script` answers. Blocking.

    Raises StackError where that fails.
    """
    mounts = [Mounted(source, _from(name)) for name, source in sources.volumes.items()]
    if targets is not None:
        mounts += [Mounted(targets[name], _to(name), read_only=False) for name in sources.volumes]
    folders = {name: [str(_from(name)), "" if targets is None else str(_to(name))] for name in sources.volumes}
    return _checked(helper.run(_script(), {"folders": folders, "contents": contents}, mounts, seconds))


def _script() -> bytes:
    return files("pytest_mailu.stack.data").joinpath("tree_script.py").read_bytes()


def _from(name: str) -> PurePosixPath:
    return PurePosixPath("/from") / name


def _to(name: str) -> PurePosixPath:
    return PurePosixPath("/to") / name


def _checked(answer: dict[str, Any]) -> dict[str, Any]:
    error = answer.get("error")
    if error is None:
        return answer
    if answer.get("full"):
        raise StackError(
            f"the disk of the Docker engine is full: {int(answer.get('bytes', 0)) >> 20} MB of the data were copied",
            "free some space (docker system df); the data itself is as it was",
        )
    raise StackError(f"the data cannot be copied: {str(error)[:200]}", "the data itself is as it was")
