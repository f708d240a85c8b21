"""Compares releases with themselves, where nothing may be found: `python benchmarks/steady.py 1.9.50 2.0.43 --runs 12`.

Each run is pytest in an empty folder, with one release on both sides. In every third one, each core is kept busy by a
program of its own. The reports are kept in `--folder`; what is there already is not run again, so that a series can be
continued. Prints the page for the docs (`--page docs/steadiness.md` writes it). Arguments after `--` go to pytest.
Needs a Docker engine that has the images; sides such as recorded:2.0.43 need none.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_mailu.core.model import Decision
from pytest_mailu.reports.words import DECISIONS

HEAD = """\
# The same against itself

A release that is compared with itself must show nothing: no finding, and no CANNOT TELL but what is the release's own.
Made by `python benchmarks/steady.py {releases} --runs {runs}`.
In a third of the runs, every core was kept busy by another program.
"""
LOAD = "while True: pass"
SECONDS = 1800
"""How long one run may take; a run with busy cores takes about 5 minutes."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a series: its number from 1 on, the release on both sides, and whether the cores are kept busy."""

    number: int
    release: str
    busy: bool

    @property
    def folder(self) -> str:
        """The name of the folder with its reports."""
        name = "".join(char if char.isalnum() or char in ".-" else "-" for char in self.release)
        return f"{self.number:02}-{name}{'-busy' if self.busy else ''}"


@dataclass(frozen=True, slots=True)
class Result:
    """How a run ended; `report` is its report.json, or None where there is none."""

    run: Run
    report: Mapping[str, Any] | None

    @property
    def decision(self) -> str:
        """`GO`, `CANNOT TELL` …"""
        return DECISIONS[Decision(self.report["decision"])] if self.report is not None else "no report"

    @property
    def findings(self) -> Sequence[Mapping[str, Any]]:
        """Everything that differs; what fails alike on both sides is no difference."""
        found = self.report["findings"] if self.report is not None else []
        return [finding for finding in found if finding["verdict"] != "broken"]


def schedule(releases: Sequence[str], runs: int) -> list[Run]:
    """The releases in turn. Every third run has busy cores, and each release comes to its share of these."""
    return [
        Run(number + 1, releases[number % len(releases)], (number + number // len(releases)) % 3 == 2)
        for number in range(runs)
    ]


@contextmanager
def load(cores: int) -> Iterator[Sequence[subprocess.Popen[bytes]]]:
    """Keep so many cores busy while the block runs."""
    programs = [subprocess.Popen([sys.executable, "-c", LOAD]) for _ in range(cores)]
    try:
        yield programs
    finally:
        for program in programs:
            program.kill()
        for program in programs:
            program.wait()


def perform(run: Run, folder: Path, more: Sequence[str]) -> Result:
    """Run pytest, unless the folder has the report of this run already."""
    reports = folder.resolve() / run.folder
    if not (reports / "report.json").exists():
        sides = ["--mailu-from", run.release, "--mailu-to", run.release, "--mailu-report", str(reports)]
        command = [sys.executable, "-m", "pytest", "-q", "--tb=no", "-p", "no:cacheprovider", *sides, *more]
        with tempfile.TemporaryDirectory() as empty, load(os.cpu_count() or 1 if run.busy else 0):
            try:
                done = subprocess.run(
                    command, cwd=empty, timeout=SECONDS, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
                )
                said = done.stdout
            except subprocess.TimeoutExpired as late:
                said = late.stdout or b""
        reports.mkdir(parents=True, exist_ok=True)
        (reports / "output.txt").write_bytes(said)
    try:
        return Result(run, json.loads((reports / "report.json").read_text("utf-8")))
    except FileNotFoundError:
        return Result(run, None)


def page(results: Sequence[Result]) -> str:
    """The page of the docs: a line for each release, then every finding."""
    releases = list(dict.fromkeys(result.run.release for result in results))
    lines = [HEAD.format(releases=" ".join(releases), runs=len(results))]
    lines += ["| release | runs | with busy cores | GO | behaviours compared | findings |", "|---|---|---|---|---|---|"]
    lines += [_row(release, [result for result in results if result.run.release == release]) for release in releases]
    lines.append(_row("all", results))
    told = [line for result in results for line in _told(result)]
    if told:
        lines += ["", "## What was found", "", *told]
    return "\n".join(lines) + "\n"


def _row(name: str, results: Sequence[Result]) -> str:
    compared = [sum(result.report["counts"].values()) for result in results if result.report is not None]
    numbers = sorted({min(compared), max(compared)}) if compared else [0]
    cells = [
        name,
        len(results),
        sum(result.run.busy for result in results),
        sum(result.decision.startswith("GO") for result in results),
        " to ".join(map(str, numbers)),
        sum(len(result.findings) for result in results),
    ]
    return f"| {' | '.join(map(str, cells))} |"


def _told(result: Result) -> Iterable[str]:
    run = result.run
    name = f"Run {run.number}, {run.release}{', busy' if run.busy else ''}: {result.decision}"
    if result.report is None or (result.decision != "GO" and not result.findings):
        yield f"* {name}."
    for finding in result.findings:
        why = (finding.get("why") or {}).get("detail", "")
        counts = [f"{each['old']} → {each['new']}" for each in finding["differences"] if each["path"] == "failures"]
        paths = ", ".join(each["path"] for each in finding["differences"][:3])
        yield f"* {name}. `{finding['behaviour']}` {finding['verdict']}: {why or ', '.join(counts) or paths}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 1 where anything was found, or a run has no report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("releases", nargs="+")
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--folder", type=Path, default=Path("steady"), help="keeps the reports (default: steady)")
    parser.add_argument("--page", type=Path, help="the file of the page (default: it is printed)")
    given = list(sys.argv[1:] if arguments is None else arguments)
    own, more = (given[: given.index("--")], given[given.index("--") + 1 :]) if "--" in given else (given, [])
    chosen = parser.parse_args(own)
    results = []
    for run in schedule(chosen.releases, chosen.runs):
        result = perform(run, chosen.folder, more)
        print(f"{run.folder}: {result.decision}, {len(result.findings)} findings", file=sys.stderr, flush=True)
        results.append(result)
        if chosen.page is not None:
            chosen.page.write_text(page(results), "utf-8")
    if chosen.page is None:
        print(page(results), end="")
    return 0 if all(result.decision == "GO" and not result.findings for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
