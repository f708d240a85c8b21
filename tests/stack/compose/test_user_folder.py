"""The user's files are read with limits, whatever is there instead of files."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest

from pytest_mailu.core.errors import UsageError
from pytest_mailu.stack.compose.user_folder import SIZE_LIMIT, read_tree


def test_regular_files_are_read_at_every_depth(tmp_path: Path) -> None:
    (tmp_path / "sub" / "deeper").mkdir(parents=True)
    (tmp_path / "a.conf").write_bytes(b"a")
    (tmp_path / "sub" / "deeper" / "b.conf").write_bytes(b"b")
    (tmp_path / "empty").touch()
    (tmp_path / "link.conf").symlink_to("a.conf")
    assert read_tree(tmp_path, "x") == {
        "a.conf": b"a",
        "empty": b"",
        "link.conf": b"a",
        "sub/deeper/b.conf": b"b",
    }
    assert read_tree(tmp_path / "a.conf", "x") == {"": b"a"}


def test_a_sparse_file_is_measured_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(4 << 30)
    with pytest.raises(UsageError, match="too big"):
        read_tree(tmp_path, "in --mailu-overrides")


def test_many_small_files_are_too_big_together(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / str(number)).write_bytes(bytes(SIZE_LIMIT // 2))
    with pytest.raises(UsageError, match="too big"):
        read_tree(tmp_path, "x")


def test_a_whole_file_system_is_refused_at_once() -> None:
    """`/:/rootfs:ro`, as monitoring has it."""
    started = time.monotonic()
    with pytest.raises(UsageError):
        read_tree(Path("/"), "mounted read-only in front")
    assert time.monotonic() - started < 20


def test_a_folder_of_many_files_is_refused(tmp_path: Path) -> None:
    for number in range(2_100):
        (tmp_path / str(number)).touch()
    with pytest.raises(UsageError, match="2000 files"):
        read_tree(tmp_path, "x")


def test_links_that_leave_the_folder_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file").symlink_to(outside / "secret")
    (folder / "relative").symlink_to("../outside/secret")
    (folder / "dir").symlink_to(outside)
    (folder / "zero").symlink_to("/dev/zero")
    (folder / "broken").symlink_to("nowhere")
    (folder / "circle").symlink_to("circle")
    (folder / "own.conf").write_bytes(b"own")
    assert read_tree(folder, "x") == {"own.conf": b"own"}


def test_pipes_sockets_and_devices_are_left_out(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "socket"))
        (tmp_path / "a").write_bytes(b"a")
        assert read_tree(tmp_path, "x") == {"a": b"a"}
    assert read_tree(Path("/dev/null"), "x") == {}
    assert read_tree(Path("/dev/zero"), "x") == {}


def test_what_cannot_be_read_is_named_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.conf").write_bytes(b"a")

    def refuse(path: Path, flags: int) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("os.open", refuse)
    with pytest.raises(UsageError) as caught:
        read_tree(tmp_path, "in --mailu-overrides")
    assert "a.conf" in caught.value.cause
    assert "Permission denied" in caught.value.cause
    monkeypatch.undo()
    with pytest.raises(UsageError, match="cannot be read"):
        read_tree(tmp_path / "absent", "x")
