"""Only regular files of the folder are read, however they are named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_mailu.core.errors import UsageError
from pytest_mailu.deployment.reader import Sources, read_deployment

COMPOSE = "services: {admin: {image: mailu/admin:1.9, env_file: mailu.env}}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inside = tmp_path / "mailu"
    inside.mkdir()
    (inside / "docker-compose.yml").write_text(COMPOSE)
    (inside / "mailu.env").write_text("DOMAIN=a.example\n")
    return inside


def refusal(folder: Path) -> UsageError:
    with pytest.raises(UsageError) as caught:
        read_deployment(Sources(folder))
    assert "\n" not in caught.value.cause
    assert caught.value.remedy
    return caught.value


def replaced(folder: Path) -> Path:
    (folder / "mailu.env").unlink()
    return folder / "mailu.env"


def test_a_link_within_the_folder_is_followed(folder: Path) -> None:
    (folder / "real.env").write_text("DOMAIN=b.example\n")
    replaced(folder).symlink_to("real.env")
    assert read_deployment(Sources(folder)).value("DOMAIN") == "b.example"


def test_a_link_out_of_the_folder_is_refused(folder: Path) -> None:
    (folder.parent / "secret").write_text("DOMAIN=b.example\n")
    replaced(folder).symlink_to("../secret")
    assert "line 1: mailu.env is outside the folder" in refusal(folder).cause


def test_a_folder_of_overrides_that_leads_out_is_refused(folder: Path) -> None:
    outside = folder.parent / "elsewhere"
    (outside / "postfix").mkdir(parents=True)
    (outside / "postfix" / "postfix.cf").write_text("x = y\n")
    (folder / "overrides").symlink_to(outside)
    assert "outside the folder" in refusal(folder).cause


def test_a_named_pipe_does_not_hold_the_check_up(folder: Path) -> None:
    os.mkfifo(replaced(folder))
    assert "mailu.env is not a regular file" in refusal(folder).cause


def test_a_folder_in_the_place_of_a_file_is_named(folder: Path) -> None:
    replaced(folder).mkdir()
    assert "mailu.env is a folder, not a file" in refusal(folder).cause


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"A=\xff\xfe\n", "mailu.env, line 1: not text in UTF-8"),
        ("DOMAIN=a.example\n".encode("utf-16"), "mailu.env is a binary file"),
        (b"A=1\n" * 80_000, "mailu.env is larger than 256 kB"),
        (b"\x7fELF\0\0", "mailu.env is a binary file"),
    ],
)
def test_what_is_no_text_of_a_usual_size_is_named(folder: Path, content: bytes, cause: str) -> None:
    (folder / "mailu.env").write_bytes(content)
    assert cause in refusal(folder).cause


def test_a_byte_order_mark_is_no_part_of_the_first_name(folder: Path) -> None:
    (folder / "mailu.env").write_bytes(b"\xef\xbb\xbfDOMAIN=b.example\r\n")
    assert read_deployment(Sources(folder)).value("DOMAIN") == "b.example"


def test_too_many_files_or_folders_of_overrides_are_named(folder: Path) -> None:
    deep = folder / "overrides" / "a" / "b" / "c" / "d"
    deep.mkdir(parents=True)
    (deep / "x").write_text("")
    assert "more than 4 levels deep" in refusal(folder).cause
    deep.joinpath("x").unlink()
    for level in (deep, *list(deep.parents)[:3]):
        level.rmdir()
    for number in range(201):
        (folder / "overrides" / f"{number}.cf").write_text("")
    assert "more than 200 files" in refusal(folder).cause


def test_a_folder_with_nothing_of_mailu_and_a_missing_one_are_named(tmp_path: Path) -> None:
    assert "has neither a compose file nor mailu.env" in refusal(tmp_path).cause
    assert "there is no folder" in refusal(tmp_path / "none").cause


def test_files_that_are_named_may_stand_anywhere(tmp_path: Path, folder: Path) -> None:
    env = tmp_path / "other.env"
    env.write_text("DOMAIN=c.example\n")
    deployment = read_deployment(Sources(compose=folder / "docker-compose.yml", env=env))
    assert deployment.value("DOMAIN") == "c.example"
    assert deployment.services["admin"].tag == "1.9"


def test_a_file_that_may_not_be_read_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may read everything, so the answer of the system is put in place of it."""
    usual = os.open

    def refusing(path: Path, *flags: int) -> int:
        if Path(path).name == "mailu.env":
            raise PermissionError(13, "Permission denied", str(path))
        return usual(path, *flags)

    monkeypatch.setattr(os, "open", refusing)
    assert "mailu.env cannot be read: permission denied" in refusal(folder).cause
