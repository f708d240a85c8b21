"""Beside others on the same engine: nothing of them is reached, read, changed or removed.

There are another run that goes on, a stack that somebody keeps, and another user's containers with the names of a real
Mailu. A run dials all of them from each of its containers, ends, and a sweep follows.
"""

from __future__ import annotations

import asyncio
import json
from ipaddress import IPv4Address

import pytest

from pytest_mailu.core.releases import Release
from pytest_mailu.stack.docker.engine import Engine
from pytest_mailu.stack.docker.images import Pull
from pytest_mailu.stack.docker.labels import RUN, RunIdentity
from pytest_mailu.stack.docker.subnets import SubnetAllocator
from pytest_mailu.stack.docker.sweep import remove, sweep
from pytest_mailu.stack.evidence.container_io import execute
from pytest_mailu.stack.plan import StackPlan
from pytest_mailu.stack.preflight import preflight
from pytest_mailu.stack.stack import Stack, running
from tests.lab.build import build
from tests.lab.neighbours import neighbours
from tests.lab.test_sealed import DIAL, ENTER
from tests.lab.trial import lab_images

pytestmark = pytest.mark.engine


def test_a_run_touches_nothing_of_others() -> None:
    build()
    engine, runs = Engine.connect(), (RunIdentity.new(), RunIdentity.new())

    async def beside(others: list[str]) -> None:
        compose, subnets = await preflight(engine, 2), SubnetAllocator(engine)
        living, ending = (
            Stack(StackPlan("old", Release.parse("2024.06"), pull=Pull.NEVER), run, engine, compose, subnets)
            for run in runs
        )
        async with running([living]):
            before = await living.world.ping()
            async with running([ending]):
                theirs = [
                    container_address for network in living.layout.networks for container_address in _some(network)
                ]
                containers = engine.containers_now(f"{RUN}={runs[1].id}")
                command = ["python3", "-c", DIAL, "25", *theirs, *others]
                reached = await asyncio.gather(*(asyncio.to_thread(execute, one, command) for one in containers))
                found = {one.name: json.loads(result.output) for one, result in zip(containers, reached, strict=True)}
                assert {name: answers for name, answers in found.items() if answers} == {}
                ways = [
                    living.world.proxy.token,
                    *(str(living.layout.segment(one).world) for one in living.layout.vantages),
                ]
                entered = await asyncio.gather(
                    *(asyncio.to_thread(execute, one, ["python3", "-c", ENTER, *ways]) for one in containers)
                )
                assert {result.output.strip() for result in entered if not result.code} <= {"[]"}
            await asyncio.to_thread(sweep, engine)
            assert await living.external_interference() == ""
            await living.check_alive()
            assert await living.world.ping() == before

    def _some(network: object) -> list[str]:
        first = IPv4Address(str(network).partition("/")[0])
        return [str(first + number) for number in (1, 2, 10, 11, 12, 13, 14, 20)]

    try:
        with neighbours(engine) as others, lab_images():
            before = others.snapshot()
            asyncio.run(beside(others.addresses()))
            assert others.snapshot() == before
    finally:
        for run in runs:
            remove(engine, run.id)
        engine.close()
