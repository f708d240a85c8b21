"""While an item waits for a long run, the terminal says how far it is, whatever pytest does with the item's output."""

from __future__ import annotations

import re
from typing import Any

import pytest

SLOW = """
import asyncio
from pytest_mailu.running import progress
from pytest_mailu.sides.recording import RecordingSide

progress.SECONDS = 0.2
observe = RecordingSide.observe

async def slowly(self, behaviour, attempt, *, shared=True):
    if behaviour.id == "submission/465-tls/external":
        print("said while it is asked")
        await asyncio.sleep(1.5)
    return await observe(self, behaviour, attempt, shared=shared)

RecordingSide.observe = slowly
"""
IDS = ("mailu::submission/465-tls",)
LINE = re.compile(r"^mailu (\d+) of (\d+) behaviours compared in \d+ s$", re.MULTILINE)


@pytest.fixture
def folder(make_folder: Any) -> Any:
    made = make_folder()
    made.write({"conftest.py": SLOW})
    return made


@pytest.mark.parametrize("how", [(), ("-v",), ("-s",), ("--capture=sys",)])
def test_who_waits_is_told_how_far_the_run_is(folder: Any, how: tuple[str, ...]) -> None:
    done = folder.run(*how, *IDS)
    told = LINE.findall(done.out)
    assert len(told) >= 3
    assert {number for _, number in told} == {str(len(folder.run("--collect-only", "-q", *IDS).items))}
    assert "FAILURES" not in done.out
    assert done.status == 0


def test_with_q_nothing_is_told(folder: Any) -> None:
    done = folder.run("-q", *IDS)
    assert not LINE.search(done.out)
    assert done.status == 0


def test_with_xdist_the_controller_tells(folder: Any) -> None:
    done = folder.run("-n", "2", *IDS, others=True)
    assert LINE.search(done.out)
    assert done.status == 0


def test_a_short_run_tells_nothing(make_folder: Any) -> None:
    assert not LINE.search(make_folder().run(*IDS).out)
