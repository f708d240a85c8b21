"""An engine with tiny images, runs, and a clean end."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from pytest_mailu.stack.docker.engine import Engine
from pytest_mailu.stack.docker.labels import RunIdentity, process_started
from pytest_mailu.stack.docker.sweep import remove

from .tiny import DECLARES, EXITS, WAITS, archive


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """The engine of whoever runs the tests, with the images; they go at the end."""
    engine = Engine.connect()
    for name, what, more in ((WAITS, "waits", []), (EXITS, "exits", []), (DECLARES, "waits", ['VOLUME ["/x", "/y"]'])):
        repository, _, tag = name.rpartition(":")
        engine.client.api.import_image_from_data(  # type: ignore[no-untyped-call, unused-ignore]
            archive(what),
            repository=repository,
            tag=tag,
            changes=['ENTRYPOINT ["/run"]', "LABEL version=9.9.9", *more],
        )
    yield engine
    for name in (WAITS, EXITS, DECLARES):
        engine.client.images.remove(name, force=True)
    engine.close()


@pytest.fixture
def run(engine: Engine) -> Iterator[RunIdentity]:
    """A run of this process; whatever carries its labels goes at the end."""
    run = RunIdentity.new()
    yield run
    remove(engine, run.id)


@dataclass(frozen=True)
class MortalRun:
    """A run of a process that lives until `dies`: until then no other run beside this test sweeps what it makes."""

    identity: RunIdentity
    process: subprocess.Popen[bytes]

    def dies(self) -> None:
        """From now on its owner is no more."""
        self.process.kill()
        self.process.wait()


@pytest.fixture
def mortal_run(engine: Engine) -> Iterator[MortalRun]:
    """A run whose owner can be ended."""
    process = subprocess.Popen(["sleep", "600"])
    run = RunIdentity.new()
    owner = replace(run.owner, pid=process.pid, started=process_started(process.pid))
    mortal = MortalRun(replace(run, owner=owner), process)
    try:
        yield mortal
    finally:
        mortal.dies()
        remove(engine, run.id)
