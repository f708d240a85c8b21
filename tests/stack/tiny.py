"""Images of a few hundred bytes, made of nothing, and a count of what a run has left."""

from __future__ import annotations

import io
import platform
import struct
import tarfile

from pytest_mailu.stack.docker.engine import Engine
from pytest_mailu.stack.docker.labels import RunIdentity

WAITS, EXITS = "pytest-mailu.test/waits:1", "pytest-mailu.test/exits:1"
DECLARES = "pytest-mailu.test/declares-volumes:1"
_CODE = {
    # Linux system calls: pause() for ever, or exit(3).
    ("x86_64", "waits"): (62, "b8220000000f05ebf7"),
    ("x86_64", "exits"): (62, "bf03000000b83c0000000f05"),
    ("aarch64", "waits"): (183, "080980d2000080d2010080d2020080d2030080d2010000d4faffff17"),
    ("aarch64", "exits"): (183, "600080d2a80b80d2010000d4"),
}


def program(what: str) -> bytes:
    """A static program for this machine: one ELF header, one program header, a handful of instructions."""
    machine, code = _CODE[platform.machine(), what]
    body = bytes.fromhex(code)
    base, head = 0x400000, 64 + 56
    elf = b"\x7fELF\x02\x01\x01" + bytes(9)
    elf += struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, base + head, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    return elf + struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, head + len(body), head + len(body), 0x1000) + body


def archive(what: str) -> bytes:
    """A root file system with the program, a version, and folders for whatever is mounted."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, mode, content in (("run", 0o755, program(what)), ("version", 0o644, b"9.9.9\n")):
            entry = tarfile.TarInfo(name)
            entry.mode, entry.size = mode, len(content)
            tar.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def things(engine: Engine, run: RunIdentity) -> tuple[int, int, int]:
    """How many containers, networks and volumes of a run there are."""
    label = f"org.pytest-mailu.run={run.id}"
    return (
        len(engine.containers_now(label)),
        len(engine.networks_now(label)),
        len(engine.volumes_now(label)),
    )
