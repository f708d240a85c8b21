"""What the world and its ingress cannot do themselves, since they have no rights: it is done from outside.

Adding the addresses that clients come from needs NET_ADMIN: a container that shares the world's network has it for a
moment. No network of the world has an address of this machine.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping

from docker.errors import DockerException
from docker.models.containers import Container

from pytest_mailu.core.errors import StackError
from pytest_mailu.stack.docker.engine import Engine
from pytest_mailu.stack.docker.isolation import WORLD

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


def make_folder(container: Container, folder: str, user: int) -> None:
    """Makes a folder that belongs to `user` alone, in a volume of a container that has none. Blocking.

    Raises StackError.
    """
    parent, _, name = folder.rpartition("/")
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.type, entry.mode, entry.uid, entry.gid = tarfile.DIRTYPE, 0o700, user, user
        tar.addfile(entry)
    try:
        container.put_archive(parent, out.getvalue())
    except DockerException as error:
        raise StackError(
            f"the folder {folder} cannot be made in {container.name}", "see the engine's message below", (str(error),)
        ) from error
