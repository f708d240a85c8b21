"""A load balancer inside the sealed network: hands connections on to `front`, with the PROXY protocol before them.

Mailu's own services come this way: where `front` wants the PROXY protocol on port 25, the mailboxes' server sends what
users' filters answer and pass on to Mailu's public name (core/dovecot/conf/dovecot.conf, `submission_host`, 2024.06).

Both ends are in one network of the plan, and the target is `front` alone: nothing is handed on to anywhere else.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Tuple

from .plan import Balancer
from .socks_proxy import relay

log = logging.getLogger("world.balancer")
_IP_FREEBIND = 15
"""ip(7): the world gets its further addresses only when it runs already."""


async def listen(balancer: Balancer) -> int:
    """Serve until the loop ends; the port. Raises OSError where it cannot listen."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _hand_on(balancer, (reader, writer))

    server = await asyncio.start_server(handle, sock=_bound(balancer.address, balancer.port))
    return int(server.sockets[0].getsockname()[1])


def header(client: str, server: str, client_port: int, port: int) -> bytes:
    """The line of version 1 (https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt, section 2.1)."""
    return f"PROXY TCP4 {client} {server} {client_port} {port}\r\n".encode()


def _bound(address: str, port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
        bound.bind((address, port))
    except OSError:
        bound.close()
        raise
    return bound


async def _hand_on(balancer: Balancer, client: Tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
    peer = client[1].get_extra_info("peername")
    try:
        server = await asyncio.wait_for(
            asyncio.open_connection(balancer.target, balancer.port, local_addr=(balancer.address, 0)),
            balancer.connect_seconds,
        )
    except (OSError, asyncio.TimeoutError) as error:
        log.info("%s:%d: %s", balancer.target, balancer.port, error)
        client[1].close()
        return
    server[1].write(header(peer[0], balancer.target, peer[1], balancer.port))
    try:
        await relay(client, server)
    finally:
        client[1].close()
