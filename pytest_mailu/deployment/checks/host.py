"""The host: what the new release needs of CPU, kernel, memory and engine, where the machine is known."""

from __future__ import annotations

import re
from collections.abc import Iterator

from packaging.specifiers import SpecifierSet

from pytest_mailu.core.model import Outcome, Severity
from pytest_mailu.deployment.catalogue import HostRequirement
from pytest_mailu.deployment.host import Host
from pytest_mailu.deployment.note import About, Note
from pytest_mailu.deployment.subject import Subject

SEVERITIES = {"memory": Severity.MINOR, "kernel": Severity.INFO}
"""What is only slower or less protected without; all else does not start."""
GIGABYTE = 10**9
SPARE = 0.9
"""A machine of 1 GB shows somewhat less: its firmware and kernel keep a part."""


def check(subject: Subject) -> Iterator[Note]:
    """A note for each need of the new release that the machine does not meet; none where nothing is known of it."""
    machine = subject.host
    if machine is None:
        return
    for entry in subject.catalogue.hosts:
        if subject.new in entry and (not entry.when or subject.holds(entry.when)) and (has := lacks(entry, machine)):
            yield _note(subject, entry, has)


def lacks(entry: HostRequirement, machine: Host) -> str:
    """What the machine has instead of what is needed, in words; "" where it has it or nothing is known."""
    match entry.need:
        case "cpu-feature" if machine.cpu_features and machine.architecture == "amd64":
            return "" if entry.value in machine.cpu_features else f"The CPU has no {entry.value}"
        case "architecture" if machine.architecture:
            return "" if machine.architecture in entry.value.split() else f"The machine is {machine.architecture}"
        case "engine" if version := re.match(r"[\d.]+\d", machine.engine):
            return "" if SpecifierSet(entry.value).contains(version[0]) else f"The engine is Docker {version[0]}"
        case "kernel" if machine.kernel:
            return "" if _numbers(machine.kernel) >= _numbers(entry.value) else f"The kernel is {machine.kernel[:40]}"
        case "memory" if machine.memory:
            wanted = int(entry.value.partition(" ")[0]) * GIGABYTE
            return "" if machine.memory >= wanted * SPARE else f"The machine has {machine.memory / GIGABYTE:.1f} GB"
    return ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number[:6]) for number in re.findall(r"\d+", version)[:2])


def _note(subject: Subject, entry: HostRequirement, has: str) -> Note:
    wanted = f"{entry.need} {entry.value}"
    made = About(
        id=f"host/{entry.need}/{re.sub(r'[^a-z0-9._]+', '-', entry.value.lower()).strip('-')}",
        title=f"{has}: {subject.new} needs {wanted}" + (f" for {entry.service}" if entry.service else ""),
        breaks=entry.advice.cause,
        source=str(entry.advice.source),
        severity=SEVERITIES.get(entry.need, Severity.CRITICAL),
        cause=entry.advice.cause,
        remedy=entry.advice.remedy,
    )
    if entry.need == "kernel":
        return made.changed({"met": True}, {"met": False})
    return made.broken() if subject.old in entry else made.lost(Outcome.REFUSED)
