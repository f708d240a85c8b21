"""Recall and precision of the plugin on the lab's faults, as a page: `python -m tests.lab.tables > lab.md`.

It asks the whole matrix (without what is deep) of every fault, and the same against the same `--repeat` times.
"""

from __future__ import annotations

import argparse
import datetime
import sys
import tempfile
from pathlib import Path

from tests.lab import trial
from tests.lab.build import build
from tests.lab.faults import FAULTS


def main() -> None:
    """Print the page; what is under way goes to standard error."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=20, help="runs of the same against the same")
    parser.add_argument("faults", nargs="*", default=list(FAULTS), help="faults to try (default: all)")
    arguments = parser.parse_args()
    build()
    today = datetime.datetime.now(datetime.UTC).date()
    print(f"# What the plugin catches in the test lab\n\nMade by `python -m tests.lab.tables` on {today}.\n")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        base = trial.record(folder / "base")
        print("| fault | what breaks | caught by | missed | regressed outside its radius |\n|---|---|---|---|---|")
        for fault in (FAULTS[name] for name in arguments.faults):
            print(fault.name, file=sys.stderr)
            report = trial.with_fault(folder / fault.name, base, fault)
            ids = ", ".join(f"`{finding.behaviour}`" for finding in trial.caught(fault, report)[:3])
            stray = ", ".join(trial.outside(fault, report)) or "none"
            missed = ", ".join(trial.missed(fault, report)) or "none"
            print(f"| {fault.name} | {fault.breaks} | {ids} | {missed} | {stray} |")
        print(f"\n{arguments.repeat} runs of the same against the same:\n")
        for number in range(arguments.repeat):
            report = trial.compare(folder / f"same{number}", "2024.06", "2024.06")
            loud = [f"{f.behaviour} {f.verdict}" for f in report.findings if f.verdict != "broken" or f.differences]
            print(f"{number + 1}. {report.decision}: {', '.join(loud) or 'no finding'}")


if __name__ == "__main__":
    main()
