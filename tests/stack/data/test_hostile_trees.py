"""Data that somebody made to harm whoever copies or counts it: links, holes, pipes, depths, names, and what is there.

Both scripts run as in a container: by themselves, here with little memory and with files of limited size.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pytest_mailu.core.releases import Release
from pytest_mailu.stack.data import survey_script, tree_script
from pytest_mailu.stack.data.survey_words import sentences
from tests.stack.data.mailu_database import make as make_database

HUGE = 1 << 33
"""Bytes of a file that is a hole: more than a look at a database takes."""
WRITTEN, MEMORY = 64 << 20, 60 << 20
"""Bytes that a script may write into a file, and that it may hold."""


def ran(script: Any, order: dict[str, Any], written: int = HUGE) -> dict[str, Any]:
    """The answer of a script."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_FSIZE, (written, written))

    command = [sys.executable, "-I", "-S", script.__file__, json.dumps(order)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=90, preexec_fn=limit)
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert len(done.stdout) < 1_000_000
    return found


def copied(source: Path, target: Path) -> dict[str, Any]:
    return ran(tree_script, {"folders": {"mail": [str(source), str(target)]}, "contents": False})


def fingerprint(folder: Path) -> object:
    return ran(tree_script, {"folders": {"mail": [str(folder), ""]}, "contents": False})["digests"]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "source").mkdir()
    return tmp_path / "source"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "target").mkdir()
    return tmp_path / "target"


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder that is none of the data: nothing of it is read or changed."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "secret").write_text("secret")
    return tmp_path / "elsewhere"


def untouched(elsewhere: Path) -> bool:
    return [path.name for path in elsewhere.iterdir()] == ["secret"] and (elsewhere / "secret").read_text() == "secret"


LINKS: dict[str, Callable[[Path], str]] = {
    "to a folder outside": str,
    "to a file outside": lambda elsewhere: str(elsewhere / "secret"),
    "upwards": lambda elsewhere: f"../{elsewhere.name}",
    "to the root": lambda _: "/",
    "to itself": lambda _: "link",
    "to nothing": lambda _: "nowhere",
    "to an endless file": lambda _: "/dev/zero",
    "to the process": lambda _: "/proc/self/fd/0",
}


@pytest.mark.parametrize("link", LINKS)
def test_a_link_is_copied_as_a_link_and_never_followed(link: str, source: Path, target: Path, elsewhere: Path) -> None:
    (source / "link").symlink_to(LINKS[link](elsewhere))
    said = copied(source, target)
    assert (said["files"], said["bytes"]) == (0, 0)
    assert os.readlink(target / "link") == os.readlink(source / "link")
    assert untouched(elsewhere)


@pytest.mark.parametrize("link", LINKS)
def test_what_the_target_has_in_the_way_is_replaced_and_never_followed(
    link: str, source: Path, target: Path, elsewhere: Path
) -> None:
    """A volume begins as a copy of what the image under test has there."""
    (source / "cur").mkdir()
    (source / "cur" / "secret").write_text("a message")
    (source / "file").write_text("a file")
    for name in ("cur", "file"):
        (target / name).symlink_to(LINKS[link](elsewhere).replace("link", name))
    copied(source, target)
    assert untouched(elsewhere)
    assert fingerprint(source) == fingerprint(target)


def test_a_folder_where_a_file_belongs_and_a_file_where_a_folder_belongs_make_way(source: Path, target: Path) -> None:
    (source / "a").mkdir()
    (source / "b").write_text("b")
    (target / "a").write_text("from the image")
    (target / "b" / "deeper").mkdir(parents=True)
    copied(source, target)
    assert fingerprint(source) == fingerprint(target)


def test_holes_stay_holes(source: Path, target: Path) -> None:
    with (source / "sparse").open("wb") as file:
        file.write(b"beginning")
        file.seek(HUGE // 2)
        file.write(b"middle")
        file.truncate(HUGE)
    said = copied(source, target)
    assert said["bytes"] == HUGE
    made = target / "sparse"
    assert (made.stat().st_size, made.stat().st_blocks * 512 < WRITTEN) == (HUGE, True)
    with made.open("rb") as file:
        assert file.read(9) == b"beginning"
        file.seek(HUGE // 2)
        assert file.read(7) == b"middle\0"
    assert fingerprint(source) == fingerprint(target)


def test_pipes_are_not_opened_and_sockets_and_devices_are_left_out(source: Path, target: Path) -> None:
    os.mkfifo(source / "pipe")
    os.mknod(source / "whiteout", stat.S_IFCHR, os.makedev(0, 0))  # the one device that anybody may make
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(source / "socket"))
        said = copied(source, target)
    assert said["left_out"] == 2
    assert [path.name for path in target.iterdir()] == ["pipe"]
    assert (target / "pipe").is_fifo()


NAMES = (
    *(b"a\nb", b"\xff\xfe", b"\x1b[2J", b"-rf", b"\xed\xa0\x80", b"a,b:c\\d'e\"f", b" ", b"\xe2\x80\xae", b"x" * 255),
    *(b"$(touch x)", b"%s%n", b"{}", b"..."),
)


def test_names_of_every_kind_are_copied_as_they_are(source: Path, target: Path) -> None:
    for name in NAMES:
        os.mkdir(os.fsencode(source) + b"/" + name)
        with open(os.fsencode(source) + b"/" + name + b"/" + name, "wb") as file:
            file.write(name)
    said = copied(source, target)
    assert said["files"] == len(NAMES)
    assert sorted(os.listdir(os.fsencode(target))) == sorted(NAMES)
    assert fingerprint(source) == fingerprint(target)


@contextmanager
def nested(folder: Path, name: str, levels: int) -> Iterator[None]:
    """Folders within folders while the block runs, deeper than Python removes them and a path names them (PATH_MAX)."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        for _ in range(levels):
            os.mkdir(name, dir_fd=descriptor)
            inner = os.open(name, os.O_RDONLY, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=descriptor))
        yield
    finally:
        os.close(descriptor)
        subprocess.run(["rm", "-rf", folder / name], check=True)


DEPTHS = {"many levels": ("d", 1500), "a long path": ("n" * 250, 40)}


@pytest.mark.parametrize("depth", DEPTHS)
def test_folders_too_deep_to_be_copied_are_an_error_in_words(depth: str, source: Path, target: Path) -> None:
    with nested(source, *DEPTHS[depth]):
        said = copied(source, target)
        shutil.rmtree(target)
    assert said["error"] in ("folders are nested more than 200 deep", "File name too long")
    assert said["full"] is False


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("place", ["mail", "queue/deferred", "webmail", "dav", "mail/person/xapian-indexes"])
def test_folders_too_deep_to_be_counted_are_counted_as_far_as_that_goes(place: str, depth: str, tmp_path: Path) -> None:
    make_database(tmp_path / "data" / "main.db")
    (tmp_path / place).mkdir(parents=True)
    (tmp_path / place / "1.vcf").write_text("x")
    (tmp_path / place / "loop").symlink_to("/")
    order = {name: str(tmp_path / name) for name in ("mail", "queue", "webmail", "dav") if (tmp_path / name).exists()}
    with nested(tmp_path / place, *DEPTHS[depth]):
        said = ran(survey_script, {"database": str(tmp_path / "data" / "main.db"), **order})
    assert said["database"]["mailu"]
    assert sum(said["counts"].values()) < 10


def test_many_files_in_one_folder_take_little_memory(tmp_path: Path) -> None:
    box = tmp_path / "mail" / "person" / "cur"
    box.mkdir(parents=True)
    (box / "first").touch()
    for number in range(30_000):
        os.link(box / "first", box / f"{number:0200}")
    said = ran(survey_script, {"mail": str(tmp_path / "mail")})
    assert said["counts"]["messages"] == 30_001


@pytest.mark.parametrize("suffix", ["", "-journal", "-wal"])
@pytest.mark.parametrize("kind", ["hole", "link to a hole", "link to an endless file", "pipe", "folder"])
def test_a_database_that_is_none_is_neither_copied_nor_waited_for(kind: str, suffix: str, tmp_path: Path) -> None:
    database = make_database(tmp_path / "data" / "main.db")
    path = tmp_path / "data" / f"main.db{suffix}"
    path.unlink(missing_ok=True)
    hole = tmp_path / "hole"
    with hole.open("wb") as file:
        file.truncate(HUGE)
    match kind:
        case "hole":
            hole.rename(path)
        case "link to a hole":
            path.symlink_to(hole)
        case "link to an endless file":
            path.symlink_to("/dev/zero")
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
    said = ran(survey_script, {"database": str(database)}, written=WRITTEN)["database"]
    if kind == "hole":
        assert "more than 4 GB" in said["error"]
    elif not suffix:
        assert said["error"] == "it is no file"
    else:
        assert said["mailu"]


def test_long_names_in_a_database_make_an_answer_that_fits_and_sentences_of_one_line(tmp_path: Path) -> None:
    long = "'" + "\U0001f600\x1b\n" * 3000 + "'"
    numbers = "with recursive n (i) as (select 1 union all select i + 1 from n where i < 600)"
    make_database(
        tmp_path / "data" / "main.db",
        f"insert into domain (name, comment) {numbers} select {long} || i, {long} from n",
        *(
            f"insert into {table} ({column}, {other}) {numbers} select {long} || i, {long} from n"
            for table, column, other in (
                ("user", "email", "domain_name"),
                ("alias", "email", "domain_name"),
                ("alternative", "name", "domain_name"),
                ("relay", "name", "smtp"),
                ("token", "user_email", "password"),
            )
        ),
    )
    said = ran(survey_script, {"database": str(tmp_path / "data" / "main.db")})
    assert said["database"]["problems"]
    releases = tuple(map(Release.parse, ("2.0.43", "2024.06.24")))
    assert len("".join(sentences(said, releases, names=True))) < 100_000
