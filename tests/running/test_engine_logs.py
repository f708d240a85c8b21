"""The engine's logs are read only where the local engine runs the deployment in question, and only read."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from pytest_mailu.core.errors import UsageError
from pytest_mailu.running import engine_logs, host
from pytest_mailu.running.engine_logs import engine_lines, lines_of


class Container:
    def logs(self, *, stream: bool, follow: bool, timestamps: bool, since: datetime.datetime) -> Iterator[bytes]:
        assert (stream, follow, timestamps) == (True, False, True)
        assert datetime.timedelta(days=6) < datetime.datetime.now(datetime.UTC).replace(tzinfo=None) - since
        yield from (b"2026-11-20T08:00:00Z one\n2026-11-20T08:00:01Z t", b"wo\n", b"three")


class Engine:
    """Answers what is read; anything else is an AttributeError."""

    def __init__(self, *containers: Container, error: Exception | None = None) -> None:
        self._found, self._error, self.closed = list(containers), error, False
        self.containers = self

    def list(self, *, all: bool, filters: dict[str, str]) -> list[Container]:
        assert all
        assert filters["label"].startswith("com.docker.compose.project.working_dir=/")
        if self._error is not None:
            raise self._error
        return self._found

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def local(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Put an engine in the place of this machine's own."""

    def put(engine: Engine) -> Engine:
        socket = tmp_path / "docker.sock"
        socket.touch()
        monkeypatch.setattr(host, "SOCKET", socket)
        monkeypatch.setenv("DOCKER_HOST", f"unix://{socket}")
        monkeypatch.setattr(docker, "from_env", lambda **_: engine)
        return engine

    return put


def test_the_lines_of_all_containers_of_the_folder_are_read(local: Any, tmp_path: Path) -> None:
    engine = local(Engine(Container(), Container()))
    assert list(engine_lines(tmp_path)) == [
        *(b"2026-11-20T08:00:00Z one", b"2026-11-20T08:00:01Z two", b"three"),
        *(b"2026-11-20T08:00:00Z one", b"2026-11-20T08:00:01Z two", b"three"),
    ]
    assert engine.closed


@pytest.mark.parametrize(
    ("engine", "told"),
    [
        (Engine(), "runs nothing of"),
        (Engine(error=docker.errors.APIError("driver none")), "cannot be read: driver none"),
        (Engine(error=OSError("gone")), "cannot be read: gone"),
    ],
)
def test_where_there_is_nothing_to_read_one_line_says_so(local: Any, tmp_path: Path, engine: Engine, told: str) -> None:
    local(engine)
    with pytest.raises(UsageError, match=f"--mailu-logs engine: .*{told}"):
        list(engine_lines(tmp_path))


def test_without_a_local_engine_nobody_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.1:2375")
    with pytest.raises(UsageError, match="there is no local engine"):
        list(engine_lines(tmp_path))


def test_lines_that_come_in_pieces_are_put_together() -> None:
    assert list(lines_of([b"a\nb", b"", b"c\n\nd"])) == [b"a", b"bc", b"", b"d"]
    assert list(lines_of([])) == []
    assert engine_logs.DAYS == 7
