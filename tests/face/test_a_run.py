"""One run in a folder with nothing but recordings, looked at from all sides; and the same again in other ways."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any

import pytest

from pytest_mailu.behaviours import built_in
from pytest_mailu.behaviours.in_setup import in_setup
from pytest_mailu.core.setups import DEFAULT

EXTERNAL_587 = "submission/587-starttls/external"
STRANGER_587 = "submission/587-starttls/without-login"


@pytest.fixture(scope="module")
def place(make_folder: Callable[[], Any]) -> Any:
    return make_folder()


@pytest.fixture(scope="module")
def done(place: Any) -> Any:
    """2.0.43 → 2024.06.24 as an administrator meets it: 587 is gone."""
    return place.run("-v", "--mailu-report=out", "--junitxml=junit.xml")


@pytest.fixture(scope="module")
def report(place: Any, done: Any) -> Any:
    assert done.out
    return place.json("out/report.json")


def test_a_regression_ends_with_status_1(done: Any) -> None:
    assert done.status == 1
    assert "Traceback" not in done.out + done.errors


def test_every_behaviour_is_an_item_in_the_order_of_asking(done: Any, ids: list[str]) -> None:
    told = [line.split()[0] for line in done.out.splitlines() if line.startswith("mailu::") and line.endswith("%]")]
    assert told == ids


def test_the_verdict_is_the_word_of_its_item(done: Any) -> None:
    done.lines.fnmatch_lines_random(
        [
            f"mailu::{EXTERNAL_587} REGRESSED*",
            f"mailu::{STRANGER_587} CHANGED*",
            "mailu::submission/465-tls/external PASSED*",
        ]
    )


def test_a_failure_says_what_breaks_and_why_and_shows_no_traceback(done: Any) -> None:
    section = done.out.partition("= FAILURES =")[2].partition("= Mailu =")[0]
    assert f"_ {EXTERNAL_587} (critical) _" in section
    assert "cannot send to anyone outside" in section
    assert "old: delivered" in section
    assert "new: port closed" in section
    assert "  cause: PORTS leaves out 110, 143 and 587" in section
    assert "Traceback" not in section
    assert "pytest_mailu/" not in section


def test_the_terminal_ends_with_the_decision_and_names_the_root_once(done: Any) -> None:
    assert done.out.index("= short test summary") < done.out.index("= Mailu ="), "the decision stands last"
    section = done.out.partition("= Mailu =")[2]
    assert "\nNO-GO" in section
    assert section.count("Port 587 is closed on the new side") == 2, "in the details of -v and in the summary"


def test_the_summary_counts_as_pytest_does(done: Any, report: Any) -> None:
    stopping = len(stopping_in(report))
    assert 0 < stopping < report["counts"]["regressed"], "a minor regression fails nothing by default"
    done.lines.fnmatch_lines([f"REGRESSED mailu::{EXTERNAL_587} - *", f"*= {stopping} failed, * passed in *"])


def stopping_in(report: Any) -> list[str]:
    """The regressions that fail their items by default."""
    return [
        found["behaviour"]
        for found in report["findings"]
        if found["verdict"] == "regressed" and found["severity"] in ("critical", "major")
    ]


def test_the_report_has_the_decision_the_counts_and_the_findings(report: Any, ids: list[str]) -> None:
    assert report["decision"] == "no-go"
    assert sum(report["counts"].values()) == len(ids)
    closed = [id_.removeprefix("mailu::") for id_ in ids if "/587" in id_]
    assert sorted(found["behaviour"] for found in report["findings"]) == sorted(closed)
    assert len({found["root"] for found in report["findings"]}) == 1


def test_junit_carries_verdict_and_severity_as_properties(place: Any, done: Any, ids: list[str]) -> None:
    assert done.out
    cases = {case.get("name"): case for case in ET.parse(place.path / "junit.xml").iter("testcase")}
    assert len(cases) == len(ids)
    lost = cases[EXTERNAL_587]
    properties = {entry.get("name"): entry.get("value") for entry in lost.iter("property")}
    assert properties == {"mailu_verdict": "regressed", "mailu_severity": "critical"}
    failure = lost.find("failure")
    assert failure is not None
    assert "port closed" in (failure.text or "")
    suite = ET.parse(place.path / "junit.xml").getroot().iter("properties")
    found = in_setup(built_in(), DEFAULT)
    of_suite = {entry.get("name"): entry.get("value") for entry in next(suite)}
    assert of_suite == {
        "mailu_decision": "no-go",
        "mailu_old": "2.0.43",
        "mailu_new": "2024.06.24",
        "mailu_selected": str(len(ids)),
        "mailu_matrix": str(len(found.answered) + len(found.unserved)),
        "mailu_left_out_service": str(len(found.unserved)),
        "mailu_setup": "default",
    }
    kept = {entry.get("value") for entry in cases["submission/465-tls/external"].iter("property")}
    assert kept == {"same"}


def test_the_recordings_of_a_run_give_the_same_findings_again(place: Any, report: Any) -> None:
    again = place.run("-q", "--mailu-report=again", sides=("out/old.json", "out/new.json"))
    assert again.status == 1
    second = place.json("again/report.json")
    for key in ("decision", "old", "new", "counts", "findings", "notes"):
        assert second[key] == report[key], key
    for name in ("old.json", "new.json"):
        assert place.json(f"again/{name}") == place.json(f"out/{name}")


def test_last_failed_asks_only_what_failed(place: Any, done: Any, report: Any) -> None:
    again = place.run("--lf", "--collect-only", "-q")
    assert sorted(again.items) == sorted(f"mailu::{id_}" for id_ in stopping_in(report))


def test_xdist_gives_the_same_report(place: Any, done: Any, report: Any) -> None:
    spread = place.run("-n2", "--mailu-report=spread", "--junitxml=spread.xml", "-v", others=True)
    assert spread.status == done.status
    second = place.json("spread/report.json")
    for key in ("decision", "old", "new", "counts", "findings", "notes", "selected", "matrix", "left_out"):
        assert second[key] == report[key], key
    for name in ("old.json", "new.json"):
        assert place.json(f"spread/{name}") == place.json(f"out/{name}")
    spread.lines.fnmatch_lines_random([f"*REGRESSED mailu::{EXTERNAL_587}*", "NO-GO*  2.0.43 → 2024.06.24"])
    verdicts = {
        case.get("name"): [entry.get("value") for entry in case.iter("property")]
        for case in ET.parse(place.path / "spread.xml").iter("testcase")
    }
    assert verdicts[EXTERNAL_587] == ["regressed", "critical"]


CLOSING_SHOWS = """
from pytest_mailu.sides.recording import RecordingSide

close = RecordingSide.close

async def closed(self):
    print("A SIDE IS CLOSED", flush=True)
    await close(self)

RecordingSide.close = closed
"""


def test_the_decision_is_on_the_screen_before_the_sides_are_closed(folder: Any) -> None:
    folder.write({"conftest.py": CLOSING_SHOWS})
    done = folder.run("-s", f"mailu::{EXTERNAL_587}", "--mailu-report=report")
    assert done.out.count("A SIDE IS CLOSED") == 2
    before = done.out.partition("A SIDE IS CLOSED")[0]
    assert re.search(r"NO-GO.*  2\.0\.43 → 2024\.06\.24", before)
    assert (folder.path / "report" / "report.json").is_file()
