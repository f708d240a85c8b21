"""What a command left when it ended, on this machine or in a container."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CommandResult:
    """`code` is the exit status (-1 where nobody knows it); `output` and `errors` are standard output and error."""

    code: int
    output: str
    errors: str
