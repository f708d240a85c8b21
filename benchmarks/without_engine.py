"""Measures what needs no Docker engine: `python benchmarks/without_engine.py [--times 5] [DEPLOYMENT]`.

The check of a deployment's settings (of the largest one that the tests have, where no folder is named) and a comparison
of two shipped recordings. Beside each runs a pytest that tests nothing, in turn, so that a busy machine lengthens all.
The table has the median of each in seconds and in seconds of processor time, as multiples of that one, and what pytest
itself says in its last line. Other plugins than this one are not loaded.
"""

from __future__ import annotations

import argparse
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

LARGEST = Path(__file__).parents[1] / "tests" / "deployment" / "deployments" / "20-everything"
ALONE = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "DOCKER_HOST": "unix:///nowhere"}
"""As on a machine that has the plugin, no other one, and no engine."""
TOLD = re.compile(r" in ([\d.]+)s")


@dataclass(frozen=True)
class Course:
    """Seconds that one pytest took: by the clock, of the processors, and as it says itself."""

    clock: float
    processors: float
    told: float


def measured(arguments: Sequence[str]) -> Course:
    """One pytest in an empty folder; ends the benchmark where it was an error."""
    with tempfile.TemporaryDirectory() as folder:
        before, begun = os.times(), time.perf_counter()
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
        done = subprocess.run(command, cwd=folder, env=ALONE, capture_output=True, text=True, check=False)
        clock, after = time.perf_counter() - begun, os.times()
    said = TOLD.findall(done.stdout)
    if done.returncode not in (0, 1, 5) or not said:  # All passed, some failed, no tests were found.
        sys.exit(done.stderr or done.stdout)
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return Course(clock, used, float(said[-1]))


def main() -> None:
    """Measure, and print the table."""
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("deployment", nargs="?", type=Path, default=LARGEST, metavar="DEPLOYMENT")
    reader.add_argument("--times", type=int, default=5)
    given = reader.parse_args()
    plugin = ("-p", "pytest_mailu.plugin")
    deployment = f"--mailu-deployment={given.deployment.absolute()}"
    commands = {
        "pytest alone": (),
        "settings": (*plugin, "--mailu-check", deployment, "--mailu-from=2.0.43", "--mailu-to=2024.06"),
        "recordings": (*plugin, "--mailu-from=recorded:2.0", "--mailu-to=recorded:2024.06"),
    }
    rounds = [{name: measured(arguments) for name, arguments in commands.items()} for _ in range(given.times)]
    print(f"{'':14}{'seconds':>9}{'ratio':>7}{'processors':>12}{'ratio':>7}{'pytest says':>13}")
    alone = [each["pytest alone"] for each in rounds]
    for name in commands:
        courses = [each[name] for each in rounds]
        clock, used = median(course.clock for course in courses), median(course.processors for course in courses)
        of_clock = clock / median(course.clock for course in alone)
        of_used = used / median(course.processors for course in alone)
        told = median(course.told for course in courses)
        print(f"{name:14}{clock:9.2f}{of_clock:7.1f}{used:12.2f}{of_used:7.1f}{told:13.2f}")


if __name__ == "__main__":
    main()
