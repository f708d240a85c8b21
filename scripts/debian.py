"""Programs that the tests need and pip cannot install: found on the machine, or installed from Debian's packages."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from commands import run

PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
"""Where to look for programs: daemons live in folders that not every PATH has."""
POLICY = Path("/usr/sbin/policy-rc.d")
LOG_LINES = 15


class Missing(Exception):
    """Something that the tests need is missing and cannot be installed. `args` are lines for a person."""

    def __str__(self) -> str:
        return "\n".join(self.args)


@dataclass(frozen=True, slots=True)
class Program:
    """A program, the Debian package that has it, and what the tests do with it."""

    name: str
    package: str
    use: str

    @property
    def there(self) -> bool:
        """Whether this machine has it."""
        return shutil.which(self.name, path=PATH) is not None


def provide(*programs: Program) -> None:
    """Install the packages of missing programs.

    Raises Missing where that is not possible: without root, or on another distribution.
    """
    missing = [program for program in programs if not program.there]
    if not missing:
        return
    named = [f"{program.name} is missing: {program.use}" for program in missing]
    packages = " ".join(program.package for program in missing)
    if not may_install():
        raise Missing(*named, f"Install it (packages of Debian: {packages}), or run this as root on Debian or Ubuntu.")
    print(f"== installing {packages}", flush=True)
    with tempfile.TemporaryFile() as output, services_stay_down():
        # A source that cannot be read does not matter as long as the others have the packages.
        run(apt_get("update"), output=output)
        if run(apt_get("install", "--yes", "--no-install-recommends", *packages.split()), output=output):
            output.seek(0)
            last = output.read().decode(errors="replace").splitlines()[-LOG_LINES:]
            raise Missing(*named, f"apt-get could not install {packages}:", *last)


def may_install() -> bool:
    """Whether this is root on a system with Debian's packages."""
    return os.geteuid() == 0 and Path("/etc/debian_version").exists() and shutil.which("apt-get") is not None


def apt_get(*arguments: str) -> list[str]:
    """The command that runs apt-get without questions; it waits for other installations to end."""
    return ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "--option", "DPkg::Lock::Timeout=120", *arguments]


@contextmanager
def services_stay_down() -> Iterator[None]:
    """Keep Debian's packages from starting their services (Debian Policy, section 9.3.3)."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n", "utf-8")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()
