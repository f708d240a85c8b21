"""Copies folders and takes fingerprints of them, inside a container; imports nothing of ours (Python 3.9 or later).

`python3 tree_script.py '{"folders": {"mail": ["/from/mail", "/to/mail"]}, "contents": true}'`: each folder is copied
where a target is named. The last line of output is a JSON object: the totals, or `error`. Memory does not grow with the
number of files, but for hard links and for the longest folder.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
import stat
import sys
from typing import Any, BinaryIO

FICLONE = 0x40049409
"""ioctl(2): the target shares the blocks of the source (ioctl_ficlone(2))."""
CHUNK = 1 << 20
DEEPEST = 200
"""Levels of folders at most."""


class TooDeep(Exception):
    """Folders within folders, more than `DEEPEST` of them."""


class Walk:
    """One pass over a folder: copies it where there is a target, and takes its fingerprint.

    The fingerprint is over names, kinds, modes, owners, times of change and sizes; with `contents` over contents, too.
    """

    def __init__(self, contents: bool) -> None:
        self.contents = contents
        self.files = self.bytes = self.shared = self.left_out = 0
        self.links: dict[tuple[int, int], str] = {}

    def fingerprint(self, source: str, target: str) -> str:
        """Walk `source`, copying it to `target` unless that is empty; the fingerprint as hexadecimal digits."""
        total = hashlib.sha256()
        self._folder(source, target, "", total, 0)
        return total.hexdigest()

    def _folder(self, source: str, target: str, path: str, total: hashlib._Hash, depth: int) -> None:
        if depth > DEEPEST:
            raise TooDeep(path)
        with os.scandir(source) as entries:
            names = sorted(entry.name for entry in entries)
        for name in names:
            inner = os.path.join(source, name)
            goal = os.path.join(target, name) if target else ""
            self._entry(inner, goal, path + "/" + name, total, depth)
        if target:
            keep(target, os.lstat(source))

    def _entry(self, source: str, target: str, path: str, total: hashlib._Hash, depth: int) -> None:
        seen = os.lstat(source)
        kind = stat.S_IFMT(seen.st_mode)
        marks: list[object] = [kind, stat.S_IMODE(seen.st_mode), seen.st_uid, seen.st_gid, seen.st_mtime_ns]
        if kind == stat.S_IFREG:
            self.files += 1
            self.bytes += seen.st_size
            marks += [seen.st_size, self._file(source, target, seen)]
        elif kind == stat.S_IFDIR:
            if target and not stat.S_ISDIR(mode_of(target)):
                replaced(target)
                os.mkdir(target)
            marks = marks[:-1]  # that of a folder changes by a look, where caches are written
        elif kind == stat.S_IFLNK:
            marks.append(os.readlink(source))
            if target:
                replaced(target)
                os.symlink(os.readlink(source), target)
                keep(target, seen)
        elif kind == stat.S_IFIFO:
            if target:
                replaced(target)
                os.mkfifo(target)
                keep(target, seen)
        else:
            self.left_out += 1
            return
        total.update(repr((os.fsencode(path), marks)).encode() + b"\n")
        if kind == stat.S_IFDIR:
            self._folder(source, target, path, total, depth + 1)

    def _file(self, source: str, target: str, seen: os.stat_result) -> str:
        """Copy a file; the fingerprint of its content, or an empty text."""
        if target:
            key = (seen.st_dev, seen.st_ino)
            if seen.st_nlink > 1 and key in self.links:
                replaced(target)
                os.link(self.links[key], target)
            else:
                self._copy(source, target, seen)
                if seen.st_nlink > 1:
                    self.links[key] = target
        if not self.contents:
            return ""
        total = hashlib.sha256()
        with opened(source) as file:
            for chunk in iter(lambda: file.read(CHUNK), b""):
                total.update(chunk)
        return total.hexdigest()

    def _copy(self, source: str, target: str, seen: os.stat_result) -> None:
        replaced(target)
        with opened(source) as read, open(target, "wb") as written:
            if cloned(read, written):
                self.shared += seen.st_size
            else:
                copied(read, written, seen.st_size)
        keep(target, seen)


def cloned(read: BinaryIO, written: BinaryIO) -> bool:
    """Whether the file system could make `written` share its blocks with `read`."""
    try:
        fcntl.ioctl(written.fileno(), FICLONE, read.fileno())
    except OSError:
        return False
    return True


def copied(read: BinaryIO, written: BinaryIO, size: int) -> None:
    """Copy what is there of a file of `size` bytes; its holes stay holes (lseek(2), SEEK_DATA)."""
    end = 0
    while end < size:
        try:
            start = os.lseek(read.fileno(), end, os.SEEK_DATA)
            end = min(os.lseek(read.fileno(), start, os.SEEK_HOLE), size)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole follows
                break
            start, end = end, size  # a file system that knows no holes
        read.seek(start)
        written.seek(start)
        for place in range(start, end, CHUNK):
            written.write(read.read(min(CHUNK, end - place)))
    written.truncate(size)


def opened(path: str) -> BinaryIO:
    """A file for reading, that was a regular one a moment ago: no link is followed, no pipe waited for."""
    return open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK))


def mode_of(path: str) -> int:
    """The kind and mode of what is there; 0 where nothing is."""
    try:
        return os.lstat(path).st_mode
    except FileNotFoundError:
        return 0


def replaced(target: str) -> None:
    """Remove what an image put there: volumes start with a copy of it."""
    if stat.S_ISDIR(mode_of(target)):
        shutil.rmtree(target)
    elif os.path.lexists(target):
        os.remove(target)


def keep(target: str, seen: os.stat_result) -> None:
    """Owner, mode and times as they were."""
    os.chown(target, seen.st_uid, seen.st_gid, follow_symlinks=False)
    if not stat.S_ISLNK(seen.st_mode):
        os.chmod(target, stat.S_IMODE(seen.st_mode))
    os.utime(target, ns=(seen.st_atime_ns, seen.st_mtime_ns), follow_symlinks=False)


def main(text: str) -> dict[str, Any]:
    """What the order in `text` came to."""
    order = json.loads(text)
    walk = Walk(order["contents"])
    digests = {}
    try:
        for name, (source, target) in order["folders"].items():
            digests[name] = walk.fingerprint(source, target)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        return {"error": error.strerror or str(error), "full": full, "bytes": walk.bytes}
    except TooDeep:
        return {"error": f"folders are nested more than {DEEPEST} deep", "full": False, "bytes": walk.bytes}
    return {
        "files": walk.files,
        "bytes": walk.bytes,
        "shared": walk.shared,
        "left_out": walk.left_out,
        "digests": digests,
    }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
