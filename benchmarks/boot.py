"""Measures a run against the bare boot of the same two stacks: `python benchmarks/boot.py 2.0.43 2024.06.24`.

Bare boot: both stacks at once, from nothing until all services answer, without accounts and without behaviours.
Decision: from the start of pytest until its decision is on the screen; of that, asking is what comes after both stacks
are ready. Further arguments go to pytest, such as `-m "mailu(severity='critical')"`.
Needs a Docker engine that has the images. Aims on two cores: a ratio of 2.5, a decision after 30 s, 45 s of asking.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from pytest_mailu.core.errors import MailuError
from pytest_mailu.core.releases import Release
from pytest_mailu.reports.words import DECISIONS
from pytest_mailu.stack.docker.engine import Engine
from pytest_mailu.stack.docker.images import Pull
from pytest_mailu.stack.docker.labels import RunIdentity
from pytest_mailu.stack.docker.subnets import SubnetAllocator
from pytest_mailu.stack.plan import StackPlan
from pytest_mailu.stack.preflight import preflight
from pytest_mailu.stack.stack import Stack, running

RATIO = 2.5
DECISION_SECONDS = 30.0
ASKING_SECONDS = 45.0
_READY = re.compile(r"mailu (old|new) \S+: ready after")
_DECISION = re.compile(rf"({'|'.join(DECISIONS.values())})\b.*  \S+ → \S")


@dataclass(frozen=True)
class Lap:
    """One run of pytest: seconds to the decision, the seconds of asking in them, and the line of the decision."""

    decision: float
    asking: float
    said: str


async def bare_boot(old: str, new: str) -> float:
    """Seconds until all services of both stacks answer."""
    engine = await asyncio.to_thread(Engine.connect)
    try:
        compose = await preflight(engine, 2)
        run, subnets = RunIdentity.new(), SubnetAllocator(engine)
        stacks = [
            Stack(StackPlan(side, Release.parse(tag), pull=Pull.NEVER), run, engine, compose, subnets)
            for side, tag in (("old", old), ("new", new))
        ]
        async with running(stacks):
            # Each step waits for the one before; only the plugin imports accounts.
            return max(sum(stack.timings.values()) - stack.timings["accounts"] for stack in stacks)
    finally:
        engine.close()


def whole_run(old: str, new: str, more: Sequence[str]) -> Lap:
    """pytest in an empty folder, with `more` arguments. Raises MailuError where it ends without a decision."""
    command = [sys.executable, "-m", "pytest", "-q", "--tb=no", "--mailu-from", old, "--mailu-to", new]
    ready = decision = 0.0
    lines: list[str] = []
    with tempfile.TemporaryDirectory(prefix="pytest-mailu-benchmark-") as folder:
        started = time.monotonic()
        with subprocess.Popen(
            [*command, "--mailu-pull", "never", "--mailu-report", "report", *more],
            cwd=folder,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as running:
            assert running.stdout is not None  # noqa: S101 - it is a pipe
            for line in running.stdout:
                lines.append(line.rstrip())
                if _READY.match(line):
                    ready = time.monotonic() - started
                elif not decision and _DECISION.match(line):
                    decision = time.monotonic() - started
        file = Path(folder, "report", "report.json")
        report = json.loads(file.read_text("utf-8")) if file.is_file() else {"counts": {}}
    asked = sum(report["counts"].values())
    if not asked or not ready or not decision:
        raise MailuError("the run has come to no decision", "See what it says.", tuple(lines[-20:]))
    return Lap(decision, decision - ready, f"{asked} behaviours, {report['decision']}")


def main() -> int:
    """Measure both and print them with their ratio; exit status 1 where one of the aims is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("--times", type=int, default=3, help="how often to measure; the median counts (default: 3)")
    chosen, more = parser.parse_known_args()
    boots: list[float] = []
    laps: list[Lap] = []
    try:
        for _ in range(chosen.times):
            boots.append(asyncio.run(bare_boot(chosen.old, chosen.new)))
            laps.append(whole_run(chosen.old, chosen.new, more))
            print(_line(boots[-1], laps[-1].decision, laps[-1].asking), laps[-1].said, flush=True)
    except MailuError as error:
        print(error, file=sys.stderr)
        return 2
    boot, decision, asking = (
        median(boots),
        median(lap.decision for lap in laps),
        median(lap.asking for lap in laps),
    )
    print(_line(boot, decision, asking), "(median)")
    print(f"ratio {decision / boot:.2f} (aims: {RATIO}; {DECISION_SECONDS:.0f} s; {ASKING_SECONDS:.0f} s of asking)")
    return 0 if decision / boot <= RATIO and decision <= DECISION_SECONDS and asking <= ASKING_SECONDS else 1


def _line(boot: float, decision: float, asking: float) -> str:
    return f"bare boot {boot:5.1f} s   decision {decision:5.1f} s, of it asking {asking:5.1f} s  "


if __name__ == "__main__":
    sys.exit(main())
