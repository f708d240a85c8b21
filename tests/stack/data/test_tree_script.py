"""Copies and fingerprints of folders, as the script in the container makes them: on real files."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_mailu.stack.data import tree_script

SCRIPT = Path(tree_script.__file__)


def ordered(source: Path, target: Path | str = "", *, contents: bool = True) -> dict[str, object]:
    """What the script says, run as in a container: by itself, with nothing of ours importable."""
    order = json.dumps({"folders": {"mail": [str(source), str(target)]}, "contents": contents})
    ran = subprocess.run(
        [sys.executable, "-I", "-S", SCRIPT, order], capture_output=True, text=True, check=True, timeout=60
    )
    found: dict[str, object] = json.loads(ran.stdout.splitlines()[-1])
    return found


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "cur").mkdir(parents=True)
    (folder / "cur" / "1:2,S").write_bytes(b"Subject: one\r\n\r\nHello\r\n")
    (folder / "Заметки").mkdir()
    (folder / "Заметки" / "two").write_bytes(b"\x00\xff" * 5000)
    os.link(folder / "cur" / "1:2,S", folder / "linked")
    (folder / "active").symlink_to("cur/1:2,S")
    os.mkfifo(folder / "pipe")
    os.chmod(folder / "cur" / "1:2,S", 0o640)
    os.utime(folder / "cur" / "1:2,S", ns=(10**18, 10**18 + 5))
    return folder


def test_a_copy_has_contents_modes_times_links_and_pipes(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    said = ordered(source, target)
    assert said["files"] == 3
    assert said["left_out"] == 0
    copied = target / "cur" / "1:2,S"
    assert copied.read_bytes() == (source / "cur" / "1:2,S").read_bytes()
    assert copied.stat().st_mode & 0o7777 == 0o640
    assert copied.stat().st_mtime_ns == 10**18 + 5
    assert copied.stat().st_ino == (target / "linked").stat().st_ino
    assert os.readlink(target / "active") == "cur/1:2,S"
    assert (target / "pipe").is_fifo()
    assert (target / "Заметки" / "two").read_bytes() == b"\x00\xff" * 5000


def test_the_fingerprint_of_a_copy_is_that_of_its_source(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    assert ordered(source, target)["digests"] == ordered(target)["digests"]


def test_what_an_image_put_there_makes_way(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    (target / "cur").mkdir(parents=True)
    (target / "cur" / "1:2,S").write_text("from the image")
    (target / "active").symlink_to("elsewhere")
    ordered(source, target)
    assert (target / "cur" / "1:2,S").read_bytes().startswith(b"Subject: one")
    assert os.readlink(target / "active") == "cur/1:2,S"


@pytest.mark.parametrize("change", ["content", "mode", "time", "new", "gone", "target"])
def test_every_change_changes_the_fingerprint(source: Path, change: str) -> None:
    before = ordered(source)["digests"]
    file = source / "Заметки" / "two"
    seen = file.stat()
    match change:
        case "content":
            file.write_bytes(b"\xff\x00" * 5000)
            os.utime(file, ns=(seen.st_atime_ns, seen.st_mtime_ns))
        case "mode":
            file.chmod(0o600 if seen.st_mode & 0o077 else 0o644)
        case "time":
            os.utime(file, ns=(seen.st_atime_ns, seen.st_mtime_ns + 1))
        case "new":
            (source / "another").touch()
        case "gone":
            file.unlink()
        case "target":
            (source / "active").unlink()
            (source / "active").symlink_to("cur")
    assert ordered(source)["digests"] != before


def test_looking_and_copying_change_nothing(source: Path, tmp_path: Path) -> None:
    before = ordered(source)["digests"]
    target = tmp_path / "target"
    target.mkdir()
    ordered(source, target)
    (target / "cur" / "1:2,S").write_text("changed in the copy")
    assert ordered(source)["digests"] == before


def test_without_contents_sizes_and_times_count(source: Path) -> None:
    before = ordered(source, contents=False)["digests"]
    file = source / "Заметки" / "two"
    seen = file.stat()
    file.write_bytes(b"x" * seen.st_size)
    os.utime(file, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert ordered(source, contents=False)["digests"] == before
    file.write_bytes(b"x")
    assert ordered(source, contents=False)["digests"] != before


def test_folders_within_folders_have_a_limit(tmp_path: Path) -> None:
    folder = tmp_path
    for _ in range(tree_script.DEEPEST + 2):
        folder /= "d"
        folder.mkdir()
    assert "nested" in str(ordered(tmp_path)["error"])


def test_what_is_missing_is_an_error_in_words(tmp_path: Path) -> None:
    said = ordered(tmp_path / "not-there")
    assert said["error"] == "No such file or directory"
    assert said["full"] is False


def test_a_full_disk_is_told_as_such(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    target = tmp_path / "target"
    target.mkdir()
    monkeypatch.setattr(tree_script, "cloned", lambda *_: False)
    monkeypatch.setattr(tree_script, "copied", no_room)
    said = tree_script.main(json.dumps({"folders": {"mail": [str(source), str(target)]}, "contents": False}))
    assert said["full"] is True
