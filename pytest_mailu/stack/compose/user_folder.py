"""Reads the user's files with limits: each is measured first, and links that leave the folder are not followed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from pytest_mailu.core.errors import UsageError

SIZE_LIMIT = 8_000_000
"""Bytes of all files together that are copied into one service at most."""
_ENTRIES_LIMIT = 2_000
"""Files and folders that are looked at."""
_DEPTH_LIMIT = 16


def read_tree(root: Path, purpose: str) -> dict[str, bytes]:
    """The regular files below `root` as relative path → content; `root` itself, if it is a file, as the path "".

    Sockets, pipes and devices are left out, and so are links to something outside `root`. `purpose` is for messages.
    Blocking. Raises UsageError for what cannot be read and for what is too big.
    """
    files: dict[str, bytes] = {}
    room = SIZE_LIMIT
    base = root.resolve()
    try:
        for entries, path in enumerate(_paths(base)):
            if entries > _ENTRIES_LIMIT:
                raise _too_big(root, purpose)
            content = _read(path, base, room)
            if content is not None:
                relative = path.relative_to(base).as_posix()
                files["" if relative == "." else relative] = content
                room -= len(content)
    except OverflowError:
        raise _too_big(root, purpose) from None
    except OSError as error:
        raise UsageError(
            f"{error.filename or root}, {purpose}, cannot be read: {error.strerror}",
            "make it readable, or leave it out",
        ) from error
    return files


def _paths(folder: Path, depth: int = 0) -> Iterator[Path]:
    """All entries in order, folders after themselves; links to folders are not entered."""
    yield folder
    if depth < _DEPTH_LIMIT and folder.is_dir() and (depth == 0 or not folder.is_symlink()):
        with os.scandir(folder) as found:
            names = sorted(entry.name for _, entry in zip(range(_ENTRIES_LIMIT + 2), found, strict=False))
        for name in names:
            yield from _paths(folder / name, depth + 1)


def _read(path: Path, base: Path, room: int) -> bytes | None:
    """The content of a regular file inside `base`; None for anything else. Raises OverflowError beyond `room` bytes."""
    if path.is_symlink() and not _stays_inside(path, base):
        return None
    if not stat.S_ISREG(path.stat().st_mode):
        return None
    # What was a file a moment ago may be a pipe now, at which a plain open would wait.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with open(handle, "rb") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            return None
        if status.st_size > room:
            raise OverflowError
        content = file.read(room + 1)
        if len(content) > room:
            raise OverflowError
        return content


def _stays_inside(link: Path, base: Path) -> bool:
    try:
        return link.resolve(strict=True).is_relative_to(base)
    except (OSError, RuntimeError):  # it leads nowhere, or in a circle
        return False


def _too_big(root: Path, purpose: str) -> UsageError:
    return UsageError(
        f"{root}, {purpose}, is too big to be copied into a test stack",
        f"name only what Mailu's configuration needs (at most {SIZE_LIMIT // 1_000_000} MB and {_ENTRIES_LIMIT} files)",
    )
