"""Several commands in one shell: what each printed, whatever they print and however they end."""

from __future__ import annotations

import asyncio
import subprocess
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_mailu.probe.inventory import Look, looked, script, sections
from pytest_mailu.wire.transport.errors import CannotAsk


def run(commands: dict[str, str]) -> dict[str, Look]:
    ran = subprocess.run(["/bin/sh", "-c", script("@mark", commands)], capture_output=True, text=True, check=False)
    return sections("@mark", ran.stdout)


def test_each_command_has_its_own_output_and_status() -> None:
    assert run(
        {
            "two-lines": "echo one; echo two",
            "nothing": "true",
            "no-line-end": "printf x",
            "fails": "echo half; exit 3",
            "folder": "cd /; pwd",
            "after": 'echo "it\'s $0" | tr a-z A-Z',
        }
    ) == {
        "two-lines": Look(0, "one\ntwo\n"),
        "nothing": Look(0, ""),
        "no-line-end": Look(0, "x"),
        "fails": Look(3, "half\n"),
        "folder": Look(0, "/\n"),
        "after": Look(0, "IT'S /BIN/SH\n"),
    }


def test_what_looks_like_a_mark_of_another_time_is_output() -> None:
    assert run({"odd": "echo '@other odd 0'"}) == {"odd": Look(0, "@other odd 0\n")}


def test_commands_that_never_ended_are_no_answer() -> None:
    async def testinfra(_: str, look: Any) -> Any:
        return look(SimpleNamespace(run=lambda _: SimpleNamespace(stdout="half", stderr="killed")))

    probe: Any = SimpleNamespace(evidence=SimpleNamespace(testinfra=testinfra))
    with pytest.raises(CannotAsk, match="in imap there was no end of the command for one: 'killed'"):
        asyncio.run(looked(probe, "imap", {"one": "true"}))
