"""Archives that the tests unpack, on each Python from 3.11.0 on: Debian 12 has one that knows no filters yet."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

_FILTER: dict[str, Any] = {"filter": "tar"} if hasattr(tarfile, "tar_filter") else {}


def unpack(archive: tarfile.TarFile, folder: Path) -> None:
    """Put all that an archive of ours has into a folder, with the modes that it says."""
    archive.extractall(folder, **_FILTER)
