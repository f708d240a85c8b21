"""The labels on everything that a run creates: which run it belongs to, and whether its owner is still alive."""

from __future__ import annotations

import json
import os
import secrets
import socket
import time
import uuid
from dataclasses import asdict, dataclass, fields
from enum import Enum
from pathlib import Path

PREFIX = "org.pytest-mailu"
RUN = f"{PREFIX}.run"
OWNER = f"{PREFIX}.owner"
KEPT = f"{PREFIX}.kept"
SIDE = f"{PREFIX}.side"
CREATED = f"{PREFIX}.created"
_LONGEST = 1_000
"""Characters of an owner's label at most; ours has about 250."""


class Liveness(Enum):
    """What is known of the process that owns a run. UNKNOWN: it cannot be seen from here, so it may well be alive."""

    ALIVE = "alive"
    DEAD = "dead"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Owner:
    """A process, described so that no other one is taken for it.

    `machine` (machine-id(5)), `boot` and `pids` (boot id and PID namespace) are empty where the system does not tell
    them; so is `started`, which is in clock ticks after boot (proc(5), /proc/pid/stat field 22).
    """

    host: str
    machine: str
    boot: str
    pids: str
    pid: int
    started: str

    @classmethod
    def me(cls) -> Owner:
        """This process."""
        pid = os.getpid()
        return cls(socket.gethostname(), _machine(), _boot(), _pid_namespace(), pid, process_started(pid))

    @classmethod
    def read(cls, text: str) -> Owner | None:
        """The owner in a label, or None where the label is broken."""
        if len(text) > _LONGEST:
            return None
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            return None
        names = {field.name for field in fields(cls)}
        if not isinstance(document, dict) or set(document) != names:
            return None
        pid = document["pid"]
        if not isinstance(pid, int) or isinstance(pid, bool) or not 0 < pid < 1 << 31:
            return None
        if not all(isinstance(value, str) for name, value in document.items() if name != "pid"):
            return None
        return cls(**document)

    def write(self) -> str:
        """The text for a label."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @property
    def of_this_boot(self) -> bool:
        """Whether it is of the kernel that runs here: copied machines share their names and machine ids."""
        return bool(self.boot) and self.boot == _boot()

    def liveness(self) -> Liveness:
        """Whether the process still runs, seen from here. DEAD only where that is certain."""
        here = Owner.me()
        # Without an id of the machine or its boot, nothing tells it from another one of the same name.
        if (self.host, self.machine) != (here.host, here.machine) or not (self.machine or self.boot):
            return Liveness.UNKNOWN
        if self.boot != here.boot:
            # Without a machine id, another machine may have the same name.
            return Liveness.DEAD if self.machine and self.boot and here.boot else Liveness.UNKNOWN
        if self.pids != here.pids:
            return Liveness.UNKNOWN
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return Liveness.DEAD
        except PermissionError:
            pass  # another user's, so it exists
        started = process_started(self.pid)
        if not started or not self.started:  # /proc hides it (hidepid), or there is no /proc
            return Liveness.UNKNOWN
        return Liveness.ALIVE if started == self.started else Liveness.DEAD


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


def process_started(pid: int) -> str:
    """When a process started, in clock ticks after boot; empty where /proc does not say."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    # The second field is the command in brackets and may hold anything: count from its end.
    return stat.rpartition(")")[2].split()[19]


def _machine() -> str:
    for path in ("/etc/machine-id", "/var/lib/dbus/machine-id"):
        try:
            if text := Path(path).read_text().strip():
                return text[:64]
        except (OSError, UnicodeDecodeError):
            continue
    # Without /proc (macOS) there is neither: then the address of a network card, unless Python drew one.
    node = uuid.getnode()
    return "" if _boot() or node >> 40 & 1 else f"{node:012x}"


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
