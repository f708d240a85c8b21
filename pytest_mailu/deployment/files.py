"""Reads files that somebody else wrote: regular files only, inside one folder, of limited size, as text in UTF-8."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pytest_mailu.core.errors import UsageError

SIZE_LIMIT = 256 * 1024
"""Bytes in one file. Mailu's own compose file has 8 kB."""
FILE_LIMIT = 200
"""Files in a folder of overrides."""
DEPTH_LIMIT = 4
"""Folders below a folder of overrides."""
_INSIDE = "Copy it into the folder, or name the folder that holds all files with --mailu-deployment."
_BOM = "\ufeff"


@dataclass(frozen=True, slots=True)
class Text:
    """A file's text and the path by which messages name it."""

    shown: str
    text: str

    @property
    def lines(self) -> list[str]:
        """The lines without their ends, as Compose counts them: only a line feed ends a line."""
        return [line.removesuffix("\r") for line in self.text.split("\n")]


class Folder:
    """The folder that a deployment lives in. Nothing outside it is read.

    Where `root` is the folder that a file was named in, the file itself may be a link: its owner chose it. Messages
    name its files as seen from it, or from the folder `seen_from`.
    """

    def __init__(self, root: Path, seen_from: Path | None = None) -> None:
        self.root = Path(os.path.realpath(root))
        self._seen_from = self.root if seen_from is None else Path(os.path.realpath(seen_from))

    def shown(self, path: Path) -> str:
        """How messages name a path: as seen from the folder."""
        absolute = Path(os.path.normpath(self.root / path))
        base = self._seen_from
        return str(absolute.relative_to(base)) if absolute.is_relative_to(base) else str(absolute)

    def exists(self, path: Path) -> bool:
        """Whether there is something of that name, readable or not."""
        return os.path.lexists(self.root / path)

    def read(self, path: Path, where: str = "") -> Text:
        """The text of a file; `where` is the place that names it (`docker-compose.yml, line 3`).

        Raises UsageError for what is missing, outside the folder, not a regular file, too large or not text in UTF-8.
        """
        shown = self.shown(path)
        named = f"{where}: " if where else ""
        real = Path(os.path.realpath(self.root / path))
        if not real.is_relative_to(self.root):
            raise UsageError(
                f"{named}{shown} is outside the folder {self.root}",
                _INSIDE,
            )
        data = _bytes(real, f"{named}{shown}")
        if b"\0" in data:
            raise UsageError(
                f"{named}{shown} is a binary file", "Name the text file of your deployment; save UTF-16 files as UTF-8."
            )
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise UsageError(f"{named}{shown}, line {line}: not text in UTF-8", "Save the file as UTF-8.") from None
        return Text(shown, text.removeprefix(_BOM))

    def files(self, path: Path) -> Iterator[Path]:
        """The files below a folder, in order. Raises UsageError for too many files or too deep a folder."""
        start = Path(os.path.realpath(self.root / path))
        if not start.is_relative_to(self.root):
            raise UsageError(f"{self.shown(path)} is outside the folder {self.root}", _INSIDE)
        number = 0
        for folder, names, files in os.walk(start, onerror=_unreadable):
            names.sort()
            if len(Path(folder).relative_to(start).parts) >= DEPTH_LIMIT:
                raise UsageError(
                    f"{self.shown(path)} has folders more than {DEPTH_LIMIT} levels deep",
                    "Name the folder of Mailu's overrides alone, with --mailu-overrides.",
                )
            for name in sorted(files):
                number += 1
                if number > FILE_LIMIT:
                    raise UsageError(
                        f"{self.shown(path)} has more than {FILE_LIMIT} files",
                        "Name the folder of Mailu's overrides alone, with --mailu-overrides.",
                    )
                yield Path(folder) / name


def _bytes(path: Path, shown: str) -> bytes:
    try:
        # O_NONBLOCK: opening a named pipe must not wait for somebody to write.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _problem(error, shown) from None
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise UsageError(f"{shown} is a folder, not a file", "Name the file.")
        if not stat.S_ISREG(mode):
            raise UsageError(f"{shown} is not a regular file", "Name a regular file.")
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(SIZE_LIMIT + 1)
    except OSError as error:
        raise _problem(error, shown) from None
    finally:
        os.close(descriptor)
    if len(data) > SIZE_LIMIT:
        raise UsageError(
            f"{shown} is larger than {SIZE_LIMIT // 1024} kB", "Name the compose file or env file of your deployment."
        )
    return data


def _problem(error: OSError, shown: str) -> UsageError:
    match error.errno:
        case errno.ENOENT | errno.ENOTDIR:
            return UsageError(f"{shown}: there is no such file", "Check the path.")
        case errno.EACCES | errno.EPERM:
            return UsageError(f"{shown} cannot be read: permission denied", "Run as a user who may read the file.")
        case _:
            return UsageError(f"{shown} cannot be read: {error.strerror}", "Check the path.")


def _unreadable(error: OSError) -> None:
    raise _problem(error, str(error.filename))
