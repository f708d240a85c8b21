"""Words, statuses and decisions: what each verdict makes of an item and of the run."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest

EXTERNAL_587 = "mailu::submission/587-starttls/external"
EXTERNAL_465 = "mailu::submission/465-tls/external"

WAIVER = """
[[waiver]]
behaviour = "*/587*"
reason = "everybody uses 465 by now"
expires = 2999-01-31
by = "Ada"
"""


def test_each_verdict_has_its_word_under_pytest_s_own_categories(folder: Any, ids: list[str]) -> None:
    done = folder.run("-v", "--mailu-report=out", sides=("verdicts-old.json", "verdicts-new.json"))
    assert done.status == 1
    done.lines.fnmatch_lines_random(
        [
            f"{EXTERNAL_587} REGRESSED*",
            f"{EXTERNAL_465} INCONCLUSIVE*",
            "mailu::submission/465-tls/local UNSTABLE*",
            "mailu::submission/465-tls/without-login CHANGED*",
            "mailu::submission/465-tls/own-alias GAINED*",
            "mailu::submission/587-starttls/local BROKEN*",
            "mailu::submission/587-starttls/own-alias PASSED*",
            f"*= 3 failed, {len(ids) - 3} passed in *",
            "*new: not recorded*",
        ]
    )
    report = folder.json("out/report.json")
    told = {found["behaviour"]: found["verdict"] for found in report["findings"]}
    assert len(told) == 6
    assert set(told.values()) == {"regressed", "inconclusive", "unstable", "changed", "gained", "broken"}
    assert report["counts"]["same"] == len(ids) - 6
    assert report["decision"] == "no-go"


def test_the_same_twice_is_go_beside_every_other_plugin(folder: Any, ids: list[str]) -> None:
    done = folder.run(sides=("old.json", "same.json"), others=True)
    assert done.status == 0
    done.lines.fnmatch_lines(
        ["Using --randomly-seed=*", "plugins: *", f"collected {len(ids)} items", "GO*  2.0.43 → 2.0.44"]
    )
    assert all(plugin in done.out for plugin in ("asyncio-", "randomly-", "xdist-", "testinfra-"))
    done.lines.no_fnmatch_line("*Warning*")


def test_it_works_without_cache_and_without_a_terminal(folder: Any) -> None:
    done = folder.run("-p", "no:cacheprovider", "-p", "no:terminal", "--mailu-report=out")
    assert (done.status, done.out) == (1, "")
    assert folder.json("out/report.json")["decision"] == "no-go"
    assert sorted(path.name for path in folder.path.iterdir() if not path.name.endswith(".json")) == ["out"]


def test_what_is_waived_is_expected_to_fail_and_the_decision_says_so(folder: Any) -> None:
    folder.write({"mailu-waivers.toml": WAIVER})
    done = folder.run("-v", "-rx", "--mailu-report=out", "--junitxml=junit.xml")
    assert done.status == 0
    done.lines.fnmatch_lines_random([f"{EXTERNAL_587} XFAIL*", "GO WITH WAIVERS*  2.0.43 → 2024.06.24"])
    done.lines.fnmatch_lines_random([f"XFAIL {EXTERNAL_587} - *waived: everybody uses 465 by now*"])
    report = folder.json("out/report.json")
    assert report["decision"] == "go-with-waivers"
    (lost,) = [found for found in report["findings"] if found["behaviour"] == EXTERNAL_587.removeprefix("mailu::")]
    assert lost["verdict"] == "regressed"
    assert lost["waiver"]["reason"] == "everybody uses 465 by now"
    case = next(
        case for case in ET.parse(folder.path / "junit.xml").iter("testcase") if "external" in case.get("name", "")
    )
    assert case.find("failure") is None
    assert "regressed" in {entry.get("value") for entry in case.iter("property")}


@pytest.mark.parametrize(
    ("args", "status", "decision"),
    [
        ((), 0, "GO*  "),
        (("--mailu-fail-on=changed",), 1, "NO-GO*  "),
    ],
)
def test_other_words_stop_only_whoever_wants_that(
    folder: Any, args: tuple[str, ...], status: int, decision: str
) -> None:
    done = folder.run("-v", *args, EXTERNAL_465, sides=("old.json", "words.json"))
    assert done.status == status
    done.lines.fnmatch_lines([f"{EXTERNAL_465} CHANGED*", f"{decision}2.0.43 → 2.0.44"])


def test_fail_on_never_fails_nothing_and_still_tells_the_truth(folder: Any) -> None:
    done = folder.run("-v", "--mailu-fail-on=never", EXTERNAL_587)
    assert done.status == 0
    done.lines.fnmatch_lines([f"{EXTERNAL_587} REGRESSED*", "NO-GO*  2.0.43 → 2024.06.24"])


def test_a_run_that_observed_nothing_is_never_0(folder: Any) -> None:
    done = folder.run("-q", "--mailu-fail-on=never", EXTERNAL_465, sides=("nothing.json", "nothing.json"))
    assert done.status == 1
    done.lines.fnmatch_lines(["CANNOT TELL*  2024.06.24 → 2024.06.24"])


def test_where_the_reports_cannot_be_written_the_run_does_not_begin(folder: Any) -> None:
    """It was found at the end, after an hour."""
    done = folder.run("-q", "--mailu-report=old.json/out", EXTERNAL_465)
    assert done.status == 4
    assert re.search(
        r"^ERROR: the reports cannot be written to .*/old\.json/out: .+\n.*→ Name another folder\.$",
        done.out + done.errors,
        re.MULTILINE,
    )
    assert "passed" not in done.out


FILLS_UP = """
from pathlib import Path

def pytest_runtest_logreport(report):
    if report.when == "call":
        Path("out/report.json").mkdir(parents=True)
"""


def test_where_the_reports_cannot_be_written_in_the_end_the_run_says_so_and_does_not_end_well(folder: Any) -> None:
    folder.write({"conftest.py": FILLS_UP})
    done = folder.run("-q", "--mailu-report=out", EXTERNAL_465)
    assert done.status == 1
    assert "out/report.json is no report of pytest-mailu, and would be overwritten" in done.out
    assert "1 passed in " in done.out


def test_whoever_only_asks_what_a_run_would_do_gets_no_folder(folder: Any) -> None:
    for option in ("--mailu-plan", "--collect-only"):
        assert folder.run("-q", "--mailu-report=out", option, EXTERNAL_465).status == 0
        assert not (folder.path / "out").exists()


def test_where_no_engine_answers_the_report_says_so(folder: Any) -> None:
    done = folder.run("-q", "--mailu-report=out", sides=("2.0.43", "new.json"), DOCKER_HOST="unix:///nowhere.sock")
    assert done.status == 1
    assert "Traceback" not in done.out + done.errors
    done.lines.fnmatch_lines(["CANNOT TELL*  2.0.43 → 2024.06.24", "no Docker engine answers at *", "→ *"])
    report = folder.json("out/report.json")
    assert (report["decision"], report["findings"]) == ("cannot-tell", [])


END = "  new: "
"""Stands in each failure: how the new side ended."""


def test_each_cause_is_shown_once_and_verbose_shows_every_failure(folder: Any) -> None:
    """FAILURES had 19 blocks of seven lines for one closed port, with the decision two screens below."""

    def shown(*args: str) -> tuple[int, str]:
        done = folder.run("-k", "587", "--junitxml=junit.xml", *args)
        assert done.status == 1
        failures = done.out.partition("= FAILURES =")[2].partition("= short test summary")[0]
        assert done.out.count("\nREGRESSED mailu::") == len(failed), "the short summary names all"
        texts = [case.findtext("failure") or "" for case in ET.parse(file).iter("testcase")]
        assert sum(END in text for text in texts) == len(failed), "files have everything"
        assert sum("by hand: " in text for text in texts) >= len(failed) - 1, "line noise is not sent by hand"
        return failures.count(END), failures

    file = folder.path / "junit.xml"
    done = folder.run("-k", "587", "--mailu-report=out")
    assert done.status == 1
    failed = [
        found
        for found in folder.json("out/report.json")["findings"]
        if found["verdict"] == "regressed" and found["severity"] in ("critical", "major")
    ]
    assert len(failed) > 2
    assert shown("-v")[0] == len(failed)
    number, failures = shown()
    assert number == 1
    assert f"and {len(failed) - 1} more with this cause (-v shows them)" in failures
    assert shown("-q")[0] == 0
