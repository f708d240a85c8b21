"""Volumes that show the data of another stack and keep changes to themselves: nothing is copied (overlayfs).

The engine makes the mounts, so the folders are those of its machine (Linux, Documentation/filesystems/overlayfs.rst).
A lower folder must not change meanwhile: its stack is at rest, or it is the user's own and read only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from docker.errors import DockerException

from pytest_mailu.core.errors import StackError
from pytest_mailu.stack.data.copier import Sources, walk
from pytest_mailu.stack.data.helper import Helper, Mounted

ABOVE = "above"
"""The volume that takes what changes."""
_MARKS = frozenset(",:\\\"'\n\t ")
"""Characters that a mount option cannot carry."""
_LONGEST = 3500
"""Characters of mount options at most: the kernel takes a page (mount(2))."""
_MAKE = b"""\
import json, os, sys
for name in json.loads(sys.argv[1]):
    for part in ("upper", "work"):
        os.makedirs(os.path.join("/above", name, part))
    seen = os.stat(os.path.join("/from", name))
    os.chown(os.path.join("/above", name, "upper"), seen.st_uid, seen.st_gid)
    os.chmod(os.path.join("/above", name, "upper"), seen.st_mode & 0o7777)
print(json.dumps({}))
"""


@dataclass(frozen=True, slots=True)
class Overlay:
    """Options of the volumes by name (`mail`), and the folders of which each consists, the newest first."""

    options: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    layers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.options)


def prepare(helper: Helper, project: str, sources: Sources, seconds: float) -> Overlay:
    """Make what the overlays of a project need; an empty one where the engine cannot do it. Blocking.

    Raises StackError where the engine does not answer.
    """
    api = helper.engine.client.api
    name = f"{project}_{ABOVE}"
    try:
        api.create_volume(name, driver="local", labels=dict(helper.labels))
        above = str(api.inspect_volume(name)["Mountpoint"])
    except (DockerException, OSError) as error:
        raise StackError("the Docker engine cannot make a volume", "see its message below", (str(error),)) from error
    layers = {each: sources.layers.get(each, ()) for each in sources.volumes}
    usable = {each: folders for each, folders in layers.items() if folders}
    if len(usable) < len(sources.volumes):
        return Overlay()
    found = Overlay(
        {each: _options(folders, f"{above}/{each}") for each, folders in usable.items()},
        {each: (f"{above}/{each}/upper", *folders) for each, folders in usable.items()},
    )
    texts = [options["o"] for options in found.options.values()]
    if any(len(text) > _LONGEST for text in texts) or any(
        _MARKS & set("".join(folders)) for folders in usable.values()
    ):
        return Overlay()
    mounts = [
        Mounted(name, PurePosixPath("/above"), read_only=False),
        *(Mounted(source, PurePosixPath("/from") / each) for each, source in sources.volumes.items()),
    ]
    helper.run(_MAKE, list(sources.volumes), mounts, seconds)
    return found if _works(helper, project, found, seconds) else Overlay()


def _options(lower: tuple[str, ...], above: str) -> dict[str, str]:
    folders = f"lowerdir={':'.join(lower)},upperdir={above}/upper,workdir={above}/work"
    # Without redirect_dir, a folder of the lower layers cannot be renamed (EXDEV): IMAP's RENAME would fail.
    return {"type": "overlay", "device": "overlay", "o": f"{folders},redirect_dir=on"}


def _works(helper: Helper, project: str, overlay: Overlay, seconds: float) -> bool:
    """Whether the engine can mount the first of them: not where its own folder is on overlayfs, for example."""
    api = helper.engine.client.api
    first, options = next(iter(overlay.options.items()))
    trial = f"{project}_overlay-trial"
    try:
        api.create_volume(trial, driver="local", driver_opts=dict(options), labels=dict(helper.labels))
        try:
            walk(helper, Sources({first: trial}), seconds)
        finally:
            api.remove_volume(trial, force=True)
    except (StackError, DockerException, OSError):
        return False
    return True
