"""A connector without a proxy: tests talk to peers on this machine."""

from __future__ import annotations

import asyncio
import socket

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
