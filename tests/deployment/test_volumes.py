"""Where the data is: what Compose refuses, names of projects and volumes, and what keeps quiet."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_mailu.core.releases import Release
from pytest_mailu.deployment.checks.registry import check
from pytest_mailu.deployment.host import Host, Mounted
from pytest_mailu.deployment.reader import Sources, read_deployment
from tests.deployment.compose import config

IMAGE = "image: ghcr.io/mailu/dovecot:2.0"


def ids(folder: Path, compose: str, machine: Host | None = None, **files: str) -> set[str]:
    (folder / "docker-compose.yml").write_text(compose)
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    deployment = read_deployment(Sources(folder))
    notes = check(deployment, Release.parse("2.0.43"), Release.parse("2024.06.24"), machine=machine)
    wanted = (
        "settings/compose/volume",
        "settings/compose/project",
        "settings/compose/imap/data",
        "settings/compose/mounts",
    )
    return {note.id.removeprefix("settings/compose/") for note in notes if note.id.startswith(wanted)}


@pytest.mark.parametrize(
    ("mount", "volumes", "found"),
    [
        ("./mail:/mail", "", set()),
        ("/srv/post/mail:/mail", "", set()),
        ("~/mail:/mail", "", set()),
        ("/mail", "", set()),
        ("/srv/messages:/mail", "", {"mounts"}),
        ("mail:/mail", "volumes: {mail: {}}", {"mounts"}),
        ("mail:/mail", "", {"volume/mail"}),
        ("{type: bind, source: mail, target: /mail}", "", set()),
        ("{type: tmpfs, target: /mail}", "", set()),
        ("other:/elsewhere", "volumes: {other: {external: true}}", set()),
    ],
)
def test_what_docker_compose_refuses_and_what_the_set_up_page_names_otherwise(
    tmp_path: Path, mount: str, volumes: str, found: set[str]
) -> None:
    text = f"services: {{imap: {{{IMAGE}, volumes: [{mount if mount[0] == '{' else repr(mount)}]}}}}\n{volumes}\n"
    assert ids(tmp_path, text) == found
    read = config(tmp_path)
    refused = isinstance(read, str) and "undefined volume" in read
    assert refused == ("volume/mail" in found), read


NAMED = f"services: {{imap: {{{IMAGE}, volumes: ['mail:/mail']}}}}\nvolumes: {{mail: %s}}\n"
BIND = f"services: {{imap: {{{IMAGE}, volumes: ['./mail:/mail']}}}}\n"


@pytest.mark.parametrize(
    ("compose", "dot_env", "mailu_env", "found"),
    [
        (NAMED % "{}", "COMPOSE_PROJECT_NAME=post", "COMPOSE_PROJECT_NAME=mailu", {"project"}),
        ("name: post\n" + NAMED % "{}", "", "COMPOSE_PROJECT_NAME=mailu", {"project"}),
        ("name: post\n" + NAMED % "{}", "COMPOSE_PROJECT_NAME=mailu", "COMPOSE_PROJECT_NAME=mailu", set()),
        (NAMED % "{name: mailu_mail}", "COMPOSE_PROJECT_NAME=post", "COMPOSE_PROJECT_NAME=mailu", set()),
        (NAMED % "{external: true}", "COMPOSE_PROJECT_NAME=post", "COMPOSE_PROJECT_NAME=mailu", set()),
        (NAMED % "{}", "", "COMPOSE_PROJECT_NAME=mailu", set()),
        (BIND, "COMPOSE_PROJECT_NAME=post", "COMPOSE_PROJECT_NAME=mailu", set()),
    ],
)
def test_two_names_of_the_project_matter_to_volumes_alone(
    tmp_path: Path, compose: str, dot_env: str, mailu_env: str, found: set[str]
) -> None:
    assert ids(tmp_path, compose, _env=dot_env, mailu_env=mailu_env) - {"mounts"} == found


@pytest.mark.parametrize(
    ("compose", "source", "volume", "found"),
    [
        (NAMED % "{}", "mailu_mail", True, set()),
        (NAMED % "{}", "post_mail", True, {"imap/data/mail"}),
        (NAMED % "{name: post_mail}", "post_mail", True, set()),
        (NAMED % "{external: {name: post_mail}}", "post_mail", True, set()),
        (NAMED % "{}", "{root}/mail", False, {"imap/data/mail"}),
        (BIND, "{root}/mail", False, set()),
        (BIND, "{root}/link/mail", False, set()),
        (BIND, "/srv/mail", False, {"imap/data/mail"}),
        (BIND, "mailu_mail", True, {"imap/data/mail"}),
        (BIND, "a" * 64, True, set()),
        ("name: post\n" + NAMED % "{}", "mailu_mail", True, {"project"}),
        ("name: post\n" + BIND, "{root}/mail", False, {"project"}),
    ],
)
def test_the_containers_of_today_tell_where_the_data_is(
    tmp_path: Path, compose: str, source: str, volume: bool, found: set[str]
) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    mounted = Mounted("imap", "/mail", source.replace("{root}", str(tmp_path)), volume)
    assert ids(tmp_path, compose, Host(project="mailu", mounts=(mounted,))) - {"mounts"} == found


FORMS = ("", "{}", "{name: x}", "{name: 'x-${X}'}", "{external: true}", "{driver: local}")


@pytest.mark.parametrize("head", ["", "name: post\n", "name: mailu-${X:-a}\n"])
@pytest.mark.parametrize("dot_env", ["", "COMPOSE_PROJECT_NAME=other\n", "COMPOSE_PROJECT_NAME=\n"])
def test_volumes_are_called_what_docker_compose_calls_them(tmp_path: Path, head: str, dot_env: str) -> None:
    (tmp_path / ".env").write_text(f"X=y\n{dot_env}")
    mounts = "".join(f"'v{number}:/mail/{number}', " for number in range(len(FORMS)))
    volumes = "".join(f"  v{number}: {form}\n" for number, form in enumerate(FORMS))
    text = f"{head}services: {{imap: {{{IMAGE}, volumes: [{mounts}]}}}}\nvolumes:\n{volumes}"
    (tmp_path / "docker-compose.yml").write_text(text)
    read = config(tmp_path)
    assert isinstance(read, dict), read
    deployment = read_deployment(Sources(tmp_path))
    if deployment.project is not None:
        assert deployment.project.value == read["name"]
    named = {key: volume.name or f"{read['name']}_{key}" for key, volume in deployment.volumes.items()}
    assert named == {key: volume["name"] for key, volume in read["volumes"].items()}
