"""The recordings that come with the package, and which of them a name means."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path


def shipped() -> dict[str, Traversable]:
    """The shipped recordings by release, oldest first."""
    package = files("pytest_mailu")
    folder = package / "_recordings"
    if not folder.is_dir():  # an editable install: the folder stands beside the package
        folder = Path(str(package)).parent / "recordings"
    if not folder.is_dir():
        return {}
    found = {entry.name.removesuffix(".json"): entry for entry in folder.iterdir() if entry.name.endswith(".json")}
    return {release: found[release] for release in sorted(found, key=_order)}


def named(name: str) -> str | None:
    """The shipped release that a name means: itself, or the newest one of a series (`2.0`); None for neither."""
    available = shipped()
    if name in available:
        return name
    return next((release for release in reversed(available) if release.startswith(f"{name}.")), None)


def _order(release: str) -> list[tuple[int, str]]:
    """2.0.43 before 2024.06.24, and that before 2024.06.57; what is no number comes last."""
    return [(int(part) if part.isdigit() else 10**6, part) for part in release.split(".")]
