"""The documents: what they name is there, and what they show is what happens."""

from __future__ import annotations

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

    ran = run_pytest(tmp_path, "--mailu-from", "recorded:2.0.43", "--mailu-to", "recorded:2024.06.24")

    assert ran.returncode == 1
    printed = {settled(line) for line in ran.stdout.splitlines()}
    strange = [line for line in shown.splitlines() if "…" not in line and settled(line) not in printed]
    assert not strange


def settled(line: str) -> str:
    """A line without what may change when recordings are made anew: what is counted, and ids of a mail queue."""
    counted = re.sub(r"\d+ (regressed|changed|things)", r"N \1", line)
    return " ".join(re.sub(r"queued as \w+", "queued as ID", counted).split())


def test_the_numbers_of_behaviours_in_the_readme_are_about_right() -> None:
    """It said 469 and 616 when there were 778 and 1160."""
    matrix = list(built_in())
    recorded = load("recorded:2.0.43").observations
    answered = in_setup(matrix, DEFAULT).answered
    usual = [made for made in answered if not made.deep]
    real = {
        "a run of two stacks": len(usual),
        "with `--mailu-deep`": len(answered),
        "the shipped recordings": sum(made.id in recorded for made in matrix),
        "`-m \"mailu(severity='critical')\"`": sum(made.question.severity is Severity.CRITICAL for made in usual),
    }
    page = (ROOT / "README.md").read_text("utf-8")
    whole = re.search(r"matrix has about ([\d,]+) behaviours", page)
    assert whole
    assert abs(int(whole[1].replace(",", "")) - len(matrix)) <= len(matrix) / 10
    for words, number in real.items():
        found = re.search(rf"(?m)^\| about ([\d,]+) \| {re.escape(words)}", page)
        assert found, words
        assert abs(int(found[1].replace(",", "")) - number) <= number / 5, (words, found[1], number)


def test_every_choice_of_the_gate_is_in_the_page_of_options() -> None:
    """The page called `regressed` the default and named no severity."""
    (row,) = re.findall(r"(?m)^\| `--mailu-fail-on.*$", (ROOT / "docs" / "settings.md").read_text("utf-8"))
    assert all(f"`{choice}`" in row for choice in FailOn)
    assert f"`{FailOn.MAJOR}` (default)" in row
