"""How long a run takes, against the bare boot of the same two stacks: `python benchmarks/boot.py 2.0.43 2024.06.24`.

Bare boot: both stacks at once, from nothing until all services answer, without accounts and without a question.
Plugin: pytest from its start to its end, everything asked, compared, decided, reported and removed again. With
`-m "mailu(severity='critical')"` only what mail stands or falls with.
Needs a Docker engine that has the images. Aims: a ratio of 2.5, and 30 s on two cores.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pytest_mailu.errors import MailuError
from pytest_mailu.releases import Release
from pytest_mailu.stack.engine import Engine
from pytest_mailu.stack.images import Pull
from pytest_mailu.stack.labels import Run
from pytest_mailu.stack.preflight import preflight
from pytest_mailu.stack.stack import Stack, StackPlan, running
from pytest_mailu.stack.subnets import Subnets

RATIO = 2.5
SECONDS = 30.0


async def bare_boot(old: str, new: str) -> float:
    """Seconds until the slower of the two stacks answers in all its services."""
    engine = await asyncio.to_thread(Engine.connect)
    try:
        compose = await preflight(engine, 2)
        run, subnets = Run.new(), Subnets(engine)
        stacks = [
            Stack(StackPlan(side, Release.parse(tag), pull=Pull.NEVER), run, engine, compose, subnets)
            for side, tag in (("old", old), ("new", new))
        ]
        async with running(stacks):
            # Each step waits for the one before; the accounts are the plugin's own.
            return max(sum(stack.timings.values()) - stack.timings["accounts"] for stack in stacks)
    finally:
        engine.close()


def whole_run(old: str, new: str, only: str) -> tuple[float, str]:
    """Seconds that pytest takes in an empty folder, and what it says; `only` is for its `-m`.

    Raises MailuError where it has asked nothing.
    """
    with tempfile.TemporaryDirectory(prefix="pytest-mailu-benchmark-") as folder:
        command = [sys.executable, "-m", "pytest", "-q", "--tb=no", "--mailu-from", old, "--mailu-to", new]
        started = time.monotonic()
        ended = subprocess.run(
            [*command, "--mailu-pull", "never", "--mailu-report", "report", "-m", only],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.monotonic() - started
        file = Path(folder, "report", "report.json")
        report = json.loads(file.read_text("utf-8")) if file.is_file() else {"counts": {}}
    asked = sum(report["counts"].values())
    if not asked:
        raise MailuError("the run has asked nothing", "See what it says.", tuple(ended.stdout.splitlines()[-20:]))
    return seconds, f"{asked} behaviours, {report['decision']}"


def main() -> int:
    """Measure both and print them with their ratio; exit status 1 where one of the aims is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("old", nargs="?", default="2.0.43")
    parser.add_argument("new", nargs="?", default="2024.06.24")
    parser.add_argument("-m", dest="only", default="", help="what to ask, as for pytest (default: everything)")
    parser.add_argument("--times", type=int, default=3, help="how often to measure; the median counts (default: 3)")
    chosen = parser.parse_args()
    boots, totals = [], []
    try:
        for _ in range(chosen.times):
            boots.append(asyncio.run(bare_boot(chosen.old, chosen.new)))
            seconds, said = whole_run(chosen.old, chosen.new, chosen.only)
            totals.append(seconds)
            print(f"bare boot {boots[-1]:6.1f} s   plugin {seconds:6.1f} s   {said}", flush=True)
    except MailuError as error:
        print(error, file=sys.stderr)
        return 2
    boot, total = sorted(boots)[len(boots) // 2], sorted(totals)[len(totals) // 2]
    ratio = total / boot
    print(f"median: bare boot {boot:.1f} s, plugin {total:.1f} s, ratio {ratio:.2f} (aims: {RATIO}, {SECONDS:.0f} s)")
    return 0 if ratio <= RATIO and total <= SECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
