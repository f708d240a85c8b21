"""Reading from and writing to a container: commands, log lines, files, and testinfra."""

from __future__ import annotations

import contextlib
import io
import re
import socket
import struct
import tarfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from docker.api.client import APIClient
from docker.errors import DockerException
from docker.models.containers import Container
from docker.utils.socket import demux_adaptor, frames_iter
from testinfra.backend.base import BaseBackend
from testinfra.backend.base import CommandResult as TestinfraResult
from testinfra.host import Host

from pytest_mailu.core.commands import CommandResult
from pytest_mailu.core.errors import StackError
from pytest_mailu.core.file_content import Content, Link

OUTPUT_LIMIT = 4_000_000
"""Bytes that are read of what a command writes."""
EXEC_SECONDS = 180.0
"""How long the output of a command is read."""
LOG_LINES = 20_000
"""Lines that are read of one service's log at a time, the newest."""
LOG_LIMIT = 16_000_000
"""Bytes of them that are used."""
LINE_LIMIT = 4_000
"""Characters that are kept of one log line."""
FILE_LIMIT = 1_000_000
"""Bytes that are read of a small file."""
CUT = "… cut off here: there is more"
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def execute(
    container: Container, command: Sequence[str], *, user: str = "", environment: Mapping[str, str] | None = None
) -> CommandResult:
    """Runs `command` in the container. Raises StackError where that fails, for example because it is not running."""
    api = container.client.api if container.client else None
    if api is None:
        raise StackError("the container is not attached to an engine", "start the stack first")
    try:
        created = api.exec_create(container.id, list(command), user=user, environment=dict(environment or {}))
        output, errors = _collect(_frames(api, created["Id"]))
        code = api.exec_inspect(created["Id"])["ExitCode"]
    except DockerException as error:
        raise StackError(
            f"no command can be run in {container.name}: the container is missing or not running",
            "look at the log of the service",
            (str(error),),
        ) from error
    return CommandResult(-1 if code is None else int(code), _text(output), _text(errors))


def _frames(api: APIClient, exec_id: str) -> Iterator[tuple[bytes | None, bytes | None]]:
    """What a command writes, for a while: an engine that froze would keep the thread, and with it the run, for ever."""
    stream = api.exec_start(exec_id, socket=True)
    raw: Any = getattr(stream, "_sock", stream)

    def end() -> None:
        with contextlib.suppress(OSError, AttributeError):
            raw.shutdown(socket.SHUT_RDWR)  # wakes the reader, which a mere close would not

    timer = threading.Timer(EXEC_SECONDS, end)
    timer.daemon = True
    timer.start()
    try:
        if (reader := _buffered(stream)) is not None:
            raw.settimeout(None)
            yield from _framed(reader)
        else:
            for frame in frames_iter(stream, tty=False):  # type: ignore[no-untyped-call, unused-ignore]
                yield demux_adaptor(*frame)
    finally:
        timer.cancel()
        stream.close()


def _buffered(stream: Any) -> Any:
    """The reader of the engine's answer; None where docker's client has none (on Windows, or through ssh).

    On a busy machine the first of what a command writes comes together with the head of the answer, and waits in this
    reader's buffer. Docker's client reads the socket below it, and loses that.
    """
    response = getattr(stream, "_response", None)
    reader = getattr(getattr(getattr(response, "raw", None), "_fp", None), "fp", None)
    return reader if isinstance(reader, io.BufferedReader) else None


def _framed(reader: io.BufferedReader) -> Iterator[tuple[bytes | None, bytes | None]]:
    """Standard output and error by frames (Docker's API, "Attach to a container": stream type, size, data)."""
    while len(head := reader.read(8)) == 8:
        kind, length = struct.unpack(">BxxxL", head)
        while length and (data := reader.read(min(length, 1 << 16))):
            length -= len(data)
            yield (None, data) if kind == 2 else (data, None)


def _collect(frames: Iterable[tuple[bytes | None, bytes | None]]) -> tuple[bytes, bytes]:
    """Standard output and error of a command, up to a limit; a command that goes on writing is left alone."""
    output, errors = bytearray(), bytearray()
    for out, err in frames:
        output += out or b""
        errors += err or b""
        if len(output) + len(errors) > OUTPUT_LIMIT:
            del output[OUTPUT_LIMIT:], errors[OUTPUT_LIMIT:]
            errors += CUT.encode()
            break
    return bytes(output), bytes(errors)


def log_lines(
    container: Container,
    since: float | None = None,
    until: float | None = None,
    tail: int = 0,
    *,
    stamped: bool = False,
) -> list[str]:
    """The log between two moments (seconds since the epoch), or its last `tail` lines; without colours.

    With `stamped`, each line begins with the engine's time (RFC 3339).
    """
    arguments: dict[str, Any] = {"stdout": True, "stderr": True, "tail": tail or LOG_LINES, "timestamps": stamped}
    if since is not None:
        arguments["since"] = float(since)
    if until is not None:
        arguments["until"] = float(until)
    try:
        raw = container.logs(**arguments)
    except DockerException:
        return []
    # The newest ones: a service that logs without end must not hide how it ended.
    text = _ANSI.sub("", _text(raw[-LOG_LIMIT:]))
    return [line[:LINE_LIMIT] for line in text.splitlines() if line.strip()]


def _up_to(limit: int, chunks: Iterable[bytes]) -> tuple[bytes, bool]:
    """The first `limit` bytes, and whether there were more."""
    data = bytearray()
    for chunk in chunks:
        data += chunk
        if len(data) > limit:
            return bytes(data[:limit]), True
    return bytes(data), False


def archive(files: Mapping[str, Content]) -> bytes:
    """A tar archive of absolute path → content, to be unpacked at `/`. Folders come first and are readable for all."""
    out = io.BytesIO()
    now = time.time()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for folder in sorted({parent for path in files for parent in _parents(path)}):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode, entry.mtime = tarfile.DIRTYPE, 0o755, now
            tar.addfile(entry)
        for path, content in files.items():
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.mode, entry.mtime = 0o644, now
            if isinstance(content, Link):
                entry.type, entry.linkname = tarfile.SYMTYPE, content.target
                tar.addfile(entry)
                continue
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def read_file(container: Container, path: str) -> str:
    """A small text file of a container, running or not; empty where it does not exist."""
    try:
        chunks, _ = container.get_archive(path)
        with tarfile.open(fileobj=io.BytesIO(_up_to(FILE_LIMIT, chunks)[0])) as tar:
            first = tar.next()
            member = tar.extractfile(first) if first is not None else None
            return member.read().decode(errors="replace").strip() if member else ""
    except (DockerException, tarfile.TarError, IndexError, KeyError):
        return ""


class EngineBackend(BaseBackend):  # type: ignore[misc]  # testinfra has no types
    """testinfra through docker's own client: the same engine, and no `docker` command is needed."""

    NAME = "docker"

    def __init__(self, container: Container, *args: Any, **kwargs: Any) -> None:
        self._container = container
        super().__init__(str(container.name), *args, **kwargs)

    def run(self, command: str, *args: str, **kwargs: Any) -> TestinfraResult:
        """See testinfra's BaseBackend.run."""
        line = self.get_command(command, *args)
        ran = execute(self._container, ("/bin/sh", "-c", line))
        return self.result(ran.code, self.encode(line), ran.output.encode(), ran.errors.encode())


def testinfra_host(container: Container) -> Host:
    """The container as testinfra sees it."""
    return Host(EngineBackend(container))


def _parents(path: str) -> list[str]:
    parts = path.strip("/").split("/")[:-1]
    return ["/".join(parts[: n + 1]) for n in range(len(parts))]


def _text(raw: bytes | None) -> str:
    return (raw or b"").decode(errors="replace")
