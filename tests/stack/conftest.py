"""An engine with tiny images, runs, and a clean end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from pytest_mailu.stack.docker.engine import Engine
from pytest_mailu.stack.docker.labels import RunIdentity
from pytest_mailu.stack.docker.sweep import remove

from .tiny import EXITS, WAITS, archive


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """The engine of whoever runs the tests, with the two images; they go at the end."""
    engine = Engine.connect()
    for name, what in ((WAITS, "waits"), (EXITS, "exits")):
        repository, _, tag = name.rpartition(":")
        engine.client.api.import_image_from_data(  # type: ignore[no-untyped-call, unused-ignore]
            archive(what), repository=repository, tag=tag, changes=['ENTRYPOINT ["/run"]', "LABEL version=9.9.9"]
        )
    yield engine
    for name in (WAITS, EXITS):
        engine.client.images.remove(name, force=True)
    engine.close()


@pytest.fixture
def run(engine: Engine) -> Iterator[RunIdentity]:
    """A run of this process; whatever carries its labels goes at the end."""
    run = RunIdentity.new()
    yield run
    remove(engine, run.id)


@pytest.fixture
def dead_run(engine: Engine) -> Iterator[RunIdentity]:
    """A run whose owner is no more."""
    run = RunIdentity.new()
    yield replace(run, owner=replace(run.owner, started="1"))
    remove(engine, run.id)
