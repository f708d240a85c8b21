"""`python leash.py PARENT COMMAND…`: runs a command, and ends it with its children when the process PARENT ends.

A run that is killed (SIGKILL) can end nothing itself, and a compose that hangs would stay for ever. On Linux the kernel
tells this process (prctl(2), PR_SET_PDEATHSIG). It runs by itself, without the package.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_NOT_STARTED, _KILLED = 127, 128
"""Exit statuses as of a shell."""


def main(arguments: list[str]) -> int:
    """Run the command; its exit status."""
    parent, command = int(arguments[0]), arguments[1:]
    signal.signal(signal.SIGTERM, lambda *_: _end_all())
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it ended before we asked
            _end_all()
    try:
        code = subprocess.call(command)
    except OSError as error:
        print(error, file=sys.stderr)
        return _NOT_STARTED
    return code if code >= 0 else _KILLED - code


def _end_all() -> None:
    """Kill every process of our session (proc(5), /proc/pid/stat field 6), this one last."""
    for _ in range(5):  # a child may start another one while we look
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                session = (folder / "stat").read_text().rpartition(")")[2].split()[3]
                if int(session) == os.getsid(0) and int(folder.name) != os.getpid():
                    os.kill(int(folder.name), signal.SIGKILL)
            except (OSError, ValueError, IndexError):
                continue
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
