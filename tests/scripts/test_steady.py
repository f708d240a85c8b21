"""The same against itself: how the runs are planned, done and told. No engine is needed: recordings are sides too."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.programs import loaded

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "steady.py"


@pytest.fixture(scope="module")
def steady() -> ModuleType:
    return loaded("benchmarks/steady")


@pytest.mark.parametrize(("releases", "runs"), [(1, 3), (3, 9), (6, 30), (7, 30)])
def test_a_third_of_the_runs_is_busy_and_no_release_is_spared(steady: ModuleType, releases: int, runs: int) -> None:
    names = [f"2.0.{number}" for number in range(releases)]
    made = steady.schedule(names, runs)
    assert [run.number for run in made] == list(range(1, runs + 1))
    assert abs(sum(run.busy for run in made) - runs / 3) <= 1
    assert {run.release for run in made if run.busy} == set(names)
    assert {run.release for run in made if not run.busy} == set(names)
    assert len({run.folder for run in made}) == runs


def result(steady: ModuleType, number: int, decision: str, *findings: dict[str, Any]) -> Any:
    report = {"decision": decision, "counts": {"same": 400 + number}, "findings": list(findings)}
    return steady.Result(steady.Run(number, "2024.06.12", busy=number == 2), report)


def test_the_page_has_a_line_for_each_release_and_every_finding(steady: ModuleType) -> None:
    unstable = {
        "behaviour": "web/user/settings",
        "verdict": "unstable",
        "why": {"detail": "accepted, then refused (new fails 6 of 60, old 5 of 60)"},
        "differences": [],
    }
    settled = {"behaviour": "a/b", "verdict": "regressed", "differences": [change("failures", "0 of 40", "6 of 40")]}
    broken = {"behaviour": "a/c", "verdict": "broken", "differences": []}
    results = [
        result(steady, 1, "go", broken),
        result(steady, 2, "cannot-tell", unstable),
        result(steady, 3, "no-go", settled),
        steady.Result(steady.Run(4, "2.0.43", busy=False), None),
    ]
    page = steady.page(results)
    assert "| 2024.06.12 | 3 | 1 | 1 | 401 to 403 | 2 |" in page
    assert "| 2.0.43 | 1 | 0 | 0 | 0 | 0 |" in page
    assert "| all | 4 | 1 | 1 | 401 to 403 | 2 |" in page
    assert "Run 2, 2024.06.12, busy: CANNOT TELL. `web/user/settings` unstable: accepted, then refused (new" in page
    assert "Run 3, 2024.06.12: NO-GO. `a/b` regressed: 0 of 40 → 6 of 40" in page
    assert "Run 4, 2.0.43: no report." in page
    assert "a/c" not in page, "what fails alike on both sides is no difference"


def change(path: str, old: str, new: str) -> dict[str, str]:
    return {"path": path, "kind": "changed", "old": old, "new": new}


def test_recordings_are_compared_with_themselves_and_a_series_goes_on_where_it_was(tmp_path: Path) -> None:
    def run(*more: str) -> subprocess.CompletedProcess[str]:
        sides = ("recorded:2.0.43", "--runs", "1", "--folder", "kept", "--page", "page.md")
        return subprocess.run(
            [sys.executable, str(SCRIPT), *sides, *more, "--", "-k", "465-tls/external"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    done = run()
    assert done.returncode == 0, done.stderr
    report = tmp_path / "kept" / "01-recorded-2.0.43" / "report.json"
    assert json.loads(report.read_text("utf-8"))["decision"] == "go"
    assert "| recorded:2.0.43 | 1 | 0 | 1 | 1 | 0 |" in (tmp_path / "page.md").read_text("utf-8")
    forged = {"decision": "cannot-tell", "counts": {"unstable": 1}, "findings": []}
    report.write_text(json.dumps(forged), "utf-8")
    again = run()
    assert again.returncode == 1, "it was not run again, and is not GO"
    assert "CANNOT TELL" in again.stderr


def test_cores_are_kept_busy_and_let_go(steady: ModuleType) -> None:
    with steady.load(2) as programs:
        assert [program.poll() for program in programs] == [None, None]
    assert all(program.returncode is not None for program in programs)
