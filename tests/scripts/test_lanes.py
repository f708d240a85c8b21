"""Which worker of pytest-xdist has which tests: those with an engine two at a time, others beside them."""

from __future__ import annotations

import json
import os
import runpy
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("xdist")

ROOT = Path(__file__).parents[2]
TEST = """
import json, os, pathlib, time
import pytest

pytestmark = [{marks}]
PLACE = pathlib.Path(__file__).parents[1]

def meet(mine, other):
    (PLACE / mine).touch()
    deadline = time.monotonic() + 60
    while not (PLACE / other).exists():
        assert time.monotonic() < deadline, "the other lane did not come"
        time.sleep(0.02)

@pytest.mark.parametrize("number", {tests})
def test_something(number, request):
    begun = time.monotonic()
    {body}
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    note = {{"worker": os.environ["PYTEST_XDIST_WORKER"], "nice": nice, "begun": begun, "ended": time.monotonic()}}
    (PLACE / "notes" / f"{{request.path.stem}}-{{number}}").write_text(json.dumps(note))
"""
ENGINE, APART = "pytest.mark.engine", "pytest.mark.engine(apart=True)"
NICE = os.getpriority(os.PRIO_PROCESS, 0)


@dataclass(frozen=True)
class Note:
    """What a test noted of itself."""

    worker: str
    nice: int
    begun: float
    ended: float


@dataclass(frozen=True)
class Notes:
    """The notes of a run with this repository's conftest.py, by file and number."""

    found: dict[str, Note]

    def of(self, *files: str) -> list[Note]:
        return [note for name, note in self.found.items() if name.partition("-")[0] in files]

    def workers(self, *files: str) -> set[str]:
        return {note.worker for note in self.of(*files)}

    def most_at_once(self, *files: str) -> int:
        those = self.of(*files)
        return max(sum(one.begun <= each.begun < one.ended for one in those) for each in those)


@pytest.fixture
def seen(pytester: pytest.Pytester) -> Notes:
    """A run of several files with this repository's conftest.py. Two tests with an engine wait for each other."""
    pytester.makeconftest((ROOT / "conftest.py").read_text("utf-8"))
    for folder in ("tests", "notes"):
        pytester.mkdir(folder)
    for name, marks, body, tests in (
        ("one", ENGINE, "meet('a', 'b')", "012"),
        ("other", ENGINE, "meet('b', 'a')", "012"),
        ("apart", APART, "time.sleep(0.1)", "012"),
        ("named", ENGINE, "time.sleep(0.1)", ["x:1", "x:2", "y:1", "y:2"]),
        ("plain", "", "time.sleep(0.01)", "0123456789"),
    ):
        text = TEST.format(marks=marks, body=body, tests=list(tests))
        (pytester.path / "tests" / f"test_{name}.py").write_text(text, "utf-8")
    run = pytester.runpytest_subprocess("-p", "no:randomly", "-n", "3")
    run.assert_outcomes(passed=23)
    files = (pytester.path / "notes").iterdir()
    return Notes({file.name.removeprefix("test_"): Note(**json.loads(file.read_text("utf-8"))) for file in files})


def test_two_workers_have_the_tests_of_the_engine_and_others_yield_to_them(seen: Notes) -> None:
    engine = ("one", "other", "apart", "named")
    assert len(seen.workers(*engine)) == 2
    assert seen.most_at_once(*engine) == 2
    assert (len(seen.workers("one")), len(seen.workers("other"))) == (1, 1), "what shares something is on one worker"
    assert seen.workers("one") != seen.workers("other"), "or they would not have met"
    assert seen.workers("plain") - seen.workers(*engine), "others begin beside them"
    assert {note.nice for note in seen.of(*engine)} == {NICE}
    assert {note.nice for note in seen.of("plain")} == {max(NICE, 5)}


def test_groups_are_files_names_and_tests_that_are_apart(tmp_path: Path) -> None:
    conftest = runpy.run_path(str(ROOT / "conftest.py"))
    for name, text in (("file", ENGINE), ("apart", APART), ("plain", "")):
        (tmp_path / f"{name}.py").write_text(text, "utf-8")
    groups = {
        nodeid: conftest["group_of"](nodeid, tmp_path)
        for nodeid in ("file.py::a[1]", "file.py::b", "file.py::c[x:1]", "file.py::c[x:2]", "apart.py::d[1]")
    }
    assert groups == {
        "file.py::a[1]": "engine file.py",
        "file.py::b": "engine file.py",
        "file.py::c[x:1]": "engine file.py x",
        "file.py::c[x:2]": "engine file.py x",
        "apart.py::d[1]": "engine apart.py::d[1]",
    }
    assert conftest["group_of"]("plain.py::e[1:2]", tmp_path) == "plain.py::e[1:2]"


def test_what_takes_longest_comes_first_and_only_lanes_have_the_engine() -> None:
    choose = runpy.run_path(str(ROOT / "conftest.py"))["choose"]
    waiting = ["a", "engine tests/lab/test_lab.py x", "engine tests/lab/test_kills.py", "b"]
    assert choose(waiting, lane=True) == "engine tests/lab/test_kills.py"
    assert choose(waiting[:2], lane=True) == "engine tests/lab/test_lab.py x"
    assert choose(["a"], lane=True) == "a"
    assert choose(waiting, lane=False) == "a"
    assert choose(waiting[1:3], lane=False) is None
