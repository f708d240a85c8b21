"""What runs inside the lab's containers, without a container."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

RUN = "import sys; sys.path.insert(0, sys.argv[1]); import start; sys.exit(start.run([sys.argv[2:5], sys.argv[5:8]]))"
FIRST = """
import pathlib, sys, time
while not pathlib.Path("pid").exists():
    time.sleep(0.01)
sys.exit(3)
"""
SECOND = """
import pathlib, signal, sys, time
def end(*_):
    time.sleep(0.5)
    pathlib.Path("pid").unlink()
    sys.exit()
signal.signal(signal.SIGTERM, end)
pathlib.Path("pid").touch()
while True:
    time.sleep(60)
"""


def test_when_one_daemon_ends_the_other_one_ends_in_order(tmp_path: Path) -> None:
    """nginx ended first, the container with it, and Dovecot, killed meanwhile, left its PID file: status 89."""
    for name, text in (("first", FIRST), ("second", SECOND)):
        (tmp_path / name).write_text(text, "utf-8")
    daemons = [word for name in ("first", "second") for word in (sys.executable, "-u", str(tmp_path / name))]
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(Path(__file__).parent), *daemons], cwd=tmp_path, timeout=60, check=False
    )
    assert done.returncode == 3
    assert not (tmp_path / "pid").exists()
