"""What else lives on an engine: a run that is alive, a stack that somebody keeps, and another user's own containers.

All are of a few hundred bytes. `snapshot` tells whether anything of them was touched.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from pytest_mailu.stack.docker.engine import Engine
from pytest_mailu.stack.docker.labels import RunIdentity
from pytest_mailu.stack.docker.sweep import remove
from tests.stack.tiny import archive

WAITS = "pytest-mailu.test/neighbour:1"
"""An image of their own: other tests, which may run beside, make and remove theirs."""
FOREIGN = {"com.docker.compose.project": "mailu", "com.docker.compose.service": "front"}
"""As the labels of a real Mailu on the same machine."""


@dataclass(frozen=True)
class Neighbours:
    """The names of what there is, by kind."""

    engine: Engine
    containers: tuple[str, ...]
    networks: tuple[str, ...]
    volumes: tuple[str, ...]

    def snapshot(self) -> list[Any]:
        """Everything of them that somebody could change, without what runs on by itself."""
        api = self.engine.client.api
        containers = [api.inspect_container(name) for name in self.containers]
        return [
            *(
                (one["Id"], one["State"]["StartedAt"], one["State"]["Status"], one["RestartCount"], one["Mounts"])
                for one in containers
            ),
            *(api.diff(name) for name in self.containers),
            *((one["Id"], one["Containers"], one["Options"]) for one in map(api.inspect_network, self.networks)),
            *((one["CreatedAt"], one["Labels"]) for one in map(api.inspect_volume, self.volumes)),
        ]

    def addresses(self) -> list[str]:
        """Where their containers are."""
        found = [self.engine.client.api.inspect_container(name) for name in self.containers]
        return [end["IPAddress"] for one in found for end in one["NetworkSettings"]["Networks"].values()]


@contextmanager
def neighbours(engine: Engine) -> Iterator[Neighbours]:
    """They are there while the block runs."""
    alive = RunIdentity.new()
    kept = RunIdentity.new(keep=True)
    kept = replace(kept, owner=replace(kept.owner, started="1"))
    api = engine.client.api
    repository, _, tag = WAITS.rpartition(":")
    api.import_image_from_data(archive("waits"), repository=repository, tag=tag, changes=['ENTRYPOINT ["/run"]'])  # type: ignore[no-untyped-call, unused-ignore]
    names = []
    try:
        for prefix, labels, internal in (
            (alive.project("old"), alive.labels("old"), True),
            (kept.project("old"), kept.labels("old"), True),
            (f"lab-neighbour-{alive.id}", FOREIGN, False),
        ):
            names.append(prefix)
            api.create_network(f"{prefix}-n", internal=internal, labels=dict(labels))
            api.create_volume(f"{prefix}-v", labels=dict(labels))
            engine.client.containers.run(
                WAITS,
                name=f"{prefix}-c",
                detach=True,
                network=f"{prefix}-n",
                volumes={f"{prefix}-v": {"bind": "/data"}},
                labels=dict(labels),
            )
        yield Neighbours(engine, *(tuple(f"{name}-{kind}" for name in names) for kind in ("c", "n", "v")))
    finally:
        for run in (alive, kept):
            remove(engine, run.id)
        _remove_by_name(engine, f"lab-neighbour-{alive.id}")


def _remove_by_name(engine: Engine, prefix: str) -> None:
    api = engine.client.api
    for container in api.containers(all=True, filters={"name": prefix}):
        api.remove_container(container["Id"], force=True)
    for network in api.networks(filters={"name": prefix}):
        api.remove_network(network["Id"])
    for volume in api.volumes(filters={"name": prefix})["Volumes"] or []:
        api.remove_volume(volume["Name"], force=True)
