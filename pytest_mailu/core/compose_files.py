"""Which files are one compose file to Docker Compose: one of the names that it looks for, and the override beside it.

Source: Docker's documentation, "Merge Compose files"; compose-go, cli/options.go (DefaultFileNames,
DefaultOverrideFileNames).
"""

from __future__ import annotations

from pathlib import Path

NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
OVERRIDES = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)
"""What Compose looks for, in its order."""


def compose_file_in(folder: Path | None) -> Path | None:
    """The compose file that Compose takes in a folder: the first of its names that is there; None for none."""
    if folder is None:
        return None
    return next((path for name in NAMES if (path := folder / name).exists()), None)


def together(path: Path) -> list[Path]:
    """A compose file and, where Compose would find it by its name, the override file that it takes beside it."""
    if path.name not in NAMES:
        return [path]
    return [path, *[beside for name in OVERRIDES if (beside := path.parent / name).exists()][:1]]
