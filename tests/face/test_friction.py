"""Small things that people stumble over: names of sides, families, typing mistakes, options without effect."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_mailu.reports.folder import FORMATS

EXTERNAL_465 = "submission/465-tls/external"


def test_a_series_names_its_newest_shipped_recording(folder: Any) -> None:
    done = folder.run("-q", f"mailu::{EXTERNAL_465}", "--mailu-report=out", sides=("recorded:2.0", "recorded:2024.06"))
    report = folder.json("out/report.json")
    assert (report["old"]["release"], report["new"]["release"]) == ("2.0.43", "2024.06.57")
    assert done.status == 0


def test_help_and_the_error_list_the_shipped_recordings(folder: Any) -> None:
    assert "recorded:2.0.43" in folder.run("--help", sides=()).out
    done = folder.run(sides=("recorded:1.8", "new.json"))
    assert done.status == pytest.ExitCode.USAGE_ERROR
    assert "Choose one of recorded:1.9.50, recorded:2.0.43, recorded:2024.06.24" in done.errors


@pytest.mark.parametrize("name", ["old", "./old", "old.json"])
def test_the_path_of_a_recording_needs_no_ending(folder: Any, name: str) -> None:
    assert folder.run("-q", f"mailu::{EXTERNAL_465}", sides=(name, "same")).status == 0


@pytest.mark.parametrize(
    ("name", "beginning"),
    [
        ("mailu::submission", "submission/"),
        ("mailu::submission/", "submission/"),
        ("mailu::submission/465-tls", "submission/465-tls/"),
    ],
)
def test_a_family_or_the_beginning_of_an_id_selects_what_is_below_it(folder: Any, name: str, beginning: str) -> None:
    done = folder.run("--collect-only", "-q", name)
    everything = folder.run("--collect-only", "-q").items
    assert done.items
    assert sorted(done.items) == sorted(id_ for id_ in everything if id_.startswith(f"mailu::{beginning}"))


@pytest.mark.parametrize(
    ("mistyped", "meant"),
    [(f"mailu::{EXTERNAL_465[:-1]}", f"mailu::{EXTERNAL_465}"), ("mailu::submision", "mailu::submission")],
)
def test_a_mistyped_id_gets_the_one_that_was_meant(folder: Any, mistyped: str, meant: str) -> None:
    done = folder.run(mistyped)
    assert done.status == pytest.ExitCode.USAGE_ERROR
    assert f"Did you mean {meant}?" in done.errors


def test_an_option_that_needs_two_sides_says_so(folder: Any) -> None:
    done = folder.run("--mailu-report=out", sides=())
    assert done.status == pytest.ExitCode.USAGE_ERROR
    assert "--mailu-report: two sides are missing" in done.errors
    assert "→ Name both as well: --mailu-from 2.0 --mailu-to 2024.06" in done.errors


def test_a_wrong_choice_gets_the_right_ones_as_they_are_typed(folder: Any) -> None:
    done = folder.run("--mailu-fail-on=bogus")
    assert done.status == pytest.ExitCode.USAGE_ERROR
    assert "choose from" in done.errors
    assert "FailOn" not in done.errors


def test_a_folder_is_no_side(folder: Any) -> None:
    (folder.path / "reports").mkdir()
    for side in ("reports", "./reports", str(folder.path)):
        done = folder.run(sides=(side, "new.json"))
        assert done.status == pytest.ExitCode.USAGE_ERROR
        assert f"{side} is a folder, not a recording" in done.errors


def test_nothing_is_written_into_the_folder_of_a_deployment_that_is_named(folder: Any) -> None:
    """pytest would take the folder for an argument of its own, and put its cache there."""
    deployment = folder.path / "deployment"
    elsewhere = folder.path / "elsewhere" / "below"
    elsewhere.mkdir(parents=True)
    folder.write({"deployment/mailu.env": "PORTS=25,465,993\n"})
    args = ("--mailu-check", "--mailu-deployment", str(deployment), "--mailu-from=2.0.43", "--mailu-to=2024.06.24")
    done = folder.run(*args, sides=(), below="elsewhere/below")
    done.lines.fnmatch_lines([f"rootdir: {elsewhere}"])
    assert [file.name for file in deployment.iterdir()] == ["mailu.env"]
    assert not (folder.path / ".pytest_cache").exists()


def test_an_option_in_the_ini_file_is_no_reason_to_need_two_sides(folder: Any) -> None:
    folder.write({"pytest.ini": "[pytest]\nmailu_report = out\n", "test_own.py": "def test_own(): pass\n"})
    assert folder.run("-q", "test_own.py", sides=()).status == 0


def test_asking_zero_times_is_refused_with_a_fitting_example(folder: Any) -> None:
    done = folder.run("--mailu-repeat=0")
    assert done.status == pytest.ExitCode.USAGE_ERROR
    assert "--mailu-repeat: 0 is not a whole number of at least 1" in done.errors
    assert "For example: --mailu-repeat 3" in done.errors


def test_recordings_in_reverse_order_are_refused_as_releases_are(folder: Any) -> None:
    done = folder.run("-q", sides=("new.json", "old.json"))
    assert done.status == pytest.ExitCode.USAGE_ERROR
    assert "Mailu cannot go from 2024.06.24 back to 2.0.43" in done.errors


def test_recordings_of_one_series_may_go_back(folder: Any) -> None:
    assert folder.run("-q", f"mailu::{EXTERNAL_465}", sides=("same.json", "old.json")).status == 0


@pytest.mark.parametrize("report", [".", "../{name}"])
def test_reports_do_not_overwrite_the_side_they_are_made_from(folder: Any, report: str) -> None:
    before = folder.json("old.json")
    done = folder.run(f"--mailu-report={report.format(name=folder.path.name)}")
    assert done.status == pytest.ExitCode.USAGE_ERROR
    assert "the old side is read from" in done.errors
    assert folder.json("old.json") == before


@pytest.mark.parametrize("name", ["report.json", *FORMATS, "old.json", "new.json"])
@pytest.mark.parametrize("content", ['{"mine": 1}\n', '[{"schema": 2}]', "notes of my own"])
def test_reports_overwrite_no_file_that_is_none_of_theirs(folder: Any, name: str, content: str) -> None:
    folder.write({f"mine/{name}": content})
    done = folder.run("-q", f"mailu::{EXTERNAL_465}", "--mailu-report=mine")
    assert done.status == pytest.ExitCode.USAGE_ERROR
    assert f"{name} is no report of pytest-mailu" in done.errors
    assert {path.name: path.read_text() for path in (folder.path / "mine").iterdir()} == {name: content}


def test_reports_take_the_place_of_earlier_ones_and_of_no_link(folder: Any) -> None:
    arguments = ("-q", f"mailu::{EXTERNAL_465}", "--mailu-report=mine")
    statuses = [folder.run(*arguments, sides=("old", "same")).status for _ in range(2)]
    assert statuses == [0, 0]
    (folder.path / "mine" / "report.md").unlink()
    (folder.path / "mine" / "report.md").symlink_to(folder.path / "elsewhere")
    assert folder.run(*arguments, sides=("old", "same")).status == pytest.ExitCode.USAGE_ERROR


ENV = "DOMAIN=post.example\n"
COMPOSE = "services: {front: {image: 'ghcr.io/mailu/nginx:2.0'}}\n"


def test_settings_that_recordings_cannot_apply_are_said_in_the_second_line_of_the_decision(folder: Any) -> None:
    folder.write({"mailu.env": ENV})
    done = folder.run("-q", f"mailu::{EXTERNAL_465}", "--mailu-env-new=mailu.env", sides=("old", "same"))
    lines = done.out.splitlines()
    decision = next(number for number, line in enumerate(lines) if "2.0.43 → 2.0.44" in line and "GO" in line)
    second = " ".join(lines[decision + 1 : decision + 3])
    assert "--mailu-env-new checked, not applied: recordings keep the settings that they were made with." in second


@pytest.mark.parametrize("option", ["--mailu-env", "--mailu-env-new"])
@pytest.mark.parametrize("plan", [False, True])
def test_files_are_checked_where_they_are_not_applied(folder: Any, option: str, plan: bool) -> None:
    (folder.path / "mailu.env").write_bytes(b"\xff\xfe\x00")
    done = folder.run("-q", f"{option}=mailu.env", *(["--mailu-plan"] if plan else []))
    assert done.status == pytest.ExitCode.USAGE_ERROR
    assert "mailu.env" in done.errors
    assert "UTF-8" in done.errors


def test_the_plan_honours_what_selects(folder: Any) -> None:
    folder.write({"test_own.py": "def test_submission_own(): pass\n"})
    selected = ("-k", "465-tls and submission", "test_own.py")
    number = sum(line.startswith("mailu::") for line in folder.run("--collect-only", "-q", *selected).items)
    done = folder.run("--mailu-plan", *selected)
    assert done.status == 0
    assert f"compares {number} behaviours:" in done.out
    marked = folder.run("--mailu-plan", "-m", "mailu(severity='critical')")
    assert 0 < int(marked.out.partition("compares ")[2].split()[0]) < len(json.loads(_ids(folder)))


def _ids(folder: Any) -> str:
    return json.dumps(folder.json("old.json")["behaviours"])


@pytest.mark.parametrize("sides", [("old.json", "new.json"), ("2.0.43", "2024.06.24")])
def test_the_plan_checks_the_compose_file(folder: Any, sides: tuple[str, str]) -> None:
    folder.write({"compose.yml": "services: [\n"})
    done = folder.run("--mailu-plan", "--mailu-compose=compose.yml", sides=sides)
    assert done.status == pytest.ExitCode.USAGE_ERROR
    assert "compose.yml" in done.errors
    assert "Traceback" not in done.errors


def test_the_plan_names_the_compose_file_of_each_side_and_checks_both(folder: Any) -> None:
    folder.write({"now.yml": COMPOSE, "then.yml": COMPOSE})
    files = ("--mailu-plan", "--mailu-compose=now.yml", "--mailu-compose-new=then.yml")
    out = folder.run(*files, sides=("2.0.43", "2024.06.24")).out
    old, new = out.partition("new: starts")[::2]
    assert [name in old for name in ("now.yml", "then.yml")] == [True, False]
    assert [name in new for name in ("now.yml", "then.yml")] == [False, True]
    folder.write({"then.yml": "services: [\n"})
    done = folder.run(*files)
    assert done.status == pytest.ExitCode.USAGE_ERROR
    assert "then.yml" in done.errors


def test_the_plan_checks_the_waivers(folder: Any) -> None:
    folder.write({"mailu-waivers.toml": "[[waiver]\n"})
    done = folder.run("--mailu-plan")
    assert done.status == pytest.ExitCode.USAGE_ERROR
    assert "mailu-waivers.toml" in done.errors


@pytest.mark.parametrize("asyncio", [True, False])
def test_the_repository_s_own_settings_warn_of_no_plugin(folder: Any, asyncio: bool) -> None:
    """In a copy of the settings, since the tests of the repository itself would be collected there."""
    root = Path(__file__).parents[2]
    folder.write({name: (root / name).read_text("utf-8") for name in ("pyproject.toml", "conftest.py")})
    done = folder.run("-q", f"mailu::{EXTERNAL_465}", sides=("old", "same"), others=asyncio)
    assert done.status == 0, done.out + done.errors
    assert "warning" not in (done.out + done.errors).lower()
