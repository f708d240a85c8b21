"""`python3 world.pyz --ingress SOCKET PORT`: carries bytes between the published port and the world, and nothing else.

It stands alone in the one network that has an address of this machine, and runs on an image that is under test. So the
kernel lets it take connections and make none: no system call that does so is on its list
(`compose/ingress-seccomp.json`). Therefore the world connects to the ingress, by a socket in a shared volume, and waits
there to be of use. It runs on threads that read and write: asyncio would use `sendmsg`, which is not on the list.

A reset is passed on. By a Unix socket it is an end of both directions at once, before the other side has ended its own.
"""

from __future__ import annotations

import json
import os
import queue
import select
import socket
import struct
import threading
from contextlib import suppress

WANTED = b"+"
"""What the ingress says to a waiting world: a client has come."""
_CHUNK = 256 * 1024
_PATIENCE = 30.0
"""Seconds that a client waits for the world."""
_BACKLOG = 1024


def serve(path: str, port: int, address: str = "0.0.0.0") -> None:
    """Serve until the process is ended. Raises OSError where it cannot listen."""
    with suppress(FileNotFoundError):
        os.unlink(path)
    inner = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    inner.bind(path)
    inner.listen(_BACKLOG)
    outer = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    outer.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    outer.bind((address, port))
    outer.listen(_BACKLOG)
    waiting: "queue.SimpleQueue[socket.socket]" = queue.SimpleQueue()
    threading.Thread(target=_take_worlds, args=(inner, waiting), daemon=True).start()
    print(json.dumps({"ready": True, "ports": {"proxy": outer.getsockname()[1]}}), flush=True)
    while True:
        client, _ = outer.accept()
        threading.Thread(target=_serve_client, args=(client, waiting), daemon=True).start()


def hung_up(end: socket.socket) -> bool:
    """Whether the other side of a Unix socket has closed it altogether."""
    poll = select.poll()
    poll.register(end, 0)
    return any(event & select.POLLHUP for _, event in poll.poll(0))


def _take_worlds(inner: socket.socket, waiting: "queue.SimpleQueue[socket.socket]") -> None:
    while True:
        waiting.put(inner.accept()[0])


def _serve_client(client: socket.socket, waiting: "queue.SimpleQueue[socket.socket]") -> None:
    try:
        world = _waiting_world(waiting)
    except queue.Empty:
        client.close()
        return
    pair = _Pair(client, world)
    back = threading.Thread(target=pair.carry, args=(world, client), daemon=True)
    back.start()
    pair.carry(client, world)
    back.join()
    client.close()
    world.close()


def _waiting_world(waiting: "queue.SimpleQueue[socket.socket]") -> socket.socket:
    """A connection of a world that is still there. Raises queue.Empty."""
    while True:
        world = waiting.get(timeout=_PATIENCE)
        try:
            os.write(world.fileno(), WANTED)
        except OSError:  # it has ended since
            world.close()
            continue
        return world


class _Pair:
    """A client and its connection to the world."""

    def __init__(self, client: socket.socket, world: socket.socket) -> None:
        self._client = client
        self._world = world
        self._client_ended = False

    def carry(self, source: socket.socket, target: socket.socket) -> None:
        """Carries bytes one way, to the end; then that end, or a reset."""
        try:
            _copy(source.fileno(), target.fileno())
            if source is self._client:
                self._client_ended = True
            elif not self._client_ended and hung_up(source):
                raise ConnectionResetError
            target.shutdown(socket.SHUT_WR)
        except OSError:
            self._reset()

    def _reset(self) -> None:
        with suppress(OSError):  # closed already
            self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        for end, how in ((self._client, socket.SHUT_RD), (self._world, socket.SHUT_RDWR)):
            with suppress(OSError):
                end.shutdown(how)  # wakes the thread that reads from it


def _copy(source: int, target: int) -> None:
    while True:
        data = memoryview(os.read(source, _CHUNK))
        if not data:
            return
        while data:
            data = data[os.write(target, data) :]
