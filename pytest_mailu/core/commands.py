"""What a command left when it ended, on this machine or in a container."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CommandResult:
    """`code` is the exit status (-1 where nobody knows it); `output` and `errors` are standard output and error."""

    code: int
    output: str
    errors: str


@dataclass(frozen=True, slots=True)
class Usage:
    """What a container has used: processor time in seconds since its start, memory in bytes without the page cache."""

    cpu_seconds: float
    memory_bytes: int
