"""Proposed files cure what they say, keep every other line, and go into a new folder alone."""

from __future__ import annotations

import difflib
import shutil
import stat
from pathlib import Path

import pytest

from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.releases import Release
from pytest_mailu.deployment.checks.registry import check
from pytest_mailu.deployment.fix import Proposal, propose, write
from pytest_mailu.deployment.lines import compose_line
from pytest_mailu.deployment.note import Note
from pytest_mailu.deployment.reader import Sources, read_deployment
from pytest_mailu.judging.judge import QUIET, judge
from tests.deployment.compose import config
from tests.deployment.test_deployments import FOLDERS, expected

HERE = Path(__file__).parent / "deployments"


def loud(notes: tuple[Note, ...]) -> list[Note]:
    return [note for note in notes if judge(note.question, [note.old], [note.new]).verdict not in QUIET]


def proposal(folder: Path) -> tuple[Proposal, list[Note]]:
    wanted = expected(folder)
    deployment = read_deployment(Sources(folder))
    old, new = Release.parse(wanted["from"]), Release.parse(wanted["to"])
    found = loud(check(deployment, old, new))
    return propose(deployment, found, new), found


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_with_the_proposed_files_what_they_cure_is_no_longer_found(folder: Path, tmp_path: Path) -> None:
    made, found = proposal(folder)
    cured = tmp_path / "mailu"
    shutil.copytree(folder, cured)
    for name, text in made.files.items():
        (cured / name).write_text(text)
    wanted = expected(folder)
    before, after = read_deployment(Sources(folder)), read_deployment(Sources(cured))
    left = loud(check(before, Release.parse(wanted["from"]), Release.parse(wanted["to"]), after))
    assert not {note.id for note in left if note.lost} & {note.id for note in found if note.edits}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_compose_reads_the_proposed_file_and_every_other_line_is_as_it_was(folder: Path, tmp_path: Path) -> None:
    made, found = proposal(folder)
    cured = tmp_path / "mailu"
    shutil.copytree(folder, cured)
    for name, text in made.files.items():
        if (folder / name).exists():
            (cured / name).write_text(text)
            before = (folder / name).read_text().splitlines()
            removed = [line for line in difflib.ndiff(before, text.splitlines()) if line.startswith("- ")]
            edits = [edit for note in found for edit in note.edits if (edit.file or "mailu.env") == name and edit.line]
            tags = [line for line in removed if "image:" in line or "MAILU_VERSION" in line]
            assert len(removed) <= len(edits) + len(tags)
    assert isinstance(config(cured), dict), config(cured)


def test_a_removed_setting_becomes_a_comment_and_a_new_one_comes_last(tmp_path: Path) -> None:
    (tmp_path / "mailu.env").write_text("# mine\nDOMAIN=a.example\nKUBERNETES_INGRESS=true # why\n\n")
    deployment = read_deployment(Sources(tmp_path))
    notes = loud(check(deployment, Release.parse("2.0.43"), Release.parse("2024.06.57")))
    text = propose(deployment, notes, Release.parse("2024.06.57")).files["mailu.env"]
    assert text == (
        "# mine\nDOMAIN=a.example\n# KUBERNETES_INGRESS=true # why\nPORTS=25,80,110,143,443,465,587,993,995,4190\n"
    )


def test_lines_of_a_form_that_cannot_be_changed_safely_are_left_to_a_person(tmp_path: Path) -> None:
    (tmp_path / "docker-compose.yml").write_text("services: {admin: {image: 'mailu/admin:1.9', restart: always}}\n")
    deployment = read_deployment(Sources(tmp_path))
    notes = loud(check(deployment, Release.parse("1.9.50"), Release.parse("2.0.43")))
    files = propose(deployment, notes, Release.parse("2.0.43")).files
    assert "docker-compose.yml" not in files
    assert "docker-compose.yml, line 1: `image: ghcr.io/mailu/admin" in files["NOTES.md"]


def test_files_are_for_their_owner_alone_and_the_changed_lines_are_counted(tmp_path: Path) -> None:
    source = tmp_path / "mailu"
    source.mkdir()
    (source / "mailu.env").write_text(
        "SECRET_KEY=one-of-sixteen-or-more\nSECRET_KEY=two-of-sixteen-or-more\nDOMAIN=a.example\n"
    )
    deployment = read_deployment(Sources(source))
    notes = loud(check(deployment, Release.parse("2.0.43"), Release.parse("2024.06.57")))
    made = propose(deployment, notes, Release.parse("2024.06.57"))
    assert made.changed == 2, "one line became a comment, PORTS is new"
    write(tmp_path / "new", made)
    written = tmp_path / "new" / "mailu.env"
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert written.read_text().startswith("# SECRET_KEY=one-of-sixteen-or-more\nSECRET_KEY=two")


def test_what_exists_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "mailu.env").write_text("DOMAIN=a.example\n")
    for folder in (tmp_path, tmp_path / "mailu.env"):
        with pytest.raises(UsageError, match="--mailu-fix"):
            write(folder, Proposal({"mailu.env": "x"}))
    assert (tmp_path / "mailu.env").read_text() == "DOMAIN=a.example\n"


def test_a_name_that_leads_out_of_the_new_folder_stays_in_it(tmp_path: Path) -> None:
    write(tmp_path / "a" / "new", Proposal({"../up.env": "x", str(tmp_path / "abs.env"): "y"}))
    assert {path.name for path in (tmp_path / "a" / "new").iterdir()} == {"up.env", "abs.env"}
    assert {path.name for path in tmp_path.iterdir()} == {"a"}


def test_a_line_is_changed_in_the_env_file_that_has_it() -> None:
    made, _ = proposal(HERE / "20-two-env-files")
    assert "mailu.env" not in made.files
    lines = made.files["common.env"].split("\n")
    assert lines[2] == "PROXY_PROTOCOL=80,443\r"
    before = (HERE / "20-two-env-files" / "common.env").read_bytes().decode().split("\n")
    assert [*lines[:2], *lines[3:]] == [*before[:2], *before[3:]]


def test_a_line_of_environment_keeps_its_form_and_its_comment() -> None:
    made, _ = proposal(HERE / "20-environment-only")
    assert "mailu.env" not in made.files
    text = made.files["compose.yaml"]
    assert '\n  FULL_TEXT_SEARCH: "en"\n' in text
    assert "\n  # POD_ADDRESS_RANGE: 10.0.0.0/8  # from the times of Kubernetes\n" in text
    assert '\n      PORTS: "25,80,110,143,443,465,587,993,995,4190"\n' in text


@pytest.mark.parametrize(
    ("old", "text", "new"),
    [
        ("      LOG: x", "PORTS=25,80", '      PORTS: "25,80"'),
        ("  - LOG=x  # ours", "PORTS=25", "  - PORTS=25  # ours"),
        ("  - 'LOG=x'\r", "A=b$c", '  - "A=b$$c"'),
        ("  LOG: &anchor x", "PORTS=25", None),
        ("  environment: {LOG: x}", "PORTS=25", None),
        ("  - LOG=x", None, "  # - LOG=x"),
        ("    image: x  # ours", "image: y", "    image: y  # ours"),
        ("    volumes: [x]", "image: y", None),
    ],
)
def test_a_line_of_a_compose_file_in_its_new_form(old: str, text: str | None, new: str | None) -> None:
    assert compose_line(old, text) == new


def test_of_the_address_of_a_database_only_the_driver_changes() -> None:
    made, found = proposal(HERE / "19-mysql-notls")
    line = "SQLALCHEMY_DATABASE_URI=mysql+mysqlconnector://mailu:7xq2LmR9tB4w@db.example.org/mailu"
    assert line in made.files["mailu.env"].split("\n")
    assert not [note for note in found if "7xq2LmR9tB4w" in f"{note.write} {note.advice}"]
