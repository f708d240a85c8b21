"""The fixtures of a project's own tests: what they give beside the matrix, and where there is nothing to give."""

from __future__ import annotations

from typing import Any

OWN = """
from pytest_mailu import Observation, Outcome, Stage

async def question(probe):
    return Observation(Outcome.ACCEPTED, Stage.COMMAND)

def test_own(mailu_old, mailu_new):
    assert (mailu_old.info.release, mailu_new.info.release) == ("2.0.43", "2024.06.24")

def test_asks(mailu_new):
    mailu_new.ask(question)
    raise AssertionError("a recording cannot be asked")
"""
EXTERNAL_465 = "mailu::submission/465-tls/external"


def test_a_test_of_one_s_own_meets_both_sides_beside_the_matrix(folder: Any) -> None:
    folder.write({"test_own.py": OWN})
    done = folder.run("-v", EXTERNAL_465, "test_own.py")
    assert done.status == 0
    done.lines.fnmatch_lines(
        [
            "test_own.py::test_own PASSED*",
            "test_own.py::test_asks SKIPPED (new is a recording*",
            "*= 2 passed, 1 skipped*",
        ]
    )


def test_where_nothing_of_the_matrix_was_chosen_there_is_nothing_to_report(folder: Any) -> None:
    folder.write({"test_own.py": OWN})
    done = folder.run("-v", "-k", "test_own", "--mailu-report=out", "test_own.py")
    assert done.status == 0
    done.lines.fnmatch_lines(["test_own.py::test_own PASSED*"])
    done.lines.no_fnmatch_line("*CANNOT TELL*")
    assert not (folder.path / "out").exists()


def test_without_two_sides_the_fixtures_say_what_is_missing(folder: Any) -> None:
    folder.write({"test_own.py": OWN})
    done = folder.run("-q", "test_own.py", sides=())
    assert done.status == 1
    done.lines.fnmatch_lines(["*needs two sides: pytest --mailu-from 2.0 --mailu-to 2024.06*"])
