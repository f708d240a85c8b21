"""The host: what the new release needs of CPU, kernel, memory and engine, where the machine is known."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from packaging.specifiers import SpecifierSet

from pytest_mailu.core.model import Outcome, Severity
from pytest_mailu.deployment.catalogue import HostRequirement
from pytest_mailu.deployment.host import Host
from pytest_mailu.deployment.note import About, Note
from pytest_mailu.deployment.subject import Subject

SEVERITIES = {"memory": Severity.MINOR, "disk": Severity.MINOR, "compose": Severity.MAJOR, "kernel": Severity.INFO}
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
    if (known := _KNOWN[entry.need](entry.value, machine)) is None:
        return ""
    met, has = known
    return "" if met else has


def _cpu_feature(value: str, machine: Host) -> tuple[bool, str] | None:
    known = machine.cpu_features and machine.architecture == "amd64"
    return (value in machine.cpu_features, f"The CPU has no {value}") if known else None


def _architecture(value: str, machine: Host) -> tuple[bool, str] | None:
    has = machine.architecture
    return (has in value.split(), f"The machine is {has}") if has else None


def _engine(value: str, machine: Host) -> tuple[bool, str] | None:
    return _version(value, machine.engine, "The engine is Docker {}")


def _compose(value: str, machine: Host) -> tuple[bool, str] | None:
    return _version(value, machine.compose.removeprefix("v"), "Docker Compose {} started the services")


def _version(value: str, has: str, words: str) -> tuple[bool, str] | None:
    found = re.match(r"[\d.]+\d", has)
    return (SpecifierSet(value).contains(found[0]), words.format(found[0])) if found else None


def _kernel(value: str, machine: Host) -> tuple[bool, str] | None:
    has = machine.kernel
    return (_numbers(has) >= _numbers(value), f"The kernel is {has[:40]}") if has else None


def _memory(value: str, machine: Host) -> tuple[bool, str] | None:
    has = machine.memory
    return (has >= _bytes(value) * SPARE, f"The machine has {has / GIGABYTE:.1f} GB") if has else None


def _disk(value: str, machine: Host) -> tuple[bool, str] | None:
    has = machine.disk
    return (has >= _bytes(value), f"The disk has {has / GIGABYTE:.1f} GB free") if has else None


def _ipv6(value: str, machine: Host) -> tuple[bool, str] | None:
    return None if machine.ipv6 is None else (machine.ipv6 == (value == "on"), "The kernel has no IPv6")


_KNOWN: Mapping[str, Callable[[str, Host], tuple[bool, str] | None]] = {
    "cpu-feature": _cpu_feature,
    "architecture": _architecture,
    "engine": _engine,
    "compose": _compose,
    "kernel": _kernel,
    "memory": _memory,
    "disk": _disk,
    "ipv6": _ipv6,
}
"""A need → whether a machine meets it, and what it has in words; None where that is not known."""


def _bytes(value: str) -> int:
    return int(value.partition(" ")[0]) * GIGABYTE


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
