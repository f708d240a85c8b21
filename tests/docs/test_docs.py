"""The documents: what they name is there, and what they show is what happens."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pytest_mailu.behaviours import built_in
from pytest_mailu.behaviours.in_setup import in_setup
from pytest_mailu.core.model import Action, FailOn, Observation, Outcome, Recording, Severity, SideInfo, Stage
from pytest_mailu.core.serialization import SCHEMA, dumps
from pytest_mailu.core.setups import DEFAULT
from pytest_mailu.core.shipped import shipped
from pytest_mailu.face.options import OPTIONS
from pytest_mailu.judging.advice import read
from pytest_mailu.sides.recording import load

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
DELIVERED = Observation(Outcome.DELIVERED, Stage.DELIVERY)
FIRST_COMMAND = ("--mailu-from", "recorded:2.0.43", "--mailu-to", "recorded:2024.06.24")
ACCEPTED = Observation(Outcome.ACCEPTED, Stage.AUTH)


def blocks(page: Path, language: str) -> list[str]:
    """The fenced code of a page that is in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def run_pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV", "MAILU"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:randomly", *arguments],
        cwd=folder,
        env={**environ, "PY_COLORS": "0", "COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_every_regression_of_an_upgrade_is_explained() -> None:
    assert "not explained" not in (ROOT / "docs" / "upgrades.md").read_text("utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text("utf-8"))
    broken = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not broken


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_of_the_repository_that_is_named_exists(page: Path) -> None:
    named = re.findall(r"`((?:pytest_mailu|tests|scripts|recordings|benchmarks)/[\w./-]+)`", page.read_text("utf-8"))
    assert not [path for path in named if not (ROOT / path).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_option_that_is_named_exists(page: Path) -> None:
    named = set(re.findall(r"--mailu-[a-z-]+", page.read_text("utf-8")))
    assert named <= {option.flag for option in OPTIONS}


def test_the_page_of_options_has_all_of_them() -> None:
    text = (ROOT / "docs" / "settings.md").read_text("utf-8")
    missing = [option.flag for option in OPTIONS if f"`{option.flag}" not in text]
    assert not missing


def test_the_jobs_for_ci_are_yaml() -> None:
    github, gitlab = blocks(ROOT / "docs" / "ci.md", "yaml")
    assert "upgrade" in yaml.safe_load(github)["jobs"]
    assert "script" in yaml.safe_load(gitlab)["mailu-upgrade"]


def test_the_example_of_own_behaviours_runs(tmp_path: Path) -> None:
    example, sharing, _ = blocks(ROOT / "docs" / "writing-behaviours.md", "python")
    (tmp_path / "conftest.py").write_text(example + sharing, "utf-8")
    good = {
        "house/scanner/PLAIN": (ACCEPTED,),
        "house/scanner/LOGIN": (ACCEPTED,),
        "house/orders": (DELIVERED,),
    }
    lost = {**good, "house/orders": (Observation(Outcome.LOST, Stage.DELIVERY),)}
    for name, observations in (("old", good), ("new", lost)):
        known = (*(behaviour.id for behaviour in built_in()), *observations)
        recording = Recording(SCHEMA, "0", SideInfo("2.0.43"), known, observations)
        (tmp_path / f"{name}.json").write_text(dumps(recording), "utf-8")
    sides = ("--mailu-from", "old.json", "--mailu-to", "new.json")

    ran = run_pytest(tmp_path, *sides, "-v", "-k", "house")
    collected = run_pytest(tmp_path, *sides, "--collect-only", "-q")

    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert re.search(r"mailu::house/orders REGRESSED", ran.stdout)
    assert re.search(r"mailu::house/scanner/PLAIN PASSED", ran.stdout)
    assert "Orders are lost." in ran.stdout
    assert "/143" in collected.stdout
    assert "/110" not in collected.stdout


def test_the_example_of_advice_is_an_entry() -> None:
    """It gave some keys twice, which TOML does not allow."""
    (example,) = blocks(ROOT / "docs" / "advice.md", "toml")
    (entry,) = read(example, "docs/advice.md")
    assert entry.action is Action.FIX_BEFORE
    assert len(entry.title) <= 72
    assert entry.when


def test_the_example_of_own_tests_is_collected(tmp_path: Path) -> None:
    _, _, example = blocks(ROOT / "docs" / "writing-behaviours.md", "python")
    (tmp_path / "test_house.py").write_text(example, "utf-8")
    (tmp_path / "side.json").write_text(dumps(Recording(SCHEMA, "0", SideInfo("2.0.43"), (), {})), "utf-8")

    sides = ("--mailu-from", "side.json", "--mailu-to", "side.json")
    ran = run_pytest(tmp_path, *sides, "test_house.py", "-k", "delivery_does_not_take")

    # A recording cannot be asked; with stacks, it would be.
    assert ran.returncode == 0
    assert "1 skipped" in ran.stdout


def test_the_terminal_shown_in_the_readme_is_what_its_first_command_prints(tmp_path: Path) -> None:
    assert {"2.0.43", "2024.06.24"} <= set(shipped())
    shown = next(block for block in blocks(ROOT / "README.md", "") if "NO-GO" in block)

    ran = run_pytest(tmp_path, *FIRST_COMMAND)

    assert ran.returncode == 1
    _, _, printed = ran.stdout.partition(" Mailu ==")
    summary = printed.partition("\n")[2].partition("\n===")[0]
    assert settled(shown) == settled(summary), summary


def test_what_the_readme_says_of_its_first_run_is_so(tmp_path: Path) -> None:
    """It said that most of the smaller regressions come from the closed ports, when 13 of 26 did."""
    run_pytest(tmp_path, *FIRST_COMMAND, "--mailu-report=out")
    findings = json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))["findings"]
    lost = [each for each in findings if each["verdict"] == "regressed"]
    stopping = [each for each in lost if each["severity"] in ("critical", "major")]
    ports = [each for each in lost if each["root"] == "PORTS leaves out 110, 143 and 587"]
    of_ports = sum(each in stopping for each in ports)
    small = (len(ports) - of_ports, len(lost) - len(stopping))
    told = (
        f"{len(stopping)} regressions stop the upgrade. {of_ports} of them have one cause, the closed ports, "
        f"and so have {small[0]} of the {small[1]} smaller ones."
    )
    assert told in " ".join((ROOT / "README.md").read_text("utf-8").split())


def settled(text: str) -> list[str]:
    """The lines without what changes by itself: the time taken, and which behaviours are newer than the recordings."""
    timed = re.sub(r"compared in \d+ s:", "compared in N s:", text)
    newer = re.sub(r"(?m)^\d+ behaviours? (?:is|are) newer than these recordings, and left out: .*$", "newer", timed)
    return [line.rstrip() for line in newer.strip().splitlines()]


def test_the_numbers_of_behaviours_in_the_pages_are_right_within_three_in_a_hundred() -> None:
    """The pages said 780, 781 and 1,056 of one number; docs/behaviours.md counts by itself."""
    matrix = list(built_in())
    recorded = load("recorded:2.0.43").observations
    asked = [made for made in in_setup(matrix, DEFAULT).answered if not (made.in_place or made.option)]
    usual = [made for made in asked if made.usual]
    readme, troubles = ((ROOT / name).read_text("utf-8") for name in ("README.md", "docs/troubleshooting.md"))
    critical = sum(made.question.severity is Severity.CRITICAL for made in usual)
    for page, pattern, number in (
        (readme, r"matrix has some ([\d,]+) behaviours", len(matrix)),
        (readme, r"\| about ([\d,]+) \| a run of two stacks", len(usual)),
        (readme, r"\| about ([\d,]+) \| with `--mailu-deep`", len(asked)),
        (readme, r"\| about ([\d,]+) \| the shipped recordings", sum(made.id in recorded for made in matrix)),
        (readme, r"\| about ([\d,]+) \| `-m \"mailu\(severity='critical'\)\"`", critical),
        (troubles, r"mailu \d+ of ([\d,]+) behaviours compared", len(usual)),
    ):
        told = re.search(pattern, page)
        assert told, pattern
        assert abs(int(told[1].replace(",", "")) - number) <= number * 0.03, (pattern, told[1], number)


def test_every_choice_of_the_gate_is_in_the_page_of_options() -> None:
    """The page called `regressed` the default and named no severity."""
    (row,) = re.findall(r"(?m)^\| `--mailu-fail-on.*$", (ROOT / "docs" / "settings.md").read_text("utf-8"))
    assert all(f"`{choice}`" in row for choice in FailOn)
    assert f"`{FailOn.MAJOR}` (default)" in row
