"""What is read of a container has limits of size and time, whatever the container or the engine does."""

from __future__ import annotations

import io
import socket
import struct
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from docker.models.containers import Container

from pytest_mailu.stack.evidence import container_io
from pytest_mailu.stack.evidence.container_io import (
    CUT,
    FILE_LIMIT,
    LINE_LIMIT,
    LOG_LIMIT,
    OUTPUT_LIMIT,
    execute,
    log_lines,
    read_file,
)


class Api:
    """An engine that runs a command: it sends what `writes` gives, in frames, and then says nothing more."""

    def __init__(self, writes: Callable[[], Iterator[tuple[int, bytes]]], *, ends: bool) -> None:
        self._writes = writes
        self._ends = ends

    def exec_create(self, *_: Any, **__: Any) -> dict[str, str]:
        return {"Id": "1"}

    def exec_start(self, _: str, *, socket: bool) -> Any:
        assert socket
        ours, theirs = _pair()
        threading.Thread(target=self._send, args=(theirs,), daemon=True).start()
        return ours

    def exec_inspect(self, _: str) -> dict[str, int | None]:
        return {"ExitCode": 0 if self._ends else None}

    def _send(self, sock: socket.socket) -> None:
        try:
            for stream, data in self._writes():
                sock.sendall(struct.pack(">BxxxL", stream, len(data)) + data)
        except OSError:
            return
        if self._ends:
            sock.close()


def _pair() -> tuple[socket.socket, socket.socket]:
    return socket.socketpair()


class FakeContainer:
    """A container with a log, a file, and commands."""

    name = "c"
    id = "1"

    def __init__(self, api: Any = None, log: bytes = b"", archive: bytes = b"") -> None:
        self.client = type("Client", (), {"api": api})
        self._log = log
        self._archive = archive

    def logs(self, **_: Any) -> bytes:
        return self._log

    def get_archive(self, _: str) -> tuple[Iterator[bytes], dict[str, Any]]:
        return iter([self._archive]), {}


def container(**parts: Any) -> Container:
    return cast(Container, FakeContainer(**parts))


def test_standard_output_and_error_are_told_apart() -> None:
    api = Api(lambda: iter([(1, b"out "), (2, b"err"), (1, b"put")]), ends=True)
    result = execute(container(api=api), ("x",))
    assert (result.code, result.output, result.errors) == (0, "out put", "err")


def test_a_command_that_writes_without_end_is_cut_off_and_marked() -> None:
    def endless() -> Iterator[tuple[int, bytes]]:
        while True:
            yield 1, b"y" * 100_000

    result = execute(container(api=Api(endless, ends=False)), ("yes",))
    assert len(result.output) == OUTPUT_LIMIT
    assert result.errors == CUT
    assert result.code == -1


def test_an_engine_that_freezes_in_the_middle_does_not_keep_the_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container_io, "EXEC_SECONDS", 0.3)
    started = time.monotonic()
    result = execute(container(api=Api(lambda: iter([(1, b"part")]), ends=False)), ("x",))
    assert (result.code, result.output) == (-1, "part")
    assert time.monotonic() - started < 10


def test_long_lines_are_cut_and_of_long_logs_the_newest_lines_are_read() -> None:
    lines = log_lines(container(log=b"\x1b[31mred\x1b[0m\n\n" + b"x" * 100_000 + b"\nlast\n"))
    assert lines == ["red", "x" * LINE_LIMIT, "last"]
    lines = log_lines(container(log=b"first\n" + b"line\n" * LOG_LIMIT + b"last\n"))
    assert (lines[0] == "first", lines[-1]) == (False, "last")


def test_a_large_file_is_no_small_file() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        entry = tarfile.TarInfo("version")
        entry.size = 3 * FILE_LIMIT
        tar.addfile(entry, io.BytesIO(bytes(entry.size)))
    assert read_file(container(archive=out.getvalue()), "/version") == ""
    assert read_file(container(archive=b"garbage"), "/version") == ""


def test_what_came_with_the_head_of_the_answer_is_output_too() -> None:
    """Docker's client reads below the buffer that has it, so that on a busy machine output was lost or misread."""
    parts = [(1, b"first "), (2, b"warning"), (1, b"second")]

    class Early(Api):
        def exec_start(self, _: str, *, socket: bool) -> Any:
            ours, theirs = _pair()
            self._send(theirs)
            answer = ours.makefile("rb")
            assert answer.peek(), "the buffer has what was sent meanwhile"
            raw: Any = answer.raw  # type: ignore[attr-defined]
            raw._response = SimpleNamespace(raw=SimpleNamespace(_fp=SimpleNamespace(fp=answer)))
            return raw

    ran = execute(cast(Container, FakeContainer(Early(lambda: iter(parts), ends=True))), ("true",))
    assert (ran.output, ran.errors) == ("first second", "warning")
