"""What the world gets once it runs: the addresses that clients come from, and one published port.

Both are done from outside, so that the world itself needs no rights. Adding addresses needs NET_ADMIN: a container that
shares the world's network has it for a moment, before there is any network that leads out. Then the world joins
`outside`. Its default gateway there is an address that nobody has, and the engine does not translate what comes from
there (no masquerading): no packet of the world leaves this machine.
"""

from __future__ import annotations

from collections.abc import Mapping

from docker.errors import DockerException
from docker.models.containers import Container
from docker.types import IPAMConfig, IPAMPool

from pytest_mailu.core.errors import StackError
from pytest_mailu.stack.docker.engine import Engine
from pytest_mailu.stack.docker.isolation import OUTSIDE, OUTSIDE_OPTIONS, WORLD
from pytest_mailu.stack.docker.networks import Layout, network_error

_GATEWAY = "DefaultGatewayIPv4"
"""The key of the bridge driver for another default gateway than its own address (libnetwork, drivers/bridge)."""
_SECONDS = 30


def add_addresses(engine: Engine, world: Container, project: str, labels: Mapping[str, str]) -> None:
    """Gives the running world its clients' addresses (worldapp/interfaces.py). Blocking. Raises StackError."""
    api = engine.client.api
    try:
        host = api.create_host_config(  # type: ignore[no-untyped-call, unused-ignore]
            network_mode=f"container:{world.id}",
            volumes_from=[f"{world.id}:ro"],
            cap_drop=["ALL"],
            cap_add=["NET_ADMIN"],
            read_only=True,
            security_opt=["no-new-privileges:true"],
            tmpfs={"/data": "", "/dkim": ""},
            pids_limit=50,
            mem_limit="256m",
        )
        created = api.create_container(
            image=world.attrs["Config"]["Image"],
            name=f"{project}-addresses",
            entrypoint=["python3", "/world/world.pyz", "--addresses", "/world/plan.json"],
            command=[],
            user="root",
            working_dir="/",
            environment={"PYTHONDONTWRITEBYTECODE": "1"},
            healthcheck={"test": ["NONE"]},
            labels=dict(labels),
            host_config=host,
        )
        try:
            api.start(created["Id"])
            code = int(api.wait(created["Id"], timeout=_SECONDS)["StatusCode"])
            said = api.logs(created["Id"], tail=15).decode(errors="replace") if code else ""
        finally:
            api.remove_container(created["Id"], v=False, force=True)
    except (DockerException, OSError) as error:
        raise StackError(
            "the world could not be given the addresses of its clients", "see the engine's message below", (str(error),)
        ) from error
    if code:
        raise StackError(
            f"the world could not be given the addresses of its clients (exit status {code})",
            "see the output below",
            tuple(said.splitlines()),
            service=WORLD,
        )


def create_outside(engine: Engine, project: str, layout: Layout, labels: Mapping[str, str]) -> None:
    """Creates the network through which the world's port is published. Blocking. Raises StackError."""
    pool = IPAMPool(subnet=str(layout.outside), aux_addresses={_GATEWAY: str(layout.no_gateway)})  # type: ignore[no-untyped-call, unused-ignore]
    try:
        engine.client.api.create_network(
            f"{project}_{OUTSIDE}",
            driver="bridge",
            ipam=IPAMConfig(pool_configs=[pool]),
            options=dict(OUTSIDE_OPTIONS),
            labels=dict(labels),
        )
    except DockerException as error:
        raise network_error(str(error)) from error


def join_outside(engine: Engine, world: Container, project: str) -> None:
    """Connects the running world to `outside`: its port is published from then on. Blocking. Raises StackError."""
    try:
        engine.client.api.connect_container_to_network(str(world.id), f"{project}_{OUTSIDE}")
    except DockerException as error:
        raise StackError(
            "the world's port cannot be published on 127.0.0.1", "see the engine's message below", (str(error),)
        ) from error
