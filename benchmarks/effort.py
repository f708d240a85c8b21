"""Measures what asking costs: `python benchmarks/effort.py 2.0.43 2024.06.24 [--deep] [--times 3]`.

Both stacks are started, the matrix is asked, and a table tells of each side: messages, logins, looks into mailboxes,
connections, commands in containers, restarts, attempts and how many of them confirm, and the processor seconds of each
service; of the whole: the seconds of asking, the processors' idle share meanwhile, the processor seconds of the asking
process, and the behaviours that took longest. Counts and processor seconds are nearly the same on a busy machine, and
seconds are not. Needs a Docker engine that has the images. `--like GLOB` asks only behaviours with such ids.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from statistics import median

from pytest_mailu.behaviours import Behaviour, built_in
from pytest_mailu.core.errors import MailuError
from pytest_mailu.core.model import Comparison
from pytest_mailu.core.plan import Plan, ReleaseSpec
from pytest_mailu.core.releases import CORE_SERVICES, Release
from pytest_mailu.running.scheduler import Scheduler
from pytest_mailu.running.settling import Settling
from pytest_mailu.sides.release import ReleaseSide
from pytest_mailu.stack.engine_session import EngineSession

EFFORT = ("messages", "logins", "looks into mailboxes", "connections", "commands", "restarts")
LONGEST = 12
"""How many behaviours are named."""


@dataclass(frozen=True)
class Course:
    """One time of asking: figures by name, in the order of the table, and the comparisons."""

    figures: dict[str, float]
    comparisons: Sequence[Comparison]


def processors() -> tuple[float, float]:
    """Seconds of all processors since the machine's start: idle, and in all (proc(5), /proc/stat)."""
    fields = [int(field) for field in Path("/proc/stat").read_text("ascii").split("\n", 1)[0].split()[1:9]]
    return (fields[3] + fields[4]) / 100, sum(fields) / 100


async def used(side: ReleaseSide) -> dict[str, float]:
    """Processor seconds of each service since its container's start; 0 for one that does not run."""
    found = {}
    for service in CORE_SERVICES:
        try:
            found[service] = (await side.services.usage(service)).cpu_seconds
        except MailuError:
            found[service] = 0.0
    return found


async def measure(old: str, new: str, behaviours: Sequence[Behaviour]) -> Course:
    """Start both stacks, ask, and give the figures. Containers that are made anew count from their last start."""
    plan = Plan(ReleaseSpec(Release.parse(old)), ReleaseSpec(Release.parse(new)), pull="never")
    session = EngineSession(stacks=2, pull=False, keep=False, notify=lambda _: None)
    sides = [
        ReleaseSide(label, spec.release, plan, session, lambda _: None)
        for label, spec in plan.specs
        if isinstance(spec, ReleaseSpec)
    ]
    comparisons: list[Comparison] = []
    try:
        await asyncio.gather(*(side.open() for side in sides))
        before = [await used(side) for side in sides]
        idle, whole = processors()
        own, started = time.process_time(), time.monotonic()
        settling = Settling(*sides, plan.seed)
        await Scheduler(*sides, settling=settling).run(behaviours, comparisons.append)
        seconds, own = time.monotonic() - started, time.process_time() - own
        idle, whole = (now - then for now, then in zip(processors(), (idle, whole), strict=True))
        figures = {"seconds of asking": seconds, "idle share of the processors, %": 100 * idle / whole}
        figures["processor seconds of pytest-mailu"] = own
        for label, side, then in zip(("old", "new"), sides, before, strict=True):
            attempts = [getattr(comparison, label) for comparison in comparisons]
            figures[f"{label}: attempts"] = sum(map(len, attempts))
            figures[f"{label}: of them confirmations"] = sum(len(one) - 1 for one in attempts if one)
            figures |= {f"{label}: {name}": side.effort[name] for name in EFFORT}
            now = await used(side)
            for service in CORE_SERVICES:
                spent = now[service] - then[service]
                figures[f"{label}: processor seconds of {service}"] = spent if spent >= 0 else now[service]
    finally:
        await asyncio.gather(*(side.close() for side in sides))
    return Course(figures, comparisons)


def longest(comparisons: Sequence[Comparison]) -> list[str]:
    """The behaviours that took longest on either side, as lines."""
    took = sorted(
        (
            (max(sum(one.seconds for one in side) for side in (each.old, each.new)), each.question.id)
            for each in comparisons
        ),
        reverse=True,
    )
    return [f"{seconds:7.1f} s  {id_}" for seconds, id_ in took[:LONGEST]]


def main() -> int:
    """Exit status 2 where the stacks do not start."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("--deep", action="store_true", help="ask what --mailu-deep asks")
    parser.add_argument("--like", default="*", help="only behaviours whose id is like this glob")
    parser.add_argument("--times", type=int, default=3, help="how often to measure; the median counts (default: 3)")
    chosen = parser.parse_args()
    behaviours = [one for one in built_in() if (chosen.deep or not one.deep) and fnmatchcase(one.id, chosen.like)]
    courses = []
    try:
        for _ in range(chosen.times):
            courses.append(asyncio.run(measure(chosen.old, chosen.new, behaviours)))
    except MailuError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{len(behaviours)} behaviours, {chosen.old} → {chosen.new}, median of {len(courses)}")
    for name in courses[0].figures:
        print(f"{median(course.figures[name] for course in courses):10.1f}  {name}")
    print("longest:", *longest(courses[-1].comparisons), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
