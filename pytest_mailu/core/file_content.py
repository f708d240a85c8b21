"""What is copied into a container at a path: the content of a file, or a symbolic link."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link instead of a file."""

    target: str


Content: TypeAlias = bytes | Link
