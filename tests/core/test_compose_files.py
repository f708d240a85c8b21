"""Compose files that Docker Compose takes together."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_mailu.core.compose_files import compose_file_in, together


@pytest.mark.parametrize(
    ("name", "beside", "taken"),
    [
        ("docker-compose.yml", ("docker-compose.override.yml",), ["docker-compose.yml", "docker-compose.override.yml"]),
        ("compose.yaml", ("docker-compose.override.yml",), ["compose.yaml", "docker-compose.override.yml"]),
        ("compose.yml", ("compose.override.yml", "compose.override.yaml"), ["compose.yml", "compose.override.yml"]),
        ("docker-compose.yml", (), ["docker-compose.yml"]),
        # A file of another name is named to Compose with -f, which then takes no override file.
        ("prepared.yml", ("docker-compose.override.yml",), ["prepared.yml"]),
    ],
)
def test_a_file_that_compose_finds_by_its_name_has_its_override_beside_it(
    name: str, beside: tuple[str, ...], taken: list[str], tmp_path: Path
) -> None:
    for each in beside:
        (tmp_path / each).write_text("services: {}\n")
    assert [path.name for path in together(tmp_path / name)] == taken


@pytest.mark.parametrize(
    ("there", "taken"),
    [
        (("docker-compose.yml", "compose.yml"), "compose.yml"),
        (("docker-compose.yaml", "docker-compose.yml"), "docker-compose.yml"),
        (("prepared.yml",), None),
        ((), None),
    ],
)
def test_the_compose_file_of_a_folder_is_the_first_that_compose_looks_for(
    there: tuple[str, ...], taken: str | None, tmp_path: Path
) -> None:
    for each in there:
        (tmp_path / each).write_text("services: {}\n")
    found = compose_file_in(tmp_path)
    assert (found and found.name) == taken
    assert compose_file_in(None) is None
