"""What can be seen inside the containers. It explains differences, and is never a failure by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.core.model import Observation, Outcome, Severity, Stage
from pytest_mailu.probe.inventory import looked
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.shared import shared
from pytest_mailu.wire.transport.errors import CannotAsk

SERVICES = ("front", "admin", "imap", "smtp", "antispam")
PROGRAMS = {
    "front": {"nginx": "nginx -v 2>&1", "dovecot": "dovecot --version"},
    "admin": {
        "python": "python3 --version",
        "flask": "python3 -c 'import importlib.metadata as m; print(m.version(\"flask\"))'",
    },
    "imap": {
        "dovecot": "dovecot --version",
        "pigeonhole": "doveconf -h | head -3 | grep -o 'Pigeonhole version [^ ]*'",
    },
    "smtp": {"postfix": "postconf -h mail_version"},
    "antispam": {"rspamd": "rspamd --version | head -1"},
}
MASTERS = frozenset({"master", "dovecot"})
"""The main processes of Postfix and Dovecot: what they start depends on the work at the moment."""
SETTINGS = {"postconf": "postconf -n 2>/dev/null", "master": "postconf -M 2>/dev/null"}
"""What Postfix tells of its settings."""
SHELLS = frozenset({"sh"})
"""A shell may be a container's first process, and run the service's program."""
STATS = "cat /proc/[0-9]*/stat 2>/dev/null || true"
PROCESSES = {"processes-1": STATS, "processes-2": f"sleep 1; {STATS}", "processes-3": f"sleep 1; {STATS}"}
"""Three looks at the processes. Only what is there every time is compared."""
CONFIGS = {"imap": "/etc/dovecot/dovecot.conf", "front": "/etc/dovecot/proxy.conf"}
"""Dovecot's configuration; `front` has none before 2024.06."""

_IPV4 = r"(?<![\d.])(?!127\.)\d{1,3}(?:\.\d{1,3}){3}/\d{1,2}"
_IPV6 = r"(?<![\w:])\[?(?!fe80:)[\da-f]{1,4}:[\da-f]{0,4}:[\da-f:]*\]?/\d{1,3}\b"
_NETWORK = re.compile(f"{_IPV4}|{_IPV6}")
_STAT = re.compile(r"(?m)^(\d{1,10}) \((.*)\) \S (\d{1,10}) ")


def settled(text: str) -> str:
    """Settings with this stack's networks replaced by a common name."""
    return _NETWORK.sub("<network>", text)


@behaviour("inside/smtp/postconf", severity=Severity.INFO)
async def postconf(probe: Probe) -> Observation:
    """Postfix settings that differ from the defaults

    Overrides in overrides/postfix/postfix.cf meet other settings than before.

    postconf(1), `postconf -n`
    """
    text = (await _inventory(probe, "smtp"))["postconf"]
    settings = dict(re.findall(r"(?m)^(\w+) = ?(.*)$", settled(text)))
    return probe.seen(Outcome.ACCEPTED, Stage.SETTINGS, settings=settings)


@behaviour("inside/smtp/services", severity=Severity.INFO)
async def master_services(probe: Probe) -> Observation:
    """Services in Postfix's master.cf

    Overrides in overrides/postfix/postfix.master name services that no longer exist.

    postconf(1), `postconf -M`; master(5)
    """
    text = (await _inventory(probe, "smtp"))["master"]
    # The further lines of a service are its options.
    services = {" ".join(line.split()[:2]): " ".join(line.split()[2:]) for line in _joined(settled(text))}
    return probe.seen(Outcome.ACCEPTED, Stage.SETTINGS, services=services)


@behaviour(
    "inside/{service}/doveconf",
    deep={"service": ("front",)},
    severity=Severity.INFO,
    each={"service": ("imap", "front")},
    # They depend on the number of processors.
    volatile=("facts.settings.*process_limit", "facts.settings.*process_min_avail"),
)
async def doveconf(probe: Probe, service: str) -> Observation:
    """Dovecot settings in {service} that differ from the defaults

    Overrides in overrides/dovecot meet other settings than before.

    doveconf(1), `doveconf -n`; a Dovecot in front since 2024.06 (core/nginx/dovecot/proxy.conf)
    """
    text = (await _inventory(probe, service))["doveconf"]
    if not text.strip():
        return probe.seen(Outcome.NOT_OFFERED, Stage.SETTINGS)
    return probe.seen(Outcome.ACCEPTED, Stage.SETTINGS, settings=dict(blocks(settled(text))))


@behaviour(
    "inside/{service}/sockets", deep={"service": ("antispam",)}, severity=Severity.INFO, each={"service": SERVICES}
)
async def sockets(probe: Probe, service: str) -> Observation:
    """TCP ports on which {service} listens

    Programs that connect to {service} inside the compose network are refused.

    proc(5), /proc/net/tcp: busybox has no ss
    """
    everywhere, loopback = ports((await _inventory(probe, service))["sockets"])
    return probe.seen(Outcome.ACCEPTED, Stage.SETTINGS, ports=everywhere, loopback=loopback)


@behaviour(
    "inside/{service}/processes",
    deep={"service": ("admin", "antispam")},
    severity=Severity.INFO,
    each={"service": SERVICES},
)
async def processes(probe: Probe, service: str) -> Observation:
    """Programs that always run in {service}

    Monitoring that looks for a program does not find it.

    proc(5), /proc/pid/stat: busybox's ps is not everywhere
    """
    found = await _inventory(probe, service)
    return probe.seen(Outcome.ACCEPTED, Stage.SETTINGS, processes=lasting(*(found[name] for name in PROCESSES)))


@behaviour(
    "inside/{service}/versions",
    deep={"service": ("front", "smtp", "antispam")},
    severity=Severity.INFO,
    each={"service": SERVICES},
)
async def versions(probe: Probe, service: str) -> Observation:
    """Versions of the programs in {service}

    Known faults and security updates concern other versions than before.

    Mailu's Dockerfiles (core/*/Dockerfile, core/base/Dockerfile); os-release(5)
    """
    found = await _inventory(probe, service)
    told = {name: found[f"version-{name}"].strip() for name in ("system", *PROGRAMS[service])}
    versions = {name: version for name, version in told.items() if version}
    return probe.seen(Outcome.ACCEPTED, Stage.SETTINGS, versions=versions)


@shared
async def _inventory(probe: Probe, service: str) -> Mapping[str, str]:
    """What all behaviours of this module want to know of a service, by the names of the commands.

    Raises CannotAsk where a program whose settings are compared fails.
    """
    found = await looked(probe, service, commands(service))
    if failed := [name for name, look in found.items() if look.code]:
        raise CannotAsk(f"in {service} the command for {failed[0]} ended with status {found[failed[0]].code}")
    return {name: look.output for name, look in found.items()}


def commands(service: str) -> dict[str, str]:
    """The shell commands that are run in a service, by name."""
    found = {
        "sockets": "cat /proc/net/tcp /proc/net/tcp6 2>/dev/null || true",
        "version-system": '. /etc/os-release; echo "$PRETTY_NAME"',
        **{f"version-{name}": f"({command}) 2>/dev/null || true" for name, command in PROGRAMS[service].items()},
        **(SETTINGS if service == "smtp" else {}),
        **PROCESSES,
    }
    if config := CONFIGS.get(service):
        # Comments have versions and host names of the day.
        found["doveconf"] = f"if test -e {config}; then doveconf -n -c {config} 2>/dev/null; fi"
    return found


def ports(tables: str) -> tuple[list[int], list[int]]:
    """Listening ports from /proc/net/tcp and tcp6: those for all addresses, and those for the loopback address only."""
    listening = re.findall(r"(?m)^\s*\d+: ([0-9A-F]+):([0-9A-F]{4}) \S+ 0A ", tables)
    # 127.0.0.11 is the engine's own resolver, on a random port.
    found = {
        (address.endswith("7F") or address.endswith("01000000"), int(port, 16))
        for address, port in listening
        if address != "0B00007F"
    }
    everywhere = sorted(port for local, port in found if not local)
    return everywhere, sorted(port for local, port in found if local and port not in everywhere)


def lasting(*tables: str) -> list[str]:
    """The names of programs that every one of these /proc/*/stat tables has under the same process id.

    A process that does not descend from the container's first one was started by `docker exec` or a health check. The
    processes that `MASTERS` start depend on the work at the moment.
    """
    looks = [_service_processes(table) for table in tables]
    return sorted({name for pid, name in looks[0].items() if all(look.get(pid) == name for look in looks)} - SHELLS)


def _service_processes(table: str) -> dict[int, str]:
    parents = {int(pid): (name, int(parent)) for pid, name, parent in _STAT.findall(table)}

    def of_service(pid: int) -> bool:
        if pid == 1:
            return True
        _, parent = parents[pid]
        return parent in parents and parents[parent][0] not in MASTERS and of_service(parent)

    return {pid: name for pid, (name, _) in parents.items() if of_service(pid)}


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """Dovecot's settings by path: `protocol imap / mail_plugins`."""
    path: list[str] = []
    for raw in text.splitlines():
        line = raw.strip()
        if line == "}":
            path.pop()
        elif line.endswith("{"):
            path.append(line[:-1].strip())
        elif line and not line.startswith("#"):
            name, _, value = line.partition("=")
            yield " / ".join([*path, name.strip()]), value.strip()


def _joined(text: str) -> Iterator[str]:
    """Lines of master.cf, each joined with its continuation lines."""
    joined = ""
    for line in text.splitlines():
        if line[:1].isspace():
            joined += " " + line.strip()
            continue
        if joined:
            yield joined
        joined = line
    if joined:
        yield joined
