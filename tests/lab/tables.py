"""What the plugin catches in the lab, as Markdown tables: `python -m tests.lab.tables > lab.md`.

It asks the whole matrix (without what is deep) of every fault, compares the same with the same `--repeat` times, and
disturbs runs from outside. That takes two hours on two cores; `--only` names the parts, to be made side by side.
"""

from __future__ import annotations

import argparse
import datetime
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from pytest_mailu.core.model import Report, Verdict
from tests.lab import trial
from tests.lab.build import build
from tests.lab.disturbances import DISTURBANCES
from tests.lab.faults import FAULTS
from tests.lab.setups import name_of, setup_of

PARTS = ("faults", "same", "surroundings")


def faults(folder: Path, names: Sequence[str]) -> Iterator[str]:
    """Recall and precision: a row for each fault."""
    chosen = [FAULTS[name] for name in names]
    setups = {setup_of(fault) for fault in chosen}
    bases = {setup: trial.record(folder / f"base-{name_of(setup)}", None, setup) for setup in setups}
    yield "| fault | what breaks | caught by | as | missed | regressed outside its radius |"
    yield "|---|---|---|---|---|---|"
    for fault in chosen:
        report = trial.with_faults(folder / fault.name, bases[setup_of(fault)], [fault])
        found = trial.caught(fault, report)
        end = " at ".join(filter(None, (fault.outcome, fault.stage)))
        cells = [
            fault.name,
            fault.breaks,
            ", ".join(f"`{finding.behaviour}`" for finding in found[:3]) + (" …" if len(found) > 3 else ""),
            ", ".join(filter(None, (fault.verdict, end))),
            ", ".join(trial.missed(fault, report)) or "none",
            ", ".join(trial.outside([fault], report)) or "none",
        ]
        yield f"| {' | '.join(cells)} |"


def same(folder: Path, times: int) -> Iterator[str]:
    """Precision where nothing differs: a row for each run."""
    yield "| run | decision | findings |\n|---|---|---|"
    for number in range(1, times + 1):
        report = trial.compare(folder / f"same{number}", "2024.06", "2024.06")
        loud = [f for f in report.findings if f.verdict is not Verdict.BROKEN or f.differences]
        yield f"| {number} | {report.decision} | {', '.join(f'{f.behaviour}: {f.verdict}' for f in loud) or 'none'} |"


def surroundings(folder: Path) -> Iterator[str]:
    """Disturbances: a row for each."""
    yield "| what happens in mid-run | decision | verdicts afterwards |\n|---|---|---|"
    for number, (what, disturbed) in enumerate(DISTURBANCES.items()):
        place = folder / f"disturbed{number}"
        place.mkdir()
        report = disturbed(place)
        yield f"| {what} | {report.decision} | {_verdicts(report)} |"


def _verdicts(report: Report) -> str:
    counts = Counter(str(finding.verdict) for finding in report.findings)
    return ", ".join(f"{number} {verdict}" for verdict, number in counts.items())


def main() -> None:
    """Print the tables, each line as soon as it stands."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeat", type=int, default=20, help="runs of the same against the same (default: 20)")
    parser.add_argument("--only", choices=PARTS, help="one of the tables (default: all)")
    parser.add_argument("faults", nargs="*", default=list(FAULTS), help="faults to try (default: all)")
    chosen = parser.parse_args()
    build()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tables = {
            "faults": faults(folder, chosen.faults),
            "same": same(folder, chosen.repeat),
            "surroundings": surroundings(folder),
        }
        for part in [chosen.only] if chosen.only else PARTS:
            print(f"## {part.capitalize()}, {datetime.datetime.now(datetime.UTC).date()}\n")
            for line in tables[part]:
                print(line, flush=True)
            print()


if __name__ == "__main__":
    main()
