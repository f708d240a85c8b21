"""`--mailu-compose-new`: what two compose files of one deployment mean together, with file and line of each note."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.model import Verdict
from pytest_mailu.core.releases import Release
from pytest_mailu.deployment.checks.registry import check
from pytest_mailu.deployment.fix import propose
from pytest_mailu.deployment.host import Host, Mounted
from pytest_mailu.deployment.note import Note
from pytest_mailu.deployment.reader import Sources, read_deployment, with_compose, with_settings
from pytest_mailu.judging.judge import QUIET, judge

OLD, NEW = Release.parse("2.0.43"), Release.parse("2.0.44")
FILE = """\
services:
  front:
    image: ghcr.io/mailu/nginx:{tag}
    restart: always
    env_file: mailu.env
    ports:
      - "25:25"
      - "443:443"
      - "993:993"
  admin:
    image: ghcr.io/mailu/admin:{tag}
    restart: always
    env_file: mailu.env
    volumes: ["./data:/data"]
  imap:
    image: ghcr.io/mailu/dovecot:{tag}
    restart: always
    env_file: mailu.env
    volumes:
      - "./mail:/mail"
      - "./overrides/dovecot:/overrides:ro"
  webmail:
    image: ghcr.io/mailu/webmail:{tag}
    restart: always
    env_file: mailu.env
    volumes: ["webmail:/data"]
  db:
    image: postgres:16
volumes: {{webmail: {{}}}}
"""
ENV = (
    "SECRET_KEY=0123456789abcdef0123\nDOMAIN=a.example\nHOSTNAMES=mail.a.example\nTLS_FLAVOR=cert\nWEBMAIL=roundcube\n"
)


def notes(
    folder: Path, *changes: tuple[str, str], new: str = "docker-compose.new.yml", host: Host | None = None
) -> dict[str, Note]:
    """What is told because of the second file, by id: it has `changes`, and lies at the path `new`."""
    (folder / "mailu").mkdir()
    present, prepared = folder / "mailu" / "docker-compose.yml", folder / "mailu" / new
    prepared.parent.mkdir(parents=True, exist_ok=True)
    text = FILE.format(tag="2.0.43")
    present.write_text(text)
    for before, after in (("2.0.43", "2.0.44"), *changes):
        assert before in text
        text = text.replace(before, after)
    prepared.write_text(text)
    for place in {present.parent, prepared.parent}:
        (place / "mailu.env").write_text(ENV)
    sources = Sources(present.parent)
    today = read_deployment(sources)
    alike = {(note.id, verdict(note)) for note in loud(check(today, OLD, NEW, machine=host))}
    found = loud(check(today, OLD, NEW, with_compose(today, sources, prepared), machine=host))
    return {note.id.removeprefix("settings/"): note for note in found if (note.id, verdict(note)) not in alike}


def loud(found: tuple[Note, ...]) -> list[Note]:
    return [note for note in found if verdict(note) not in QUIET]


def verdict(note: Note) -> Verdict:
    return judge(note.question, [note.old], [note.new]).verdict


def told(found: dict[str, Note]) -> dict[str, tuple[str, str]]:
    return {id_: (str(verdict(note)), str(note.place)) for id_, note in found.items()}


FILE_NEW = "docker-compose.new.yml"


@pytest.mark.parametrize("new", [FILE_NEW, "new/docker-compose.yml", "../elsewhere/docker-compose.yml"])
def test_a_file_that_differs_in_its_tags_alone_says_nothing_wherever_it_lies(tmp_path: Path, new: str) -> None:
    assert notes(tmp_path, new=new) == {}


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ('      - "993:993"\n', "", {"ports/993": ("regressed", f"{FILE_NEW}, line 8")}),
        (
            '      - "./mail:/mail"\n',
            "",
            {"compose/imap/data/mail": ("regressed", f"{FILE_NEW}, line 15")},
        ),
        ("./mail:/mail", "./messages:/mail", {"compose/imap/data/mail": ("regressed", f"{FILE_NEW}, line 20")}),
        ("webmail:/data", "rainloop:/data", {"compose/volume/rainloop": ("regressed", f"{FILE_NEW}, line 26")}),
        (
            "volumes: {webmail: {}}",
            "volumes: {webmail: {name: another}}",
            {"compose/webmail/data/data": ("regressed", f"{FILE_NEW}, line 26")},
        ),
        ("  db:\n", "  store:\n", {"compose/db/missing": ("changed", "docker-compose.yml, line 27")}),
        ("  db:\n    image: postgres:16\n", "", {"compose/db/missing": ("changed", "docker-compose.yml, line 27")}),
        ("dovecot:2.0.44", "dovecot:2.0.43", {"compose/imap/tag": ("regressed", f"{FILE_NEW}, line 16")}),
        ("nginx:2.0.44", "nginx:${TAG}", {"compose/variable/TAG": ("regressed", f"{FILE_NEW}, line 3")}),
    ],
)
def test_what_the_new_file_loses_is_told_with_its_file_and_line(
    tmp_path: Path, before: str, after: str, found: dict[str, tuple[str, str]]
) -> None:
    seen = told(notes(tmp_path, (before, after)))
    assert {id_: seen.get(id_) for id_ in found} == found
    assert all(where[1].startswith("docker-compose.") for where in seen.values())


def test_services_that_the_new_file_leaves_out_are_regressions(tmp_path: Path) -> None:
    gone = FILE.format(tag="2.0.44").partition("  imap:\n")[2].partition("  db:\n")[0]
    found = told(notes(tmp_path, (f"  imap:\n{gone}", "")))
    assert found["compose/imap/missing"] == ("regressed", "docker-compose.yml, line 15")
    assert found["compose/webmail/missing"] == ("regressed", "mailu.env, line 5")


def test_a_mistake_of_both_files_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "docker-compose.yml").write_text(FILE.format(tag="2.0.43").replace("webmail:/data", "other:/data"))
    (tmp_path / "new.yml").write_text(FILE.format(tag="2.0.44").replace("webmail:/data", "other:/data"))
    (tmp_path / "mailu.env").write_text(ENV)
    before = read_deployment(Sources(tmp_path))
    found = check(before, OLD, NEW, with_compose(before, Sources(tmp_path), tmp_path / "new.yml"))
    (note,) = [note for note in found if note.id == "settings/compose/volume/other"]
    assert verdict(note) is Verdict.BROKEN
    assert note.place is not None
    assert note.place.file == "new.yml"


@pytest.mark.parametrize(
    ("new", "shown"),
    [("new/docker-compose.yml", "new/docker-compose.yml"), ("../away/compose.yml", "{root}/away/compose.yml")],
)
def test_a_file_in_another_folder_is_named_so_that_nobody_takes_it_for_the_present_one(
    tmp_path: Path, new: str, shown: str
) -> None:
    found = notes(tmp_path, ("./mail:/mail", "./messages:/mail"), new=new)["compose/imap/data/mail"]
    assert str(found.place) == f"{shown.replace('{root}', str(tmp_path))}, line 20"


def test_what_the_running_containers_have_counts_more_than_the_present_file(tmp_path: Path) -> None:
    host = Host(project="mailu", mounts=(Mounted("imap", "/mail", str(tmp_path / "mailu" / "messages")),))
    assert notes(tmp_path, ("./mail:/mail", "./messages:/mail"), host=host) == {}


def test_settings_come_from_the_env_file_beside_the_new_file_and_those_of_the_option_win(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    files = {"docker-compose.yml": "old", "new/docker-compose.yml": "new"}
    for name, word in files.items():
        (tmp_path / name).write_text(FILE.format(tag="${TAG}"))
        (tmp_path / name).with_name(".env").write_text(f"TAG={word}\n")
        (tmp_path / name).with_name("mailu.env").write_text(f"SITENAME={word}\nWEBSITE={word}\n")
    (tmp_path / "more.env").write_text("WEBSITE=option\n")
    before = read_deployment(Sources(tmp_path))
    after = with_compose(before, Sources(tmp_path), tmp_path / "new" / "docker-compose.yml")
    assert (before.services["imap"].tag, after.services["imap"].tag) == ("old", "new")
    assert (before.value("SITENAME"), after.value("SITENAME")) == ("old", "new")
    assert str(after.settings["SITENAME"].place) == "new/mailu.env, line 1"
    assert after.dot_env is not None
    assert after.dot_env.shown == "new/.env"
    assert with_settings(after, tmp_path / "more.env").value("WEBSITE") == "option"
    both = Sources(env=tmp_path / "mailu.env", compose=tmp_path / "docker-compose.yml")
    assert with_compose(before, both, tmp_path / "new" / "docker-compose.yml").value("SITENAME") == "old"


def test_an_env_file_of_the_deployment_may_be_named_from_a_folder_in_it_and_none_outside(tmp_path: Path) -> None:
    for folder in ("mailu/new", "away"):
        (tmp_path / folder).mkdir(parents=True)
    text = FILE.format(tag="2.0.44")
    (tmp_path / "mailu" / "docker-compose.yml").write_text(text)
    (tmp_path / "mailu" / "mailu.env").write_text(ENV)
    sources = Sources(tmp_path / "mailu")
    before = read_deployment(sources)
    inside = tmp_path / "mailu" / "new" / "docker-compose.yml"
    inside.write_text(text.replace("env_file: mailu.env", "env_file: ../mailu.env"))
    assert with_compose(before, sources, inside).value("DOMAIN") == "a.example"
    outside = tmp_path / "away" / "docker-compose.yml"
    outside.write_text(text.replace("env_file: mailu.env", "env_file: ../mailu/mailu.env"))
    with pytest.raises(UsageError, match="outside the folder"):
        with_compose(before, sources, outside)


def test_proposed_changes_are_those_of_the_new_file(tmp_path: Path) -> None:
    assert notes(tmp_path) == {}
    sources = Sources(tmp_path / "mailu")
    before = read_deployment(sources)
    after = with_compose(before, sources, tmp_path / "mailu" / FILE_NEW)
    made = propose(after, loud(check(before, OLD, Release.parse("2024.06.24"), after)), Release.parse("2024.06.24"))
    assert "dovecot:2024.06.24" in made.files[FILE_NEW]
    assert "docker-compose.yml" not in made.files
