"""Measures how asking scales: `python benchmarks/matrix.py 2.0.43 2024.06.24` prints a table of seconds.

Rows: how many behaviours are asked; columns: how many at a time. Both stacks are started once, and only behaviours that
may run side by side in the base variant are asked, picked evenly over all families. Combinations that would take many
minutes (many behaviours, few at a time) are left out. Needs a Docker engine that has the images.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence

from pytest_mailu.behaviours import Behaviour, built_in
from pytest_mailu.core.errors import MailuError
from pytest_mailu.core.plan import Plan, ReleaseSpec
from pytest_mailu.core.releases import Release
from pytest_mailu.running.scheduler import Scheduler, phases
from pytest_mailu.sides.release import ReleaseSide
from pytest_mailu.stack.engine_session import EngineSession

COUNTS = (10, 40, 160, 250)
AT_A_TIME = (1, 4, 8, 12, 24)
ROUNDS = 50
"""How many rounds there may be; a round takes some seconds."""


def picked(behaviours: Sequence[Behaviour], count: int) -> list[Behaviour]:
    """`count` of them, evenly over the whole."""
    return [behaviours[index * len(behaviours) // count] for index in range(count)]


async def measure(old: str, new: str) -> None:
    """Start both stacks, ask again and again, and print one line for each number of behaviours."""
    plan = Plan(ReleaseSpec(Release.parse(old)), ReleaseSpec(Release.parse(new)), pull="never")
    session = EngineSession(stacks=2, pull=False, keep=False, notify=print)
    sides = [
        ReleaseSide(label, spec.release, plan, session, print)
        for label, spec in plan.specs
        if isinstance(spec, ReleaseSpec)
    ]
    try:
        await asyncio.gather(*(side.open() for side in sides))
        together = phases(behaviour for behaviour in built_in() if not behaviour.deep)[0]
        counts = [count for count in COUNTS if count < len(together)] + [len(together)]
        print("behaviours" + "".join(f"{f'{number} at a time':>15}" for number in AT_A_TIME))
        for count in counts:
            print(f"{count:10}", end="", flush=True)
            for number in AT_A_TIME:
                if count > ROUNDS * number:
                    print(f"{'–':>15}", end="", flush=True)
                    continue
                started = time.monotonic()
                await Scheduler(*sides, concurrency=number).run(picked(together, count), lambda _: None)
                print(f"{time.monotonic() - started:13.1f} s", end="", flush=True)
            print()
    finally:
        await asyncio.gather(*(side.close() for side in sides))


def main() -> int:
    """Exit status 2 where the stacks do not start."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("old", nargs="?", default="2.0.43")
    parser.add_argument("new", nargs="?", default="2024.06.24")
    chosen = parser.parse_args()
    try:
        asyncio.run(measure(chosen.old, chosen.new))
    except MailuError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
