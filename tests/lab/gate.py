"""A way to the Docker engine that can be shut or frozen: for whoever goes through it, the engine is gone, or hangs."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from pathlib import Path

import docker


class Gate:
    """Listens on a socket of its own and passes everything on to the engine, until it is shut."""

    def __init__(self, path: Path) -> None:
        self.address = f"unix://{path}"
        # docker's client knows where the engine is; "http+docker://localhost" stands for a socket of this machine.
        self._engine = docker.from_env().api.get_adapter("http+docker://localhost").socket_path
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        self._shut = False
        self._passing = threading.Event()
        self._passing.set()

    def __enter__(self) -> Gate:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shut()

    def shut(self) -> None:
        """Cuts every connection, and takes no more."""
        self._passing.set()
        with self._lock:
            self._shut = True
            for one in (self._listener, *self._open):
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()

    def freeze(self) -> None:
        """From now on nothing is passed on, and nothing is closed: the engine takes connections and says no more."""
        self._passing.clear()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                engine = socket.socket(socket.AF_UNIX)
                engine.connect(self._engine)
            except OSError:
                return
            with self._lock:
                if self._shut:
                    client.close()
                    return
                self._open += [client, engine]
            for source, target in ((client, engine), (engine, client)):
                threading.Thread(target=self._pass_on, args=(source, target), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                self._passing.wait()
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
