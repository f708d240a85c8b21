"""What is collected: the matrix, one's own tests, or what the arguments of pytest pick from both."""

from __future__ import annotations

from typing import Any

import pytest

OWN = """
    import pytest

    def test_own():
        pass

    @pytest.mark.asyncio
    async def test_own_async():
        pass
"""
EXTERNAL_587 = "mailu::submission/587-starttls/external"
EXTERNAL_465 = "mailu::submission/465-tls/external"
OWN_IDS = ["test_own.py::test_own", "test_own.py::test_own_async"]
DESELECTS = """
def pytest_collection_modifyitems(items):
    items[:] = [item for item in items if "465-tls/external" not in item.nodeid]
"""
QUIETLY = ("--collect-only", "-q")


@pytest.fixture
def own(folder: Any) -> Any:
    """A folder with tests of its own."""
    folder.write({"test_own.py": _dedent(OWN)})
    return folder


def _dedent(text: str) -> str:
    return "\n".join(line.removeprefix("    ") for line in text.splitlines())


def test_without_arguments_only_the_matrix_is_collected_and_nothing_is_written(own: Any, ids: list[str]) -> None:
    done = own.run(*QUIETLY, "--mailu-report=out")
    assert (done.status, done.items) == (0, ids)
    assert not (own.path / "out").exists()
    assert "Mailu" not in done.out.replace("mailu::", "")


def test_with_a_path_those_tests_are_collected_too(own: Any, ids: list[str]) -> None:
    assert own.run(*QUIETLY, "test_own.py").items == [*ids, *OWN_IDS]


def test_without_two_sides_pytest_is_what_it_was(own: Any) -> None:
    done = own.run("-v", sides=(), others=True)
    assert done.status == 0
    assert "mailu" not in done.out.partition("collected")[2].lower()


def test_a_printed_id_can_be_pasted_back_alone(folder: Any) -> None:
    done = folder.run("-v", EXTERNAL_587)
    assert done.status == 1
    done.lines.fnmatch_lines(["*collected 1 item", f"{EXTERNAL_587} REGRESSED*", "*= 1 failed in *"])


def test_ids_can_be_pasted_beside_one_s_own_tests_and_twice_is_once(own: Any) -> None:
    done = own.run("-v", EXTERNAL_465, OWN_IDS[0], OWN_IDS[1], EXTERNAL_465, others=True)
    assert done.status == 0
    done.lines.fnmatch_lines(["*collected 3 items", "GO*  2.0.43 → 2024.06.24", "*= 3 passed in *"])
    done.lines.fnmatch_lines_random([f"{id_} PASSED*" for id_ in (EXTERNAL_465, *OWN_IDS)])


def test_an_id_as_it_is_printed_below_the_root_folder_can_be_pasted_there(folder: Any) -> None:
    folder.write({"pytest.ini": "[pytest]\n", "deep/down/keep": ""})
    sides = ("../../old.json", "../../new.json")
    done = folder.run("-v", f"../../{EXTERNAL_465}", sides=sides, below="deep/down")
    assert done.status == 0
    done.lines.fnmatch_lines([f"../../{EXTERNAL_465} PASSED*"])


def test_an_id_as_it_is_printed_above_the_root_folder_can_be_pasted_there(folder: Any) -> None:
    folder.write({"deep/pytest.ini": "[pytest]\n"})
    done = folder.run("-v", "--rootdir=deep", f"deep/{EXTERNAL_465}")
    assert done.status == 0
    done.lines.fnmatch_lines([f"deep/{EXTERNAL_465} PASSED*"])


def test_k_and_deselect_choose_by_words_of_the_id(folder: Any) -> None:
    done = folder.run(*QUIETLY, "-k", "submission and external", "--deselect", EXTERNAL_587)
    assert done.items == [EXTERNAL_465]


def test_m_chooses_by_family_and_severity(folder: Any, ids: list[str]) -> None:
    done = folder.run(*QUIETLY, "--strict-markers", "-m", "mailu(family='submission') and mailu(severity='critical')")
    assert EXTERNAL_587 in done.items
    assert 0 < len(done.items) < len([id_ for id_ in ids if id_.startswith("mailu::submission/")])
    assert all(id_.startswith("mailu::submission/") for id_ in done.items)


def test_a_part_of_the_matrix_has_a_decision_of_its_own(folder: Any) -> None:
    done = folder.run("-q", "-k", "465-tls and submission", "--mailu-report=out")
    assert done.status == 0
    report = folder.json("out/report.json")
    assert report["decision"] == "go"
    everything = set(folder.json("old.json")["observations"])
    part = {id_ for id_ in everything if id_.startswith("submission/465-tls")}
    left_out = {reason: set(ids) for reason, ids in report["left_out"].items()}
    unserved = left_out.pop("service")
    assert not unserved & everything
    assert (report["selected"], report["matrix"]) == (len(part), len(everything | unserved))
    assert left_out == {"deselected": everything - part}
    assert set(folder.json("out/old.json")["observations"]) == {
        id_ for id_ in folder.json("old.json")["observations"] if id_.startswith("submission/465-tls")
    }


def test_selecting_nothing_is_not_success(folder: Any) -> None:
    assert folder.run("-q", "-k", "nothing_is_called_so").status == pytest.ExitCode.NO_TESTS_COLLECTED


def test_x_stops_at_the_first_regression_and_says_that_it_ended_early(folder: Any) -> None:
    done = folder.run("-x", "-v", "--mailu-report=out", EXTERNAL_465, EXTERNAL_587, *_more(folder))
    assert done.status == 1
    report = folder.json("out/report.json")
    assert report["decision"] == "no-go"
    assert sum(report["counts"].values()) == 2
    assert any("ended early: 2 of 4" in note for note in report["notes"])
    assert report["selected"] == 4
    assert set(report["left_out"]["not-reached"]) == {"submission/465-tls/local", "submission/465-tls/own-alias"}


@pytest.mark.parametrize("xdist", [False, True])
def test_a_report_names_what_anybody_has_deselected(folder: Any, xdist: bool) -> None:
    folder.write({"conftest.py": DESELECTS})
    done = folder.run("-q", *(["-n2"] if xdist else []), "-k", "465", "--mailu-report=out", others=xdist)
    assert done.status == 0
    report = folder.json("out/report.json")
    deselected = report["left_out"]["deselected"]
    assert EXTERNAL_465.removeprefix("mailu::") in deselected
    assert EXTERNAL_587.removeprefix("mailu::") in deselected
    unserved = report["left_out"]["service"]
    assert report["selected"] + len(deselected) + len(unserved) == report["matrix"]


def _more(folder: Any) -> list[str]:
    return [f"mailu::submission/465-tls/{name}" for name in ("local", "own-alias")]


def test_a_broken_test_file_of_one_s_own_stops_everything_before_anybody_is_asked(folder: Any) -> None:
    folder.write({"test_broken.py": "import nothing_of_that_name\n"})
    done = folder.run("-q", "--mailu-report=out", EXTERNAL_465, "test_broken.py")
    assert done.status == pytest.ExitCode.INTERRUPTED
    assert not (folder.path / "out").exists()


def test_a_broken_test_file_may_be_passed_over_and_the_matrix_still_answers(folder: Any) -> None:
    folder.write({"test_broken.py": "import nothing_of_that_name\n"})
    done = folder.run("-v", "--continue-on-collection-errors", EXTERNAL_465, "test_broken.py")
    assert done.status == 1
    done.lines.fnmatch_lines([f"{EXTERNAL_465} PASSED*", "*= 1 passed, 1 error in *"])


def test_the_plugin_can_be_switched_off(own: Any) -> None:
    done = own.run("-p", "no:mailu")
    assert done.status == pytest.ExitCode.USAGE_ERROR
    assert "unrecognized arguments" in done.errors
