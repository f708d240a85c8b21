"""What a project adds in its own conftest.py: behaviours of its own, and another opinion on the built-in ones."""

from __future__ import annotations

import inspect
import json
import textwrap
from typing import Any

import pytest

from pytest_mailu.hookspecs import pytest_mailu_matrix


def example() -> str:
    """The example in the docstring of the hook."""
    text = inspect.getdoc(pytest_mailu_matrix) or ""
    return textwrap.dedent(text.partition("::\n")[2])


def with_own(text: str, *ids: str) -> str:
    """A recording's text with one more behaviour or several."""
    data = json.loads(text)
    accepted = {"outcome": "accepted", "stage": "auth", "facts": {}}
    data["observations"].update({id_: [accepted] for id_ in ids})
    return json.dumps(data)


def own(*ids: str) -> str:
    return "from pytest_mailu import Observation, Outcome, Severity, Stage, behaviour\n" + "".join(
        f"""

@behaviour("{id_}", wanted=Outcome.ACCEPTED, severity=Severity.MAJOR)
async def own_{number}(probe):
    '''Title

    Breaks.

    Source
    '''
    return Observation(Outcome.ACCEPTED, Stage.AUTH)
"""
        for number, id_ in enumerate(ids)
    )


def test_the_example_in_the_docstring_of_the_hook_works(folder: Any, ids: list[str]) -> None:
    folder.write(
        {
            "conftest.py": example(),
            "own.json": with_own(folder.path.joinpath("old.json").read_text(), "shop/993-tls/orders"),
        }
    )
    done = folder.run("-v", "--mailu-report=out", sides=("own.json", "new.json"))
    assert done.status == 1
    done.lines.fnmatch_lines_random(["mailu::shop/993-tls/orders INCONCLUSIVE*", f"*collected {len(ids)} items"])
    assert "surface/110/served" not in done.out
    (own_one,) = [found for found in folder.json("out/report.json")["findings"] if found["family"] == "shop"]
    assert (own_one["title"], own_one["breaks"]) == ("The shop reads its orders on port 993", "Orders stay unread.")
    assert own_one["severity"] == "critical"


def test_a_behaviour_can_be_graded_anew(folder: Any) -> None:
    folder.write(
        {
            "conftest.py": """
from pytest_mailu import Outcome, Severity

def pytest_mailu_matrix(matrix):
    matrix.regrade("submission/587-starttls/external", severity=Severity.INFO)
    matrix.regrade("submission/587-starttls/local", wanted=Outcome.REFUSED)
    for made in list(matrix):
        if made.question.family != "submission":
            matrix.drop(made.id)
"""
        }
    )
    done = folder.run("-v", "--mailu-report=out")
    assert done.status == 1
    findings = {found["behaviour"]: found for found in folder.json("out/report.json")["findings"]}
    assert findings["submission/587-starttls/external"]["severity"] == "info"
    assert findings["submission/587-starttls/local"]["verdict"] == "gained"
    assert {found["family"] for found in findings.values()} == {"submission"}


def test_behaviours_of_several_conftest_files_are_the_same_in_every_process(folder: Any) -> None:
    mine = [f"shop/{number}/x" for number in range(4)]
    folder.write(
        {
            "conftest.py": own(*mine[:2]),
            "deep/conftest.py": own(*mine[2:]).replace("own_", "deep_"),
            "deep/test_own.py": "def test_own():\n    pass\n",
            "own.json": with_own(folder.path.joinpath("old.json").read_text(), *mine),
        }
    )
    done = folder.run("-n2", "-v", "-k", "shop or own", "deep", sides=("own.json", "own.json"), others=True)
    assert done.status == 0
    done.lines.fnmatch_lines_random(
        [*(f"*PASSED mailu::{id_}*" for id_ in mine), "*PASSED deep/test_own.py::test_own*"]
    )


@pytest.mark.parametrize(
    ("conftest", "said"),
    [
        (own("submission/465-tls/external"), "the behaviour submission/465-tls/external is declared twice"),
        ("def pytest_mailu_matrix(matrix):\n    matrix.drop('no/such/id')\n", "there is no behaviour no/such/id"),
        ("def pytest_mailu_matrix(matrix):\n    matrix.add(print)\n", "is no behaviour"),
        (own("a/1/x").replace("Breaks.\n", ""), "the behaviour a/1/x does not say what it is"),
    ],
)
def test_a_mistake_in_a_conftest_file_is_named(folder: Any, conftest: str, said: str) -> None:
    folder.write({"conftest.py": conftest})
    done = folder.run("--collect-only", "-q")
    assert done.status not in (0, 1)
    assert said in done.out + done.errors
