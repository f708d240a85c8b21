"""Connectors without a proxy: tests talk to peers on this machine."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping

from pytest_mailu.core.model import Outcome, Reply, Stage, Vantage
from pytest_mailu.wire.transport.errors import NotServed


class DirectConnector:
    """Connects straight from this machine; the vantage is ignored."""

    async def connect(self, host: str, port: int, vantage: Vantage) -> socket.socket:
        """See `Connector.connect`. `host` is an IPv4 address."""
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        connection.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(connection, (host, port))
        except ConnectionRefusedError as error:
            connection.close()
            raise NotServed(Outcome.UNREACHABLE, Stage.CONNECT, Reply(text="connection refused")) from error
        except BaseException:
            connection.close()
            raise
        return connection


class LocalConnector:
    """Leads every host's port to the one that `ports` has for it; others are closed."""

    def __init__(self, ports: Mapping[int, int]) -> None:
        self._ports = ports

    async def connect(self, host: str, port: int, vantage: Vantage) -> socket.socket:
        # Port 1 of this machine is closed.
        return await DirectConnector().connect("127.0.0.1", self._ports.get(port, 1), vantage)
