"""A Python that has run pytest with the plugin once, and forks a process for each further run.

A run in a new Python spends two thirds of its time on imports, and the tests of this folder need some four hundred.

    python prepared.py ARGUMENT…   the first run, with these arguments; then one run for each line of JSON on stdin
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

STARTUP = ("PYTHON", "LC_", "LANG")
"""How the names of environment variables begin that Python reads only when it starts."""


@dataclass
class PreparedPython:
    """The client: starts such a Python when it is first needed, in `folder`, with `environ` and `arguments`."""

    folder: Path
    environ: Mapping[str, str]
    arguments: Sequence[str]
    _process: subprocess.Popen[str] | None = field(default=None, init=False)

    def suits(self, environ: Mapping[str, str]) -> bool:
        """Whether a process with this environment may be forked: nothing is in it that only a new Python would read."""
        return _read_at_startup(environ) == _read_at_startup(self.environ)

    def run(
        self, arguments: Sequence[str], cwd: Path, environ: Mapping[str, str], timeout: float
    ) -> tuple[int, str, str]:
        """Status, output and errors of one run. Raises TimeoutExpired after `timeout` seconds, and ends it."""
        process = self._process = self._process or self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        out, errors = self.folder / "out", self.folder / "errors"
        request = {
            "arguments": list(arguments),
            "cwd": str(cwd),
            "environ": dict(environ),
            "out": str(out),
            "errors": str(errors),
        }
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        if not select.select([process.stdout], [], [], timeout)[0]:
            self.close()
            raise subprocess.TimeoutExpired(
                list(arguments), timeout, output=out.read_bytes(), stderr=errors.read_bytes()
            )
        status = int(process.stdout.readline())
        return status, out.read_text("utf-8"), errors.read_text("utf-8")

    def close(self) -> None:
        """End it, with what it has forked."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.communicate()
            self._process = None

    def _started(self) -> subprocess.Popen[str]:
        self.folder.mkdir(exist_ok=True)
        return subprocess.Popen(
            [sys.executable, __file__, *self.arguments],
            cwd=self.folder,
            env=dict(self.environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            process_group=0,
        )


def _read_at_startup(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name.startswith(STARTUP)}


def serve(arguments: Sequence[str]) -> None:
    """Run pytest once, then fork a process for every request; the status of each goes to stdout when it has ended."""
    sys.path[0] = ""  # as `python -m pytest` has it, not the folder of this file
    known = set(sys.modules)
    with contextlib.redirect_stdout(io.StringIO()):
        pytest.main(list(arguments))
    for name in set(sys.modules) - known:
        # What it found in its own folder is not there for others.
        if name.rpartition(".")[2] == "conftest":
            del sys.modules[name]
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if not child:
            _become(request)
            sys.exit(pytest.main())
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _become(request: Mapping[str, Any]) -> None:
    """In the forked process: be as a Python that was started for this request."""
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environ"])
    sys.path[0] = request["cwd"]
    sys.argv = ["pytest", *request["arguments"]]
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, name in ((1, "out"), (2, "errors")):
        os.dup2(os.open(request[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)


if __name__ == "__main__":
    serve(sys.argv[1:])
