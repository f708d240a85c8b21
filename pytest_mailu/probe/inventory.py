"""What is so inside a container, looked at with one command for all who want to know: each `docker exec` costs time."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from pytest_mailu.probe.probe import Probe
from pytest_mailu.wire.transport.errors import CannotAsk


@dataclass(frozen=True, slots=True)
class Look:
    """What one command printed, and its exit status."""

    code: int
    output: str


async def looked(probe: Probe, service: str, commands: Mapping[str, str]) -> dict[str, Look]:
    """Run shell commands in a service's container, one after the other in one `sh`; what each printed, by its name.

    Names consist of letters, digits and hyphens. A command that ends the shell takes the rest with it: CannotAsk.
    """
    mark = f"@{secrets.token_hex(8)}"
    ran = await probe.evidence.testinfra(service, lambda host: host.run(script(mark, commands)))
    found = sections(mark, str(ran.stdout))
    if missing := sorted(commands.keys() - found.keys()):
        raise CannotAsk(f"in {service} there was no end of the command for {missing[0]}: {str(ran.stderr).strip()!r}")
    return found


def script(mark: str, commands: Mapping[str, str]) -> str:
    """The commands with a line of their own after each: the mark, the name and the exit status."""
    return "\n".join(f"(\n{command}\n)\nprintf '\\n{mark} {name} %s\\n' \"$?\"" for name, command in commands.items())


def sections(mark: str, text: str) -> dict[str, Look]:
    """What stands before each of the marks."""
    parts = re.split(rf"(?m)\n^{re.escape(mark)} ([\w-]+) (\d{{1,3}})$\n?", text)
    ended = zip(parts[::3], parts[1::3], parts[2::3], strict=False)
    return {name: Look(int(code), output) for output, name, code in ended}
