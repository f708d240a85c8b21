"""Run in a network namespace of its own: who a client is to `front`, from each vantage in both families."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from pytest_mailu.core.model import Vantage
from pytest_mailu.stack.docker.networks import Layout, choose_layout, choose_layout6
from pytest_mailu.stack.world.plan import make_plan
from pytest_mailu.wire.transport.connector import SocksConnector
from tests.worldapp.conftest import TOKEN, running

PORTS = {4: 2504, 6: 2506}


def prepare(layout: Layout) -> None:
    """A network interface for each network, with the addresses that the engine gives the world and `front`."""
    six = layout.six
    assert six is not None
    pairs = ((layout.inside, six.inside), (layout.stranger, six.stranger))
    commands = ["link set lo up"]
    for number, segments in enumerate((*pairs, (layout.other, six.other), (layout.relaynet, six.relaynet))):
        commands.append(f"link add d{number} type veth peer name e{number}")
        commands += [f"link set {side}{number} up" for side in "de"]
        for segment in segments:
            checked = "" if segment.network.version == 4 else " nodad"
            commands += [
                f"addr add {address}/{segment.network.prefixlen} dev d{number}{checked}"
                for address in (segment.world, segment.front)
            ]
    for command in commands:
        subprocess.run(["ip", *command.split()], check=True)


async def seen(layout: Layout, connector: SocksConnector) -> dict[str, str]:
    """Vantage → its name where `front` sees the address that is meant, else that address."""

    async def tell(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(writer.get_extra_info("peername")[0].encode())
        writer.close()

    servers = [await asyncio.start_server(tell, host, PORTS[kind]) for kind, host in ((4, "0.0.0.0"), (6, "::"))]
    found = {}
    for vantage in Vantage:
        client = layout.segment(vantage).client
        connection = await connector.connect("front", PORTS[client.version], vantage)
        reader, writer = await asyncio.open_connection(sock=connection)
        address = (await reader.read()).decode()
        found[str(vantage)] = str(vantage) if address == str(client) else address
        writer.close()
    for server in servers:
        server.close()
    return found


def main() -> None:
    """Prepares the namespace, adds the clients' addresses as the world does it, and connects from each vantage."""
    layout = replace(choose_layout([]), six=choose_layout6([]))
    prepare(layout)
    segments = {vantage: layout.segment(vantage) for vantage in Vantage}
    plan = make_plan(segments, services={}, token=TOKEN)
    with TemporaryDirectory() as folder, running(Path(folder), plan) as world:
        pyz = [sys.executable, "-I", "-S", f"{folder}/world.pyz"]
        subprocess.run([*pyz, "--addresses", f"{folder}/plan.json"], check=True)
        print(json.dumps(asyncio.run(seen(layout, SocksConnector(world.ports["proxy"], TOKEN)))))


if __name__ == "__main__":
    main()
