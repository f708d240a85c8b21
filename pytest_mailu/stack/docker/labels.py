"""Whose is it? The labels on everything that a run creates, and whether the run that owns it is still alive."""

from __future__ import annotations

import json
import os
import secrets
import socket
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path

PREFIX = "org.pytest-mailu"
RUN = f"{PREFIX}.run"
OWNER = f"{PREFIX}.owner"
KEPT = f"{PREFIX}.kept"
SIDE = f"{PREFIX}.side"
CREATED = f"{PREFIX}.created"


class Liveness(Enum):
    """What is known of the process that owns a run. UNKNOWN: it lives where we cannot look."""

    ALIVE = "alive"
    DEAD = "dead"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Owner:
    """A process, so that a later one with the same number is not taken for it.

    `boot` and `pids` (boot id and PID namespace) are empty where there is no /proc; so is `started`, which is in clock
    ticks after boot (proc(5), /proc/pid/stat field 22).
    """

    host: str
    boot: str
    pids: str
    pid: int
    started: str

    @classmethod
    def me(cls) -> Owner:
        """This process."""
        return cls(socket.gethostname(), _boot(), _pid_namespace(), os.getpid(), process_started(os.getpid()))

    @classmethod
    def read(cls, text: str) -> Owner | None:
        """The owner in a label, or None where nobody can be made out."""
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError):
            return None

    def write(self) -> str:
        """The text for a label."""
        return json.dumps(asdict(self), separators=(",", ":"))

    def liveness(self) -> Liveness:
        """Whether the process still runs, seen from here."""
        here = Owner.me()
        if self.host != here.host:
            return Liveness.UNKNOWN
        if self.boot != here.boot:
            return Liveness.DEAD
        if self.pids != here.pids:
            return Liveness.UNKNOWN
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return Liveness.DEAD
        except PermissionError:
            pass
        return Liveness.ALIVE if process_started(self.pid) == self.started else Liveness.DEAD


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """One run of the plugin, whose stacks come and go together."""

    id: str
    owner: Owner
    kept: bool = False
    created: int = 0

    @classmethod
    def new(cls, *, keep: bool = False) -> RunIdentity:
        """A run of this process; `keep` spares its stacks from every sweep."""
        return cls(secrets.token_hex(4), Owner.me(), keep, int(time.time()))

    def project(self, side: str) -> str:
        """The compose project of one side."""
        return f"mailu-{self.id}-{side}"

    def labels(self, side: str) -> dict[str, str]:
        """The same ones every time: compose would make a network anew whose labels have changed."""
        return {
            RUN: self.id,
            OWNER: self.owner.write(),
            KEPT: "yes" if self.kept else "no",
            SIDE: side,
            CREATED: str(self.created),
        }


def abandoned(labels: Mapping[str, str]) -> bool:
    """Whether what carries these labels was left by a run that is no more, and nobody asked to keep it."""
    if not labels.get(RUN) or labels.get(KEPT) == "yes":
        return False
    owner = Owner.read(labels.get(OWNER, ""))
    return owner is not None and owner.liveness() is Liveness.DEAD


def process_started(pid: int) -> str:
    """When a process started, in clock ticks after boot; empty where /proc does not say."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    # The second field is the command in brackets and may hold anything: count from its end.
    return stat.rpartition(")")[2].split()[19]


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _pid_namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""
