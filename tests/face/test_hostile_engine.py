"""Names and messages on an engine that somebody else wrote: shown in one line each, and none moves the cursor."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_mailu.stack.docker.labels import RUN
from tests.stack.scripted_engine import ScriptedEngine

ODD = "\x1b[2J\x1b]0;owned\x07\x9b31m\r\u202e"
RUN_OPTIONS = ("-m", "mailu(severity='critical')", "--mailu-pull", "never")


def only_printable(shown: str) -> bool:
    return all(character.isprintable() or character == "\n" for character in shown)


@pytest.mark.parametrize("name", [ODD, f"{ODD}\n{ODD}", "x" * 100_000])
def test_a_sweep_names_what_it_leaves_alone_in_a_line(name: str, folder: Any) -> None:
    """A network may be called anything; this one has a label of ours that is broken."""
    with ScriptedEngine(folder.path / "engine") as engine:
        engine.networks.append({"Name": name, "Id": "1", "Labels": {RUN: "4f3a9c12"}})
        done = folder.run("--mailu-sweep", sides=(), DOCKER_HOST=engine.address)
    assert done.status == 0
    assert "left alone: " in done.out
    assert only_printable(done.out + done.errors)
    assert len(done.out) < 10_000


def test_a_run_tells_names_and_messages_of_the_engine_in_lines(folder: Any) -> None:
    with ScriptedEngine(folder.path / "engine") as engine:
        engine.networks.append({"Name": ODD, "Id": "1", "Labels": {RUN: "4f3a9c12"}})
        engine.complaint = f"{ODD} {'y' * 100_000}"
        done = folder.run(*RUN_OPTIONS, sides=("2.0.43", "2024.06.24"), DOCKER_HOST=engine.address)
    assert done.status == 1
    assert "left alone: " in done.out
    assert "cannot describe the image" in done.out
    assert only_printable(done.out + done.errors)
    assert len(done.out) < 30_000
