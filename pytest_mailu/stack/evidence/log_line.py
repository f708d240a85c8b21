"""One line of a service's log, with its time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LogLine:
    """`when` is seconds since the epoch, as the engine saw the line."""

    service: str
    when: float
    text: str

    def __str__(self) -> str:
        return f"{self.service} | {self.text}"
