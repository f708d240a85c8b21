"""What one stack is to be: its release, the user's settings and files, and how long it may take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pytest_mailu.core.releases import Release
from pytest_mailu.stack.compose.command import CONFIGURED, Model
from pytest_mailu.stack.docker.images import Pull


@dataclass(frozen=True, slots=True)
class StackPlan:
    """`side` is `old` or `new`; `user` are the user's settings; `seconds` is how long any one step may take.

    `core`, `configured` and `files` come from `read_user_compose`: the model, the services that read mailu.env, and
    what is copied into each container.
    """

    side: str
    release: Release
    user: Mapping[str, str] = field(default_factory=dict)
    overrides: Path | None = None
    core: Model | None = None
    configured: tuple[str, ...] = CONFIGURED
    files: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict)
    pull: Pull = Pull.MISSING
    seconds: float = 120.0
