"""What can be seen inside the containers: information that explains differences, and never a failure by itself."""

from __future__ import annotations

import re

from testinfra.host import Host

from pytest_mailu.behaviours.registry import behaviour
from pytest_mailu.model import Observation, Outcome, Severity, Stage
from pytest_mailu.probe import Probe

SERVICES = ("front", "admin", "imap", "smtp", "antispam")


@behaviour("inside/smtp/postconf", severity=Severity.INFO)
async def postconf(probe: Probe) -> Observation:
    """Postfix's settings that are not its defaults

    Own overrides may meet other settings than before.

    postconf(1), `postconf -n`
    """
    text = await probe.testinfra("smtp", lambda host: str(host.check_output("postconf -n")))
    settings = dict(re.findall(r"(?m)^(\w+) = ?(.*)$", text))
    return probe.seen(Outcome.ACCEPTED, Stage.SETTINGS, settings=settings)


@behaviour("inside/{service}/sockets", severity=Severity.INFO, each={"service": SERVICES})
async def sockets(probe: Probe, service: str) -> Observation:
    """The TCP ports that {service} listens on

    What speaks to {service} inside the compose network may find nobody there.

    proc(5), /proc/net/tcp: busybox has no ss
    """

    def listening(host: Host) -> list[int]:
        tables = host.check_output("cat /proc/net/tcp /proc/net/tcp6")
        local = re.findall(r"(?m)^\s*\d+: ([0-9A-F]+):([0-9A-F]{4}) \S+ 0A ", tables)
        # 127.0.0.11 is the engine's own resolver, on a port of the day.
        return sorted({int(port, 16) for address, port in local if address != "0B00007F"})

    return probe.seen(Outcome.ACCEPTED, Stage.SETTINGS, ports=await probe.testinfra(service, listening))


@behaviour(
    "inside/{service}/processes", severity=Severity.INFO, each={"service": SERVICES}, volatile=("facts.processes*",)
)
async def processes(probe: Probe, service: str) -> Observation:
    """The programs that run in {service}

    Monitoring that looks for a program may not find it.

    proc(5), /proc/pid/comm: busybox's ps is not everywhere
    """

    def running(host: Host) -> list[str]:
        names = host.check_output("cat /proc/[0-9]*/comm 2>/dev/null || true")
        return sorted(set(names.split("\n")) - {"", "cat", "sh"})

    return probe.seen(Outcome.ACCEPTED, Stage.SETTINGS, processes=await probe.testinfra(service, running))
