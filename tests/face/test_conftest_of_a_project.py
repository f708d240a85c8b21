"""What a project adds in its own conftest.py: behaviours of its own, and another opinion on the built-in ones."""

from __future__ import annotations

import inspect
import json
import textwrap
from typing import Any

import pytest

from pytest_mailu.face.hookspecs import pytest_mailu_matrix


def example() -> str:
    """The example in the docstring of the hook."""
    text = inspect.getdoc(pytest_mailu_matrix) or ""
    return textwrap.dedent(text.partition("::\n")[2])


def with_own(text: str, *ids: str) -> str:
    """A recording's text with one more behaviour or several."""
    data = json.loads(text)
    accepted = {"outcome": "accepted", "stage": "auth", "facts": {}}
    data["observations"].update({id_: [accepted] for id_ in ids})
    data["behaviours"] += ids
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
            "own.json": with_own((folder.path / "old.json").read_text(), "shop/993-tls/orders"),
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


def test_every_process_of_xdist_has_the_same_behaviours_and_waivers_but_only_one_has_the_sides(folder: Any) -> None:
    mine = [f"shop/{number}/x" for number in range(4)]
    folder.write(
        {
            "conftest.py": own(*mine[:2]),
            "deep/conftest.py": own(*mine[2:]).replace("own_", "deep_"),
            "deep/test_own.py": "def test_own():\n    pass\n\ndef test_own_side(mailu_new):\n    pass\n",
            "own-old.json": with_own((folder.path / "old.json").read_text(), *mine),
            "own-new.json": with_own((folder.path / "new.json").read_text(), *mine),
            "accepted.toml": '[[waiver]]\nbehaviour = "*/587*"\nreason = "everybody uses 465"\n',
        }
    )
    args = ("-n2", "-v", "-k", "shop or own", "--mailu-waivers=accepted.toml", "deep")
    done = folder.run(*args, sides=("own-old.json", "own-new.json"), others=True)
    assert done.status == 1
    told = [f"*PASSED mailu::{id_}*" for id_ in mine]
    told += ["*PASSED deep/test_own.py::test_own*", "*XFAIL mailu::submission/587-starttls/own-alias*"]
    told += ["*ERROR deep/test_own.py::test_own_side*", "*run without -n*"]
    done.lines.fnmatch_lines_random(told)
    done.lines.fnmatch_lines(["GO WITH WAIVERS*  2.0.43 → 2024.06.24"])


@pytest.mark.parametrize(
    ("conftest", "said"),
    [
        (own("submission/465-tls/external"), "the behaviour submission/465-tls/external is declared twice"),
        ("def pytest_mailu_matrix(matrix):\n    matrix.drop('no/such/id')\n", "there is no behaviour no/such/id"),
        (own("a/1/x").replace("Breaks.\n", ""), "the behaviour a/1/x does not say what it is"),
    ],
)
def test_a_mistake_in_a_conftest_file_is_named(folder: Any, conftest: str, said: str) -> None:
    folder.write({"conftest.py": conftest})
    done = folder.run("--collect-only", "-q")
    assert done.status not in (0, 1)
    assert said in done.out + done.errors


DEEP = own("shop/1/quick", "shop/2/slow").replace(
    "severity=Severity.MAJOR)\nasync def own_1", "severity=Severity.MAJOR, deep=True)\nasync def own_1"
)


@pytest.mark.parametrize(("recorded", "slow"), [(("shop/1/quick",), 0), (("shop/1/quick", "shop/2/slow"), 1)])
def test_what_takes_long_is_compared_where_it_was_recorded(folder: Any, recorded: tuple[str, ...], slow: int) -> None:
    folder.write({"conftest.py": DEEP, "own.json": with_own((folder.path / "old.json").read_text(), *recorded)})
    done = folder.run("--collect-only", "-q", "-k", "shop", sides=("own.json", "own.json"))
    assert done.items == ["mailu::shop/1/quick", "mailu::shop/2/slow"][: 1 + slow]
