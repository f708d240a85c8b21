"""The load balancer in Mailu's own network: for its services, to `front` alone."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from pytest_mailu.core.model import Vantage
from pytest_mailu.worldapp.plan import PlanError, read_plan


def test_a_service_s_connection_reaches_front_with_its_address_before_it(plan: Any, start: Any, segments: Any) -> None:
    inside = segments[Vantage.INSIDE]
    balancer, front = str(inside.network[21]), str(inside.front)

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read())
        writer.close()

    async def ask() -> tuple[str, str, int, int]:
        server = await asyncio.start_server(echo, front, 0)
        port = server.sockets[0].getsockname()[1]
        own = {**plan, "balancers": [{"address": balancer, "port": port, "target": front}]}
        async with server:
            with start(own):
                here = (str(inside.network[13]), 0)
                reader, writer = await asyncio.open_connection(balancer, port, local_addr=here)
                ours = writer.get_extra_info("sockname")[1]
                writer.write(b"EHLO imap\r\n")
                writer.write_eof()
                answer = await asyncio.wait_for(reader.read(), 20)
                writer.close()
                return answer.decode(), str(here[0]), ours, port

    answer, address, ours, port = asyncio.run(ask())
    assert answer == f"PROXY TCP4 {address} {front} {ours} {port}\r\nEHLO imap\r\n"


@pytest.mark.parametrize(
    ("address", "target"),
    [
        ("127.0.53.21", "127.0.53.14"),
        ("127.0.53.21", "192.0.2.1"),
        ("127.0.99.21", "127.0.53.11"),
        ("x", "127.0.53.11"),
    ],
)
def test_a_balancer_hands_on_to_front_in_its_own_network_or_not_at_all(
    plan: Any, tmp_path: Path, address: str, target: str
) -> None:
    (tmp_path / "plan.json").write_text(
        json.dumps({**plan, "balancers": [{"address": address, "port": 25, "target": target}]})
    )
    with pytest.raises(PlanError):
        read_plan(str(tmp_path / "plan.json"))


def test_where_nobody_listens_the_connection_ends(plan: Any, start: Any, segments: Any) -> None:
    inside = segments[Vantage.INSIDE]
    balancer = str(inside.network[21])

    async def ask(port: int) -> bytes:
        reader, writer = await asyncio.open_connection(balancer, port)
        try:
            return await asyncio.wait_for(reader.read(), 20)
        finally:
            writer.close()

    port = 18025
    own = {**plan, "balancers": [{"address": balancer, "port": port, "target": str(inside.front)}]}
    with start(own):
        assert asyncio.run(ask(port)) == b""
