"""The channel between the processes of pytest-xdist: workers ask the controller for the results of its run."""

from __future__ import annotations

import secrets
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import Any, TypeAlias

Address: TypeAlias = tuple[str, str]
"""A socket's path and its key in hex: text, since xdist's `workerinput` carries nothing else."""


class NoAnswerError(Exception):
    """The other process has no answer; the message is that of its exception."""


class ResultServer:
    """Answers each id with the result of `answer`, which may block: every client has a thread of its own."""

    def __init__(self, answer: Callable[[str], Any]) -> None:
        self._answer = answer
        self._folder = tempfile.TemporaryDirectory(prefix="pytest-mailu-")
        self._key = secrets.token_bytes(16)
        self._listener = Listener(str(Path(self._folder.name) / "results"), "AF_UNIX", authkey=self._key)
        threading.Thread(target=self._accept, name="mailu-results", daemon=True).start()

    @property
    def address(self) -> Address:
        """What a `ResultClient` needs to find this server."""
        return str(self._listener.address), self._key.hex()

    def _accept(self) -> None:
        while True:
            try:
                connection = self._listener.accept()
            except (EOFError, ConnectionError, AuthenticationError):
                continue  # the client went away, or has another key
            except OSError:
                return  # the listener was closed
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: Connection) -> None:
        with connection, suppress(EOFError, OSError):
            while True:
                question = connection.recv()
                try:
                    answer = True, self._answer(question)
                except Exception as error:  # the client has to know of every error
                    answer = False, f"{type(error).__name__}: {error}"
                connection.send(answer)

    def close(self) -> None:
        """Stop answering, and remove the socket."""
        self._listener.close()
        self._folder.cleanup()


class ResultClient:
    """Asks a ResultServer; one connection, kept."""

    def __init__(self, address: Address) -> None:
        path, key = address
        self._connection = Client(path, "AF_UNIX", authkey=bytes.fromhex(key))

    def ask(self, id: str) -> Any:
        """Wait for the answer; raises NoAnswerError where there is none, and EOFError when the server has gone."""
        self._connection.send(id)
        there, answer = self._connection.recv()
        if not there:
            raise NoAnswerError(answer)
        return answer

    def close(self) -> None:
        """End the connection."""
        self._connection.close()
